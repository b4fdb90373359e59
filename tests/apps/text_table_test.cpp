// Tables for terminals.
#include "apps/command_line/text_table.h"

#include <gtest/gtest.h>

#include <cmath>

namespace preceptor::test {
namespace {

TEST(TextTable, AlignsColumnsByCharacters) {
  TextTable table({"label", "AUC", "curve"});
  table.add({"mass", "0.5", "▁█"});
  table.add({"pneumonia", "0.8383", ""});
  table.add({"x"});
  EXPECT_EQ(table.text(),
            "label         AUC  curve\n"
            "mass          0.5     ▁█\n"
            "pneumonia  0.8383\n"
            "x\n");
}

TEST(TextTable, NumbersForPeople) {
  EXPECT_EQ(decimal(0.83827), "0.8383");
  EXPECT_EQ(decimal(0.5, 2, true), "+0.50");
  EXPECT_EQ(decimal(std::nan("")), "-");
  EXPECT_EQ(decimal(1e300, 0).size(), 301u);
  EXPECT_EQ(bounds({0.5, 0.25, 0.75}, 2), "0.25 to 0.75");
  EXPECT_EQ(bounds({0.5, std::nan(""), 0.75}), "-");
  EXPECT_EQ(p_text(0.04999), "0.0500");
  EXPECT_EQ(p_text(1e-9), "<0.0001");
  EXPECT_EQ(p_text(std::nan("")), "-");
}

}  // namespace
}  // namespace preceptor::test
