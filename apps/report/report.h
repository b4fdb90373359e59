// The report of one run or several: one HTML file that needs nothing else, and a model card in Markdown.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "apps/report/analysis.h"
#include "apps/runs/run_record.h"
#include "data/images/image.h"

namespace preceptor {

// A network that was not trained on these data, for orientation: its macro AUC on the same test images.
struct Reference {
  std::string name, note;
  Interval auc;
  double seconds = 0;  // of its training
};

// Images in a row, each at two sizes where `large` is not empty.
struct PictureRow {
  struct Picture {
    std::string caption;
    Image image, large;
  };
  std::string title;
  std::vector<Picture> pictures;
};

struct PictureSection {
  std::string id, heading, note;  // note: HTML
  std::vector<PictureRow> rows;
};

struct Report {
  std::string title, lead;                         // empty: made from the runs
  std::vector<RunArm> arms;                        // at least one; the others are compared with the first
  std::vector<std::vector<RunAnalysis>> analyses;  // [arms][runs]
  // [arms], by column: subgroup gaps of an arm beside the first one's, both over their first runs; empty where they saw
  // other test images.
  std::vector<std::vector<std::pair<std::string, std::vector<GapChange>>>> gap_changes = {};
  std::vector<Reference> references;
  std::vector<PictureSection> pictures;
  std::vector<std::pair<std::string, std::string>> settings;  // how it was made, name and value; may be empty
};

// Analyses every run: the first of each arm with intervals and bands, the others' AUCs alone.
void analyze(Report& report, const AnalysisOptions& options);

// One arm in numbers, as preceptor-compare has them. The interval of `auc` is Student's over seeds (NaN bounds for
// one), that of `auc_images` DeLong's over the test images, of the mean over the arm's runs.
struct ArmSummary {
  Interval auc, auc_images;
  double average_precision = 0;  // macro, mean over runs
  double gap = 0;                // training minus validation AUC at the chosen epoch, mean over runs
  double seconds = 0;            // mean of a run
  // Against the first arm, where both saw the same test images: macro AUC paired by seed (compare_by_seed) and by image
  // (DeLong). p_holm is over the arms.
  std::optional<Difference> over_seeds, over_images;
};
std::vector<ArmSummary> summarize(const Report& report);

// What the numbers show and what they do not, in sentences; paragraphs are divided by newlines.
std::string summary_text(const Report& report);

std::string render_html(const Report& report);
std::string render_model_card(const Report& report);

// The class of an arm's color.
std::string arm_style(const Report& report, std::size_t arm);

// What stands in the title, or what the runs say.
std::string title_of(const Report& report);

}  // namespace preceptor
