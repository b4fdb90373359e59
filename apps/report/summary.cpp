// Sentences that follow from the numbers.
#include <algorithm>
#include <cmath>

#include "apps/report/report.h"
#include "apps/report/text.h"
#include "engine/files/check.h"

namespace preceptor {
namespace {

// "higher for a +0.1 [...]; not shown to differ for b ..."
std::string difference_clauses(const Report& report, const Difference* (Comparison::*difference)(std::size_t) const) {
  std::vector<std::string> higher, lower, open;
  for (std::size_t i = 1; i < report.arms.size(); ++i) {
    const Difference* d = (report.comparison.*difference)(i);
    if (d == nullptr) continue;
    const std::string part = message(lower_start(report.arms[i].name), " (", fixed(d->interval.value, 3, true), ", ",
                                     bounds(d->interval, true), ", ", p_words(d->p_holm), ")");
    (d->p_holm < 0.05 && d->interval.value > 0 ? higher : d->p_holm < 0.05 ? lower : open).push_back(part);
  }
  std::vector<std::string> clauses;
  if (!higher.empty()) clauses.push_back("higher for " + listed(higher));
  if (!lower.empty()) clauses.push_back("lower for " + listed(lower));
  if (!open.empty()) clauses.push_back("not shown to differ for " + listed(open));
  std::string text;
  for (std::size_t i = 0; i < clauses.size(); ++i) text += (i == 0 ? "" : "; ") + clauses[i];
  return text;
}

std::string comparison_text(const Report& report) {
  const std::string base = "\"" + report.arms.front().name + "\"";
  std::string text;
  const std::string seeds = difference_clauses(report, &Comparison::over_seeds);
  if (!seeds.empty()) text += message("Compared with ", base, " and paired by seed, the AUC is ", seeds, ". ");
  const std::string images = difference_clauses(report, &Comparison::by_image);
  if (!images.empty())
    text += message(seeds.empty() ? "Compared with " + base + " on" : "On", " the same ",
                    grouped(report.arms.front().runs.front().source.table.rows()), " test images (DeLong's paired test",
                    seeds.empty() ? "" : " of the means over seeds", "), it is ", images, ". ");
  const std::vector<std::optional<ArmDifference>>& differences = report.comparison.differences;
  if (std::any_of(differences.begin() + 1, differences.end(), [](const auto& one) { return !one; }))
    text +=
        "Runs that saw other test images, or these with other labels, are shown beside the others but not tested "
        "against them. ";
  if (report.arms.size() > 2) text += "All p values are Holm's, for as many comparisons as there are. ";
  return text + (seeds.empty() ? "With one run each, nothing here says how much training itself varies: repeat with "
                                 "other seeds before believing a difference."
                               : "Intervals over seeds tell how much training varies on this one training set, not how "
                                 "another one would do.");
}

std::string label_text(const Assessment& run) {
  const LabelAssessment *best = nullptr, *worst = nullptr;
  std::vector<std::string> chance, unknown;
  for (const LabelAssessment& label : run.labels) {
    if (std::isnan(label.auc.value)) {
      unknown.push_back(label.name);
      continue;
    }
    if (best == nullptr || label.auc.value > best->auc.value) best = &label;
    if (worst == nullptr || label.auc.value < worst->auc.value) worst = &label;
    if (label.auc.low <= 0.5) chance.push_back(label.name);
  }
  std::string text;
  if (best != nullptr && best != worst)
    text += message("It does best on ", best->name, " (", fixed(best->auc.value, 3), ", ", bounds(best->auc),
                    ") and worst on ", worst->name, " (", fixed(worst->auc.value, 3), ", ", bounds(worst->auc), "). ");
  if (!chance.empty())
    text += message("Not shown to be better than chance, because the interval reaches 0.5: ", listed(chance), ". ");
  if (!unknown.empty())
    text += message("Left out, because the test images show one class only: ", listed(unknown), ". ");
  return text;
}

std::string generalisation_text(const EvaluatedRun& run, const Assessment& assessment) {
  const EpochRow& best = run.best();
  std::string text = message("Epoch ", run.best_epoch, " of ", run.epochs.size(), " was chosen by validation AUC (",
                             fixed(best.val_auc, 3), "); training AUC was then ", fixed(best.train_auc, 3), ", ",
                             fixed(std::abs(best.train_auc - best.val_auc), 3),
                             best.train_auc >= best.val_auc ? " above" : " below", " validation. ");
  const double before = assessment.calibration.pooled, after = assessment.calibrated->pooled;
  return text + message("Probabilities are off by ", fixed(100 * before, 1),
                        " percentage points on average (expected calibration error); scaling fitted on validation ",
                        after < before ? "brings that to " : "does not help: it gives ", fixed(100 * after, 1), ".");
}

}  // namespace

std::string summary_text(const Report& report) {
  const Arm& base = report.arms.front();
  const ArmScore& score = report.comparison.arms.front();
  const Assessment& first = report.assessments.front();
  const std::string images = counted(base.runs.front().source.table.rows(), "test image");
  const char* unit = first.patients > 0 ? " over patients" : " over images";
  const std::string network = base.runs.front().card.network.name;
  const std::string who = report.arms.size() == 1 ? network : message("\"", base.name, "\" (", network, ")");
  const std::string over = base.runs.size() == 1 ? unit : message(" over ", base.runs.size(), " seeds");
  std::string text =
      message("On ", images, " ", who, " reaches a mean AUC of ",
              with_bounds(base.runs.size() == 1 ? score.over_images : score.over_seeds, "95 % interval ", over), ". ");
  if (report.arms.size() == 1)
    text += label_text(first) + "\n" + generalisation_text(base.runs.front(), first);
  else
    text += "\n" + comparison_text(report);
  std::vector<std::string> references;
  for (const Reference& reference : report.references)
    references.push_back(message("the ", lower_start(reference.name), " scores ", fixed(reference.auc.value, 3), " (",
                                 bounds(reference.auc), ")"));
  if (!references.empty())
    text += message("\nNot adapted to these data, ", listed(references), " on the same test images.");
  return text;
}

}  // namespace preceptor
