// Intervals over seeds, and sentences that follow from them.
#include "apps/studies/comparison.h"

#include <cctype>
#include <cmath>
#include <cstdio>

#include "engine/check.h"

namespace preceptor {
namespace {

std::vector<double> test_aucs(const Arm& arm) {
  std::vector<double> values;
  for (const TrainingResult& run : arm.runs) values.push_back(run.test.auc_macro);
  return values;
}

// "A", "A and B", "A, B and C".
std::string listed(const std::vector<std::string>& parts) {
  std::string text;
  for (std::size_t i = 0; i < parts.size(); ++i)
    text += (i == 0 ? "" : i + 1 == parts.size() ? " and " : ", ") + parts[i];
  return text;
}

// A name within a sentence.
std::string lower_start(std::string name) {
  if (!name.empty()) name[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(name[0])));
  return name;
}

std::string signed_interval(const Interval& interval) {
  return message(fixed(interval.value, 3, true), " [", fixed(interval.low, 3, true), ", ",
                 fixed(interval.high, 3, true), "]");
}

// What the paired differences over seeds show, by direction.
std::string difference_sentences(const Comparison& comparison) {
  std::vector<std::string> higher, lower, open;
  for (std::size_t i = 1; i < comparison.arms.size(); ++i) {
    const Interval difference = *summarize(comparison, i).difference;
    const std::string part = message(lower_start(comparison.arms[i].name), " ", signed_interval(difference));
    (difference.low > 0 ? higher : difference.high < 0 ? lower : open).push_back(part);
  }
  std::string text = "Against that, paired by seed and with 95 % intervals over seeds, the AUC is ";
  std::vector<std::string> clauses;
  if (!higher.empty()) clauses.push_back("higher for " + listed(higher));
  if (!lower.empty()) clauses.push_back("lower for " + listed(lower));
  if (!open.empty())
    clauses.push_back("not shown to differ for " + listed(open) +
                      (open.size() == 1 ? " (the interval includes zero)" : " (the intervals include zero)"));
  for (std::size_t i = 0; i < clauses.size(); ++i) text += (i == 0 ? "" : "; ") + clauses[i];
  return text + ". ";
}

// Whether the test images alone could explain what was seen.
std::string overlap_sentence(const Comparison& comparison) {
  const ArmSummary base = summarize(comparison, 0);
  const std::string base_name = lower_start(comparison.arms.front().name);
  std::vector<std::string> apart, overlapping;
  for (std::size_t i = 1; i < comparison.arms.size(); ++i) {
    const ArmSummary arm = summarize(comparison, i);
    const bool overlap = arm.bootstrap_low <= base.bootstrap_high && base.bootstrap_low <= arm.bootstrap_high;
    (overlap ? overlapping : apart).push_back(lower_start(comparison.arms[i].name));
  }
  std::string text = message("The bootstrap intervals over the ", comparison.test_images, " test images (first seed) ");
  if (!overlapping.empty()) text += "overlap with the one of \"" + base_name + "\" for " + listed(overlapping);
  if (!overlapping.empty() && !apart.empty()) text += " and ";
  if (!apart.empty())
    text += message("do not overlap with ", overlapping.empty() ? "the one of \"" + base_name + "\"" : "it", " for ",
                    listed(apart));
  return text + ". ";
}

}  // namespace

std::string fixed(double value, int decimals, bool sign) {
  if (std::isnan(value)) return "n/a";
  char text[64];
  std::snprintf(text, sizeof text, sign ? "%+.*f" : "%.*f", decimals, value);
  return text;
}

ArmSummary summarize(const Comparison& comparison, std::size_t index) {
  const Arm& arm = comparison.arms[index];
  ArmSummary summary;
  summary.auc = t_interval(test_aucs(arm));
  summary.bootstrap_low = arm.runs.front().test.auc_low;
  summary.bootstrap_high = arm.runs.front().test.auc_high;
  const auto runs = static_cast<double>(arm.runs.size());
  for (const TrainingResult& run : arm.runs) {
    const EpochRow& best = run.epochs.at(static_cast<std::size_t>(run.best_epoch - 1));
    summary.gap += (best.train_auc - best.val_auc) / runs;
    summary.seconds += run.seconds / runs;
  }
  if (index == 0) return summary;
  std::vector<double> differences = test_aucs(arm);
  const std::vector<double> base = test_aucs(comparison.arms.front());
  for (std::size_t seed = 0; seed < differences.size(); ++seed) differences[seed] -= base[seed];
  summary.difference = t_interval(differences);
  return summary;
}

std::string conclusion(const Comparison& comparison) {
  const Arm& base = comparison.arms.front();
  const std::size_t seeds = base.runs.size();
  std::string text = message(base.name, ", the student reaches a test AUC of ",
                             fixed(summarize(comparison, 0).auc.value, 3), seeds == 1 ? " with one seed. " : "");
  if (seeds > 1) {
    text += message(" (mean of ", seeds, " seeds). ") + difference_sentences(comparison);
  } else {
    std::vector<std::string> parts;
    for (std::size_t i = 1; i < comparison.arms.size(); ++i)
      parts.push_back(lower_start(comparison.arms[i].name) + " " +
                      fixed(summarize(comparison, i).difference->value, 3, true));
    text += "Differences from it: " + listed(parts) +
            "; a single seed gives no interval over seeds, so these differences show nothing yet. ";
  }
  text += overlap_sentence(comparison);
  std::vector<std::string> references;
  for (const Reference& reference : comparison.references)
    references.push_back(message("the ", lower_start(reference.name), " scores ", fixed(reference.test.auc_macro, 3),
                                 " [", fixed(reference.test.auc_low, 3), ", ", fixed(reference.test.auc_high, 3), "]"));
  if (!references.empty())
    text += message("Not adapted to the target, ", listed(references), " on the same test images. ");
  if (seeds > 1)
    text += message("Intervals over seeds tell how much training varies on this one sample, not how another sample ",
                    "would do; they are not widened for ", comparison.arms.size() - 1, " comparisons.");
  return text;
}

}  // namespace preceptor
