// Option tables: values read from text, their limits, and what is said of wrong ones.
#include "apps/command_line/options.h"

#include <gtest/gtest.h>

#include "engine/files/check.h"

namespace preceptor {
namespace {

enum class Color { red, green };

}  // namespace

template <>
inline constexpr std::array words<Color>{"red", "green"};

namespace {

struct Values {
  int blocks = -1;
  std::uint64_t seed = 0;
  double rate = 0.5;
  std::vector<int> epochs;
  std::vector<std::string> names;
  Color color = Color::green;
  bool flag = true;
  std::optional<double> margin;

  void visit(OptionTable& table) {
    table(blocks, "--blocks", "COUNT", "", {.at_least = 0, .words = {{"all", "-1"}}});
    table(seed, "--seed", "NUMBER", "");
    table(rate, "--rate", "RATE", "", {.at_most = 1, .above = 0});
    table(epochs, "--epochs", "EPOCH", "");
    table(names, "--names", "NAME", "", {.one_of = {"a", "b"}});
    table(color, "--color", "NAME", "");
    table(flag, "--flag", "");
    table(margin, "--margin", "AUC", "", {.at_least = 0.125});
  }
};

// The texts of the option after it was given these; the error, if any.
std::string given(const std::string& name, const std::vector<std::string>& texts) {
  Values values;
  OptionTable table;
  values.visit(table);
  for (Option& option : table.options) {
    if (option.name != name) continue;
    try {
      option.read(texts);
      table.check();
    } catch (const Error& error) {
      return error.what();
    }
    return list(option.texts());
  }
  return "no such option";
}

TEST(Options, ReadAndPrintValues) {
  EXPECT_EQ(given("--blocks", {"all"}), "all");
  EXPECT_EQ(given("--seed", {"18446744073709551615"}), "18446744073709551615");
  EXPECT_EQ(given("--rate", {"+1e-3"}), "0.001");
  EXPECT_EQ(given("--epochs", {"1,2", "3"}), "1, 2, 3");
  EXPECT_EQ(given("--color", {"red"}), "red");
  EXPECT_EQ(given("--margin", {"0.25"}), "0.25");
}

TEST(Options, RefuseWrongValues) {
  EXPECT_EQ(given("--blocks", {"-2"}), "--blocks -2: must be at least 0");
  EXPECT_EQ(given("--blocks", {"99999999999"}), "--blocks 99999999999: the number is too large or too small");
  EXPECT_EQ(given("--seed", {"-1"}), "--seed -1: a whole number is expected");
  for (const std::string rate : {"0", "nan", "inf", "1.5"})
    EXPECT_EQ(given("--rate", {rate}), "--rate " + rate + ": must be above 0 and at most 1");
  EXPECT_EQ(given("--rate", {"0.1", "0.2"}), "--rate: one value is expected, not 2");
  EXPECT_EQ(given("--names", {"a,c"}), "--names c: not one of a, b");
  EXPECT_EQ(given("--color", {"blue"}), "--color blue: not one of red, green");
  EXPECT_EQ(given("--flag", {"maybe"}), "--flag maybe: true or false is expected");
  EXPECT_EQ(given("--margin", {"0"}), "--margin 0: must be at least 0.125");
}

}  // namespace
}  // namespace preceptor
