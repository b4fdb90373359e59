// Grades as questions and back: by hand, and refusals.
#include "data/predictions/grades.h"

#include <cmath>

#include "npz_writer.h"

namespace preceptor::test {
namespace {

TEST(Grades, BecomeTargetsAndComeBack) {
  const std::vector<float> labels = {0, 1, 2, 3}, targets = cumulative_targets(labels, 4);
  EXPECT_EQ(targets, (std::vector<float>{0, 0, 0, 1, 0, 0, 1, 1, 0, 1, 1, 1}));
  EXPECT_EQ(grades_from_targets(targets, 4), labels);
  for (const float target : cumulative_targets({std::nanf("")}, 3)) EXPECT_TRUE(std::isnan(target));
  EXPECT_TRUE(std::isnan(grades_from_targets({std::nanf(""), 0}, 3).at(0)));
  EXPECT_EQ(cumulative_names({"none", "mild", "severe"}), (std::vector<std::string>{"above none", "above mild"}));
}

// Above grade k with the probability of all grades behind it.
TEST(Grades, AreThoseThatMoreThanHalfIsAbove) {
  EXPECT_EQ(median_grades({0.6, 0.3, 0.1, 0.4, 0.2, 0.4, 0.1, 0.3, 0.6, 0.5, 0.25, 0.25}, 3),
            (std::vector<int>{0, 1, 2, 0}));
  EXPECT_EQ(median_grades({0, 0, 1}, 3), std::vector<int>{2});
  EXPECT_THROW(median_grades({0.5}, 3), Error);
}

TEST(Grades, OfADatasetKeepAllButTheLabels) {
  const Dataset fundus = open_dataset("phantom:fundus?n=12&val=6&test=5&size=16");
  const Dataset above = cumulative_grades(fundus);
  EXPECT_EQ(above.task, Task::multi_label);
  EXPECT_EQ(above.outputs, fundus.outputs - 1);
  EXPECT_EQ(above.label_names.size(), static_cast<std::size_t>(above.outputs));
  EXPECT_EQ(above.train.ids, fundus.train.ids);
  for (const auto& [asked, graded] : {std::pair{&above.train, &fundus.train}, std::pair{&above.val, &fundus.val},
                                      std::pair{&above.test, &fundus.test}})
    EXPECT_EQ(grades_from_targets(asked->labels, fundus.outputs), graded->labels);
  expect_error([] { cumulative_grades(open_dataset("phantom:chest?n=4&val=4&test=4&size=16")); }, ErrorKind::usage,
               {"--ordinal", "independent labels"});
  Dataset two = fundus;
  two.outputs = 2;
  expect_error([&] { cumulative_grades(two); }, ErrorKind::usage, {"--ordinal", "two classes"});
}

}  // namespace
}  // namespace preceptor::test
