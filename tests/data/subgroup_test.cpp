// Groups and gaps: made by hand, with known differences, and with none.
#include "data/metrics/subgroup.h"

#include <gtest/gtest.h>

#include <cmath>

#include "data/predictions/predictions.h"
#include "kernels/device/error.h"
#include "random_findings.h"

namespace preceptor::test {
namespace {

TEST(AgeGroup, TheFiveOfTheStudy) {
  EXPECT_EQ(age_group("0"), "0-19");
  EXPECT_EQ(age_group("19.9"), "0-19");
  EXPECT_EQ(age_group("20"), "20-39");
  EXPECT_EQ(age_group("058Y"), "40-59");
  EXPECT_EQ(age_group("79"), "60-79");
  EXPECT_EQ(age_group("80"), "80+");
  EXPECT_EQ(age_group("150"), "80+");
  for (const char* none : {"", "Y", "old", "-1", "151", "414", "nan", "12M"}) EXPECT_EQ(age_group(none), "") << none;
}

PredictionTable people() {
  PredictionTable table;
  table.source = "people.csv";
  table.task = Task::multi_label;
  table.label_names = {"mass"};
  table.columns = {{"sex", {}}, {"age", {}}};
  const char* sexes[] = {"F", "M", "F", "", "M", "F"};
  const char* ages[] = {"10", "30", "35", "30", "", "90"};
  for (int i = 0; i < 6; ++i) {
    table.ids.push_back(std::to_string(i));
    table.labels.push_back(static_cast<float>(i % 2));
    table.probabilities.push_back(0.1 * i);
    table.columns[0].values.push_back(sexes[i]);
    table.columns[1].values.push_back(ages[i]);
  }
  return table;
}

TEST(Groups, ByColumnsAndIntersections) {
  const std::vector<Group> sexes = groups_by(people(), "sex", 1);
  ASSERT_EQ(sexes.size(), 2u);
  EXPECT_EQ(sexes[0].name, "sex=F");
  EXPECT_EQ(sexes[0].rows, (std::vector<int>{0, 2, 5}));
  EXPECT_EQ(sexes[1].rows, (std::vector<int>{1, 4}));
  const std::vector<Group> ages = groups_by(people(), "age", 1);
  ASSERT_EQ(ages.size(), 3u);
  EXPECT_EQ(ages[1].name, "age=20-39");
  EXPECT_EQ(ages[1].rows, (std::vector<int>{1, 2, 3}));
  const std::vector<Group> both = groups_by(people(), "sex+age", 1);
  ASSERT_EQ(both.size(), 4u);
  EXPECT_EQ(both[1].name, "sex=F, age=20-39");
  EXPECT_EQ(both[1].rows, (std::vector<int>{2}));
  EXPECT_EQ(groups_by(people(), "sex", 3).size(), 1u);
  EXPECT_THROW(groups_by(people(), "site", 1), Error);
  EXPECT_THROW(groups_by(people(), "sex+", 1), Error);
}

// 3 ill and 2 well in every group; sensitivities 1, 2/3, 1/3 and false positive rates 0, 1/2, 0 at 0.5.
const Finding three{"mass",
                    {0.9, 0.8, 0.7, 0.1, 0.2, 0.9, 0.8, 0.3, 0.6, 0.2, 0.9, 0.4, 0.3, 0.1, 0.2},
                    {1, 1, 1, 0, 0, 1, 1, 1, 0, 0, 1, 1, 1, 0, 0}};
const std::vector<Group> thirds = {{"a", {0, 1, 2, 3, 4}}, {"b", {5, 6, 7, 8, 9}}, {"c", {10, 11, 12, 13, 14}}};

TEST(Gaps, AgainstTheMedianOfMore) {
  const std::vector<GroupMetrics> groups = group_metrics({three}, {0.5}, thirds, {});
  ASSERT_EQ(groups.size(), 3u);
  EXPECT_EQ(groups[1].rows, 5);
  EXPECT_EQ(groups[1].positives, 3u);
  EXPECT_EQ(groups[0].sensitivity.value, 1);
  EXPECT_DOUBLE_EQ(groups[1].sensitivity.value, 2.0 / 3);
  EXPECT_EQ(groups[1].false_positive_rate.value, 0.5);
  EXPECT_DOUBLE_EQ(groups[0].sensitivity_gap.value, 1 - 2.0 / 3);
  EXPECT_EQ(groups[1].sensitivity_gap.value, 0);
  EXPECT_DOUBLE_EQ(groups[2].sensitivity_gap.value, 1.0 / 3 - 2.0 / 3);
  EXPECT_EQ(groups[0].auc.value, 1);
  EXPECT_DOUBLE_EQ(groups[1].auc.value, 5.0 / 6);
  EXPECT_DOUBLE_EQ(groups[1].auc_gap.value, 5.0 / 6 - 1);
  EXPECT_GT(groups[0].calibration_error.value, 0);
}

TEST(Gaps, AgainstTheOtherOfTwo) {
  const std::vector<GroupMetrics> groups = group_metrics({three}, {0.5}, {thirds[0], thirds[2]}, {});
  EXPECT_DOUBLE_EQ(groups[0].sensitivity_gap.value, 2.0 / 3);
  EXPECT_DOUBLE_EQ(groups[1].sensitivity_gap.value, -2.0 / 3);
  const std::vector<GroupMetrics> one = group_metrics({three}, {0.5}, {thirds[0]}, {});
  EXPECT_TRUE(std::isnan(one[0].sensitivity_gap.value));
  EXPECT_TRUE(group_metrics({three}, {0.5}, {}, {}).empty());
  EXPECT_TRUE(std::isnan(group_metrics({three}, {std::nan("")}, thirds, {})[0].sensitivity.value));
  EXPECT_THROW(group_metrics({three}, {}, thirds, {}), Error);
}

TEST(Gaps, OfTwoModelsSideBySide) {
  // The second model is the first in group a and misses everything in c: its gap there is larger.
  Finding worse = three;
  worse.scores[10] = 0.05;
  const std::vector<GapChange> changes =
      gap_changes({{{three}, {0.5}}}, {{{worse}, {0.5}}}, {thirds[0], thirds[2]}, {});
  ASSERT_EQ(changes.size(), 2u);
  EXPECT_DOUBLE_EQ(changes[1].first_sensitivity_gap.value, -2.0 / 3);
  EXPECT_DOUBLE_EQ(changes[1].second_sensitivity_gap.value, -1);
  EXPECT_DOUBLE_EQ(changes[1].sensitivity_change.value, -1.0 / 3);
  EXPECT_DOUBLE_EQ(changes[1].auc_change.value, changes[1].second_auc_gap.value - changes[1].first_auc_gap.value);
  EXPECT_LT(changes[1].auc_change.value, 0);
  // Against itself, nothing changes in any resample.
  const std::vector<GapChange> same = gap_changes({{{three}, {0.5}}}, {{{three}, {0.5}}}, thirds, {});
  EXPECT_EQ(same[0].sensitivity_change.low, 0);
  EXPECT_EQ(same[0].auc_change.high, 0);
  // A side of several models is their mean.
  const std::vector<GapChange> mean =
      gap_changes({{{three}, {0.5}}}, {{{worse}, {0.5}}, {{three}, {0.5}}}, {thirds[0], thirds[2]}, {});
  EXPECT_DOUBLE_EQ(mean[1].second_sensitivity_gap.value, (-1 - 2.0 / 3) / 2);
  EXPECT_THROW(gap_changes({}, {{{three}, {0.5}}}, thirds, {}), Error);
}

// Two groups of one kind: the interval of the gap holds 0, and its half-width is 1.96 binomial standard errors.
TEST(Gaps, IntervalsArePairedAndAsWideAsTheySay) {
  RandomStream random(81);
  Finding finding{"mass", {}, {}};
  Group first{"a", {}}, second{"b", {}};
  for (int i = 0; i < 4000; ++i) {
    finding.labels.push_back(i % 2 == 0 ? 1.0f : 0.0f);
    finding.scores.push_back(random.chance(0.7) ? 0.9 : 0.1);
    (i % 4 < 2 ? first : second).rows.push_back(i);
  }
  BootstrapOptions options;
  options.resamples = 1500;
  const std::vector<GroupMetrics> groups = group_metrics({finding}, {0.5}, {first, second}, options);
  const Interval gap = groups[0].sensitivity_gap;
  EXPECT_LT(gap.low, 0);
  EXPECT_GT(gap.high, 0);
  const double expected = 2 * 1.96 * std::sqrt(2 * 0.7 * 0.3 / 1000);
  EXPECT_NEAR((gap.high - gap.low) / expected, 1, 0.1);
  EXPECT_DOUBLE_EQ(gap.low, -groups[1].sensitivity_gap.high);
}

}  // namespace
}  // namespace preceptor::test
