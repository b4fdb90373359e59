// The report of one run or several: one HTML file that needs nothing else, and a model card in Markdown.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "apps/evaluation/assessment.h"
#include "apps/evaluation/comparison.h"
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
  std::string title, lead;              // empty: made from the runs
  std::vector<Arm> arms;                // at least one; the others are compared with the first
  std::vector<Assessment> assessments;  // [arms] of their first runs
  Comparison comparison;
  std::vector<Reference> references;
  std::vector<PictureSection> pictures;
  std::vector<std::pair<std::string, std::string>> settings;  // how it was made, name and value; may be empty
};

struct ReportNumbers {
  int resamples = 1000;  // for every bootstrap interval and band; 0: none
  std::uint64_t seed = 0;
  int threads = 0;
  ThresholdRule rule;  // of operating points, fitted on validation
};
// Assesses the arms' first runs and compares the arms.
void add_numbers(Report& report, const ReportNumbers& options);

// What the numbers show and what they do not, in sentences; paragraphs are divided by newlines.
std::string summary_text(const Report& report);

std::string render_html(const Report& report);
std::string render_markdown(const Report& report);

// The class of an arm's color.
std::string arm_style(const Report& report, std::size_t arm);

// What stands in the title, or what the runs say.
std::string title_of(const Report& report);

}  // namespace preceptor
