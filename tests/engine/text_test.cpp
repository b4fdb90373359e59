// Lists and lower case, as messages and file names need them.
#include "engine/files/text.h"

#include <gtest/gtest.h>

#include <vector>

namespace preceptor::test {
namespace {

TEST(Text, ListsNames) {
  struct Named {
    const char* name;
    std::string twice() const { return std::string(name) + name; }
  };
  const std::vector<Named> named = {{"a"}, {"b"}, {"c"}};
  EXPECT_EQ(list(named, &Named::name), "a, b, c");
  EXPECT_EQ(list(named, &Named::twice), "aa, bb, cc");
  EXPECT_EQ(list(std::vector<std::string>{"", "x"}), ", x");
  EXPECT_EQ(list(std::vector<std::string>{}), "");
}

TEST(Text, LowersLettersAlone) { EXPECT_EQ(lower("Scan-Z9_[\xC3\x84].JPG"), "scan-z9_[\xC3\x84].jpg"); }

}  // namespace
}  // namespace preceptor::test
