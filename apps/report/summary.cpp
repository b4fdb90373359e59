// Arms compared, and sentences that follow from the numbers.
#include <algorithm>
#include <cmath>

#include "apps/report/report.h"
#include "apps/report/text.h"
#include "engine/files/check.h"

namespace preceptor {
namespace {

ArmScore score_of(const Report& report, std::size_t arm) {
  std::vector<AucEstimate> estimates;
  for (const RunAnalysis& run : report.analyses[arm]) estimates.push_back(run.macro);
  return score_of(report.arms[arm].runs, estimates);
}

bool same_images(const PredictionTable& a, const PredictionTable& b) {
  const auto same_label = [](float x, float y) { return x == y || (std::isnan(x) && std::isnan(y)); };
  return a.ids == b.ids && a.label_names == b.label_names &&
         std::equal(a.labels.begin(), a.labels.end(), b.labels.begin(), b.labels.end(), same_label);
}

std::string p_text(double p) { return p < 0.001 ? "p < 0.001" : "p = " + fixed(p, 3); }

std::string value_with(const Interval& interval, const std::string& kind) {
  const std::string range = bounds(interval.low, interval.high);
  return fixed(interval.value, 3) + (range.empty() ? "" : message(" (95 % interval ", range, kind, ")"));
}

// "higher for a +0.1 [...]; not shown to differ for b ..."
std::string difference_clauses(const Report& report, const std::vector<ArmSummary>& arms,
                               std::optional<Difference> ArmSummary::*difference) {
  std::vector<std::string> higher, lower, open;
  for (std::size_t i = 1; i < arms.size(); ++i) {
    if (!(arms[i].*difference)) continue;
    const Difference& d = *(arms[i].*difference);
    const std::string part = message(lower_start(report.arms[i].name), " (", fixed(d.interval.value, 3, true), ", ",
                                     bounds(d.interval.low, d.interval.high, true), ", ", p_text(d.p_holm), ")");
    (d.p_holm < 0.05 && d.interval.value > 0 ? higher : d.p_holm < 0.05 ? lower : open).push_back(part);
  }
  std::vector<std::string> clauses;
  if (!higher.empty()) clauses.push_back("higher for " + listed(higher));
  if (!lower.empty()) clauses.push_back("lower for " + listed(lower));
  if (!open.empty()) clauses.push_back("not shown to differ for " + listed(open));
  std::string text;
  for (std::size_t i = 0; i < clauses.size(); ++i) text += (i == 0 ? "" : "; ") + clauses[i];
  return text;
}

std::string comparison_text(const Report& report, const std::vector<ArmSummary>& arms) {
  const std::string base = "\"" + report.arms.front().name + "\"";
  std::string text;
  const std::string seeds = difference_clauses(report, arms, &ArmSummary::over_seeds);
  if (!seeds.empty()) text += message("Compared with ", base, " and paired by seed, the AUC is ", seeds, ". ");
  const std::string images = difference_clauses(report, arms, &ArmSummary::over_images);
  if (!images.empty())
    text += message(seeds.empty() ? "Compared with " + base + " on" : "On", " the same ",
                    grouped(report.arms.front().runs.front().test.rows()), " test images (DeLong's paired test",
                    seeds.empty() ? "" : " of the means over seeds", "), it is ", images, ". ");
  const auto paired = [](const ArmSummary& arm) { return arm.over_seeds || arm.over_images; };
  if (!std::all_of(arms.begin() + 1, arms.end(), paired))
    text +=
        "Runs that saw other test images, or these with other labels, are shown beside the others but not tested "
        "against them. ";
  if (arms.size() > 2) text += "All p values are Holm's, for as many comparisons as there are. ";
  if (seeds.empty())
    text +=
        "With one run each, nothing here says how much training itself varies: repeat with other seeds before "
        "believing a difference.";
  else
    text +=
        "Intervals over seeds tell how much training varies on this one training set, not how another one would "
        "do.";
  return text;
}

std::string label_text(const RunAnalysis& run) {
  const LabelAnalysis *best = nullptr, *worst = nullptr;
  std::vector<std::string> chance, undefined;
  for (const LabelAnalysis& label : run.labels) {
    if (std::isnan(label.auc.value)) {
      undefined.push_back(label.name);
      continue;
    }
    if (best == nullptr || label.auc.value > best->auc.value) best = &label;
    if (worst == nullptr || label.auc.value < worst->auc.value) worst = &label;
    if (label.auc.low <= 0.5) chance.push_back(label.name);
  }
  std::string text;
  if (best != nullptr && best != worst)
    text += message("It does best on ", best->name, " (", fixed(best->auc.value, 3), ", ",
                    bounds(best->auc.low, best->auc.high), ") and worst on ", worst->name, " (",
                    fixed(worst->auc.value, 3), ", ", bounds(worst->auc.low, worst->auc.high), "). ");
  if (!chance.empty())
    text += message("Not shown to be better than chance, because the interval reaches 0.5: ", listed(chance), ". ");
  if (!undefined.empty())
    text += message("Left out, because the test images show one class only: ", listed(undefined), ". ");
  return text;
}

std::string generalisation_text(const RunRecord& run, const RunAnalysis& analysis) {
  const EpochRow& best = run.best();
  std::string text = message("Epoch ", run.best_epoch, " of ", run.epochs.size(), " was chosen by validation AUC (",
                             fixed(best.val_auc, 3), "); training AUC was then ", fixed(best.train_auc, 3), ", ",
                             fixed(std::abs(best.train_auc - best.val_auc), 3),
                             best.train_auc >= best.val_auc ? " above" : " below", " validation. ");
  const double before = expected_calibration_error(analysis.reliability),
               after = expected_calibration_error(analysis.reliability_after);
  return text + message("Probabilities are off by ", fixed(100 * before, 1),
                        " percentage points on average (expected calibration error); scaling fitted on validation ",
                        after < before ? "brings that to " : "does not help: it gives ", fixed(100 * after, 1), ".");
}

Decider decider(const RunAnalysis& run) {
  Decider decider{run.findings, {}};
  for (const LabelAnalysis& label : run.labels) decider.thresholds.push_back(label.threshold);
  return decider;
}

std::vector<std::pair<std::string, std::vector<GapChange>>> gap_changes_of(const Report& report, std::size_t arm,
                                                                           const AnalysisOptions& options) {
  std::vector<std::pair<std::string, std::vector<GapChange>>> changes;
  const RunAnalysis &base = report.analyses.front().front(), &other = report.analyses[arm].front();
  const PredictionTable& table = report.arms.front().runs.front().test;
  for (const auto& [column, groups] : base.subgroups)
    changes.push_back({column, gap_changes({decider(base)}, {decider(other)}, groups_by(table, column),
                                           {.resamples = options.resamples,
                                            .seed = options.seed,
                                            .units = units_of(table, "patient"),
                                            .strata = {},
                                            .threads = options.threads})});
  return changes;
}

}  // namespace

void analyze(Report& report, const AnalysisOptions& options) {
  report.analyses.clear();
  for (const RunArm& arm : report.arms) {
    report.analyses.emplace_back();
    for (const RunRecord& run : arm.runs) {
      AnalysisOptions chosen = options;
      if (!report.analyses.back().empty()) chosen.resamples = 0;
      report.analyses.back().push_back(analyze(run.validation, run.test, chosen));
    }
  }
  report.gap_changes.assign(report.arms.size(), {});
  for (std::size_t i = 1; i < report.arms.size(); ++i)
    if (same_images(report.arms[i].runs.front().test, report.arms.front().runs.front().test))
      report.gap_changes[i] = gap_changes_of(report, i, options);
}

std::vector<ArmSummary> summarize(const Report& report) {
  std::vector<ArmSummary> all(report.arms.size());
  const PredictionTable& base_table = report.arms.front().runs.front().test;
  const ArmScore base = score_of(report, 0);
  const Units patients = units_of(base_table, "patient");
  std::vector<Difference*> seeds, images;
  for (std::size_t i = 0; i < report.arms.size(); ++i) {
    const RunArm& arm = report.arms[i];
    const PredictionTable& table = arm.runs.front().test;
    ArmSummary& summary = all[i];
    const ArmScore score = score_of(report, i);
    summary.auc = t_interval(score.aucs);
    summary.auc_images = auc_interval(score.mean, units_of(table, "patient"));
    const auto count = static_cast<double>(arm.runs.size());
    for (const RunAnalysis& run : report.analyses[i])
      summary.average_precision += run.macro_average_precision.value / count;
    for (const RunRecord& run : arm.runs) {
      summary.gap += (run.best().train_auc - run.best().val_auc) / count;
      summary.seconds += run.seconds / count;
    }
    if (i == 0 || !same_images(table, base_table)) continue;
    images.push_back(&summary.over_images.emplace(compare_aucs(score.mean, base.mean, patients)));
    summary.over_seeds = compare_by_seed(score, base);
    if (summary.over_seeds) seeds.push_back(&*summary.over_seeds);
  }
  adjust(seeds);
  adjust(images);
  return all;
}

std::string summary_text(const Report& report) {
  const std::vector<ArmSummary> arms = summarize(report);
  const RunArm& base = report.arms.front();
  const RunAnalysis& first = report.analyses.front().front();
  const std::string images = counted(base.runs.front().test.rows(), "test image");
  const char* unit = first.by_patient ? " over patients" : " over images";
  const std::string network = base.runs.front().card.network.name;
  const std::string who = report.arms.size() == 1 ? network : message("\"", base.name, "\" (", network, ")");
  const std::string over = base.runs.size() == 1 ? unit : message(" over ", base.runs.size(), " seeds");
  std::string text =
      message("On ", images, " ", who, " reaches a mean AUC of ",
              value_with(base.runs.size() == 1 ? arms.front().auc_images : arms.front().auc, over), ". ");
  if (report.arms.size() == 1)
    text += label_text(first) + "\n" + generalisation_text(base.runs.front(), first);
  else
    text += "\n" + comparison_text(report, arms);
  std::vector<std::string> references;
  for (const Reference& reference : report.references)
    references.push_back(message("the ", lower_start(reference.name), " scores ", fixed(reference.auc.value, 3), " (",
                                 bounds(reference.auc.low, reference.auc.high), ")"));
  if (!references.empty())
    text += message("\nNot adapted to these data, ", listed(references), " on the same test images.");
  return text;
}

}  // namespace preceptor
