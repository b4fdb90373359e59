// Transfer methods as text: what is accepted, what is refused and how, and that nothing is lost on the way.
#include <gtest/gtest.h>

#include <set>

#include "engine/files/file.h"
#include "models/transfer/method.h"

namespace preceptor {
namespace {

std::string refusal(const std::string& text) {
  try {
    parse_method(text);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    return error.what();
  }
  return "accepted";
}

TEST(MethodSettings, HaveDefaults) {
  const MethodSettings settings = parse_method("kd");
  EXPECT_EQ(settings.number("temperature"), 4);
  EXPECT_EQ(settings.number("weight"), 0.9);
  EXPECT_DOUBLE_EQ(label_weight(settings), 0.1);
  EXPECT_EQ(label_weight(parse_method("at")), 1);
  // The default of one key may depend on the value of another.
  EXPECT_EQ(parse_method("at").number("weight"), 1000);
  EXPECT_EQ(parse_method("at:reading=author").number("weight"), 0.2);
  EXPECT_EQ(parse_method("at:weight=7,reading=author").number("weight"), 7);
}

TEST(MethodSettings, OfEveryMethodSurviveTheirText) {
  for (const MethodKind& kind : method_kinds()) {
    const MethodSettings settings = parse_method(kind.name + ":weight=0.12345678");
    EXPECT_EQ(settings.number("weight"), 0.12345678) << kind.name;
    EXPECT_EQ(parse_method(to_string(settings)).values, settings.values) << kind.name;
    EXPECT_EQ(settings.values.size(), kind.keys.size()) << kind.name << " has a key twice";
  }
}

TEST(MethodTable, EveryMethodIsDescribedHereAndInTheDocs) {
  const std::string docs = read_file(PRECEPTOR_SOURCE_DIR "/docs/methods.md");
  std::set<std::string> names;
  for (const MethodKind& kind : method_kinds()) {
    EXPECT_TRUE(names.insert(kind.name).second) << kind.name << " is there twice";
    EXPECT_FALSE(kind.summary.empty()) << kind.name;
    EXPECT_NE(kind.make, nullptr) << kind.name;
    EXPECT_NE(docs.find("\n| `" + kind.name + "`"), std::string::npos) << "docs/methods.md has no row " << kind.name;
  }
}

TEST(MethodSettings, AreRefusedWithTheReason) {
  EXPECT_NE(refusal("magic").find("the methods are ab, at"), std::string::npos) << refusal("magic");
  EXPECT_NE(refusal("kd:warmth=4").find("it has temperature, weight"), std::string::npos) << refusal("kd:warmth=4");
  EXPECT_NE(refusal("at:reading=mine").find("one of released, paper, author"), std::string::npos);
  for (const char* text :
       {"kd:temperature=0", "kd:temperature=-1", "kd:temperature=inf", "kd:temperature=nan", "kd:temperature=4x",
        "kd:temperature=", "kd:temperature", "kd:weight=1.5", "at:weight=inf", "at:tap=", "kd:warmup=5,end=5", ""})
    EXPECT_NE(refusal(text), "accepted") << text;
}

TEST(MethodSettings, WeightsGrowAndFallByTheirEpochs) {
  const MethodSettings settings = parse_method("kd:weight=0.5,warmup=4,end=10");
  const std::vector<double> expected = {0.25, 0.5, 0.75, 1, 5.0 / 6, 4.0 / 6, 3.0 / 6, 2.0 / 6, 1.0 / 6, 0, 0};
  for (std::size_t i = 0; i < expected.size(); ++i)
    EXPECT_DOUBLE_EQ(weight_factor(settings, static_cast<int>(i) + 1), expected[i]) << "epoch " << i + 1;
  EXPECT_DOUBLE_EQ(label_weight(settings, 0.25), 1 - 0.125);
  EXPECT_EQ(weight_factor(parse_method("kd"), 1), 1);
  EXPECT_FALSE(has_schedule(parse_method("kd")));
}

}  // namespace
}  // namespace preceptor
