// Which runs are one arm, and how two arms are paired by seed.
#include "apps/evaluation/comparison.h"

#include <gtest/gtest.h>

namespace preceptor::test {
namespace {

EvaluatedRun run_with(const nlohmann::ordered_json& config) {
  EvaluatedRun run;
  run.config = config;
  return run;
}

ArmScore score(const std::vector<std::string>& seeds, const std::vector<double>& aucs) {
  ArmScore score;
  score.seeds = seeds;
  score.aucs = aucs;
  return score;
}

TEST(Arms, HoldRunsThatDifferInSeedOrThreads) {
  const auto arms = arms_of({run_with({{"lr", 1}, {"seed", 0}}), run_with(nlohmann::ordered_json::object()),
                             run_with({{"lr", 2}, {"seed", 0}}), run_with({{"lr", 1}, {"seed", 7}, {"threads", 3}}),
                             run_with(nlohmann::ordered_json::object())});
  std::vector<std::vector<std::string>> seeds;
  for (const Arm& arm : arms) {
    seeds.emplace_back();
    for (const EvaluatedRun& run : arm.runs) seeds.back().push_back(run.seed());
  }
  EXPECT_EQ(seeds, (std::vector<std::vector<std::string>>{{"0", "7"}, {""}, {"0"}, {""}})) << "tables stand alone";
}

TEST(Arms, ArePairedBySeedInAnyOrder) {
  const ArmScore base = score({"0", "1", "2"}, {0.7, 0.8, 0.9});
  const std::optional<Difference> paired = compare_by_seed(score({"2", "0", "1"}, {0.92, 0.71, 0.83}), base);
  ASSERT_TRUE(paired);
  const Difference expected = compare_paired({0.71, 0.83, 0.92}, {0.7, 0.8, 0.9});
  EXPECT_DOUBLE_EQ(paired->interval.value, expected.interval.value);
  EXPECT_DOUBLE_EQ(paired->standard_error, expected.standard_error);
  EXPECT_FALSE(compare_by_seed(score({"0", "1", "3"}, {0.7, 0.8, 0.9}), base)) << "another seed";
  EXPECT_FALSE(compare_by_seed(score({"0", "1"}, {0.7, 0.8}), base)) << "a seed less";
  EXPECT_FALSE(compare_by_seed(score({"0", "0", "0"}, {0.7, 0.8, 0.9}), base)) << "one seed thrice";
  EXPECT_FALSE(compare_by_seed(score({"", ""}, {0.7, 0.8}), score({"", ""}, {0.7, 0.8}))) << "tables have no seed";
  EXPECT_FALSE(compare_by_seed(score({"0"}, {0.7}), score({"0"}, {0.8}))) << "one seed";
}

}  // namespace
}  // namespace preceptor::test
