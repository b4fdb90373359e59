// Skips all tests where there is no card, or fails them if REQUIRE_DEVICE=cuda.
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "kernels/device/device.h"

namespace preceptor::test {
namespace {

class Card : public testing::Environment {
  void SetUp() override {
    try {
      kernels::cuda_device();
    } catch (const Error& error) {
      const char* required = std::getenv("REQUIRE_DEVICE");
      if (required && std::string(required) == "cuda") FAIL() << error.what();
      GTEST_SKIP() << error.what();
    }
  }
};

const auto* const card = testing::AddGlobalTestEnvironment(new Card);

}  // namespace
}  // namespace preceptor::test
