// Transfer methods as text: what is accepted, what is refused and how, and that nothing is lost on the way.
#include <gtest/gtest.h>

#include "models/transfer/method.h"

namespace preceptor {
namespace {

std::string refusal(const std::string& text) {
  try {
    parse_transfer_method(text);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    return error.what();
  }
  return "accepted";
}

TEST(TransferMethod, HasDefaults) {
  const TransferMethod method = parse_transfer_method("kd");
  EXPECT_EQ(method.values.at("temperature"), 4);
  EXPECT_EQ(method.values.at("weight"), 0.9);
  EXPECT_DOUBLE_EQ(method.label_weight(), 0.1);
  EXPECT_EQ(parse_transfer_method("at").label_weight(), 1);
}

TEST(TransferMethod, SurvivesItsText) {
  const TransferMethod method = parse_transfer_method("kd:temperature=2.123456789012345,weight=0.12345678");
  EXPECT_EQ(parse_transfer_method(to_string(method)).values, method.values);
}

TEST(TransferMethod, RefusesWithTheReason) {
  EXPECT_NE(refusal("magic").find("the methods are at, kd"), std::string::npos) << refusal("magic");
  EXPECT_NE(refusal("kd:warmth=4").find("it has temperature, weight"), std::string::npos) << refusal("kd:warmth=4");
  for (const char* text :
       {"kd:temperature=0", "kd:temperature=-1", "kd:temperature=inf", "kd:temperature=nan", "kd:temperature=4x",
        "kd:temperature=", "kd:temperature", "kd:weight=1.5", "at:weight=inf", ""})
    EXPECT_NE(refusal(text), "accepted") << text;
}

}  // namespace
}  // namespace preceptor
