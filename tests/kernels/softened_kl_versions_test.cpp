// The ladder: every version of softened KL gives the same as the reference.
#include "kernels/softened_kl/versions/versions.h"

#include <gtest/gtest.h>

#include "tests/kernels/softened_kl_problem.h"

namespace preceptor::test {
namespace {

using namespace kernels;

void launch_version(int version, const SoftenedKl<float>& arguments, const Device& device) {
  const Stream stream(device);
  if (device.kind == DeviceKind::emulated) versions::run_version(version, stream.emulated(), arguments);
#ifdef PRECEPTOR_CUDA
  if (device.kind == DeviceKind::cuda) versions::run_version(version, stream.cuda(), arguments);
#endif
  stream.synchronize();
}

class SoftenedKlVersions : public DeviceTest {
 protected:
  void SetUp() override {
    DeviceTest::SetUp();
    if (!IsSkipped() && on_cpu()) GTEST_SKIP() << "the versions are CUDA kernels";
  }
};

TEST_P(SoftenedKlVersions, MatchTheReference) {
  for (int version = versions::first_version; version <= versions::last_version; ++version) {
    Random random("softened kl versions");
    const std::string name = "softened kl, version " + std::to_string(version);
    Comparison losses(name + ", loss"), gradients(name + ", gradient");
    for (int classes : {1, 2, 14, 33, 129, 1000, 4099})
      for (float temperature : {0.05f, 4.0f, 100.0f}) {
        if (watched(device()) && classes > 129 && temperature != 4) continue;
        const Problem<float> problem(random, classes > 129 ? 3 : random.awkward_size(129), classes, temperature, 3);
        SCOPED_TRACE(problem.text());
        const auto launch = [&](const auto& arguments) { launch_version(version, arguments, device()); };
        problem.check(problem.run(device(), launch), false, losses, gradients);
      }
  }
}

TEST_P(SoftenedKlVersions, TheSameBitsInEveryOrder) {
  Random random("softened kl versions bits");
  const Problem<float> problem(random, 5, 300, 4, 3);
  for (int version = versions::first_version; version <= versions::last_version; ++version) {
    const auto run_on_order = [&](const Device& order) {
      return problem.run(order, [&](const auto& arguments) { launch_version(version, arguments, order); });
    };
    const auto first = run_on_order(device());
    for (const Device& order : five_variants(device())) EXPECT_TRUE(run_on_order(order) == first) << version;
  }
}

TEST_P(SoftenedKlVersions, RefuseWhatTheyCannot) {
  Random random("softened kl versions refuse");
  const Problem<float> problem(random, 1, 20483, 4, 3);
  const auto run_version = [&](int version) {
    return problem.run(device(), [&](const auto& arguments) { launch_version(version, arguments, device()); });
  };
  EXPECT_THROW(run_version(4), Error);
  EXPECT_THROW(run_version(0), Error);
  EXPECT_THROW(run_version(6), Error);
}

INSTANTIATE_ON_ALL_DEVICES(SoftenedKlVersions);

}  // namespace
}  // namespace preceptor::test
