// Division by multiplication is exact for every number below 2^31.
#include "kernels/device/fast_divmod.h"

#include <gtest/gtest.h>

#include <limits>

#include "tests/support/shapes.h"

namespace preceptor::test {
namespace {

TEST(FastDivmod, QuotientsAreExact) {
  Random random("divisor");
  constexpr int largest = std::numeric_limits<int>::max();
  for (int round = 0; round < 2000; ++round) {
    const int divisor = round < 300 ? round + 1 : random.integer(1, round % 2 == 0 ? largest : 70000);
    const kernels::FastDivmod by(divisor);
    EXPECT_EQ(by.divisor(), divisor);
    const int multiple = random.integer(1, largest / divisor) * divisor;
    for (int n : {0, 1, divisor - 1, divisor, multiple - 1, multiple, largest / divisor * divisor - 1, largest - 1,
                  largest, random.integer(0, largest)})
      EXPECT_EQ(by.quotient(n), n / divisor) << n << " / " << divisor;
  }
}

}  // namespace
}  // namespace preceptor::test
