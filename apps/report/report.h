// The report of one run or several: one HTML file that needs nothing else, and a model card in Markdown.
#pragma once

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

// Assesses the arms' first runs and compares the arms. Chooses the subgroups itself.
void add_numbers(Report& report, const EvaluationOptions& options);

// The conclusions that the numbers allow, in sentences; paragraphs are divided by newlines.
std::string summary_text(const Report& report);

std::string render_html(const Report& report);
std::string render_markdown(const Report& report);

// Opens the data that the first run was trained on. Errors: those of open_dataset; data, where they have not the test
// images of the run's predictions.
Dataset open_data_of(const Report& report);

// Grad-CAM over test images: a section with, for up to `most` labels, one arm: the positive test image with the highest
// and the one with the lowest probability, each beside its map; several arms: the positive image on which the arms'
// first runs disagree most, with the map of each that sees images of this size. Errors: data, missing_input.
PictureSection explained_images(const Report& report, const Dataset& data, Context& context, int most);

// The class of an arm's color.
std::string arm_style(const Report& report, std::size_t arm);

// The given title, or one made from the runs.
std::string title_of(const Report& report);

}  // namespace preceptor
