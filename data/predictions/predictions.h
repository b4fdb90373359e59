// Predictions of a model for every image of a split with labels and texts: the table that every evaluation reads.
#pragma once

#include <string>
#include <vector>

#include "data/dataset.h"
#include "data/metrics/metrics.h"
#include "data/metrics/subgroup.h"

namespace preceptor {

struct PredictionTable {
  std::string source;  // a file or the source of the computation: names the table in errors
  Task task = Task::multi_class;
  std::vector<std::string> label_names;  // [outputs] findings or classes
  std::vector<std::string> ids;          // [rows] distinct
  std::vector<float> labels;             // [rows] class, or [rows, outputs] 0, 1, NaN (unknown), as in Split
  std::vector<double> probabilities;     // [rows, outputs]
  std::vector<int> decisions = {};       // [rows] predicted classes, unless they are the most probable ones
  std::vector<TextColumn> columns;       // patient, sex, age, view, site, or any other

  int rows() const { return static_cast<int>(ids.size()); }
  int outputs() const { return static_cast<int>(label_names.size()); }
  const TextColumn* find(const std::string& name) const;
};

// The findings of multi-label data; for classes, each against the rest, for two classes the second alone.
std::vector<Finding> findings(const PredictionTable& table);

// The predicted class of each row: decisions, or the most probable.
std::vector<int> chosen_classes(const PredictionTable& table);
double accuracy_of(const PredictionTable& table);

// numbered_values of a column; empty if there is no such column.
Clusters clusters_of(const PredictionTable& table, const std::string& column);

// "0-19", "20-39", "40-59", "60-79" or "80+" for ages in years, "058Y" and "58" alike; empty for text that is not an
// age from 0 to 150.
std::string age_group(const std::string& age);

// The rows by the values of a column ("age" in groups), or of several joined by '+' ("sex+age": intersections). Rows
// with an unknown value are in no group. Groups with fewer than `minimum` rows are left out; names are sorted. Errors:
// usage, if there is no such column.
std::vector<Group> groups_by(const PredictionTable& table, const std::string& columns, int minimum = 20);

// The summary that training writes, with an interval over patients if the table knows them.
Evaluation evaluate(const PredictionTable& table, int resamples, std::uint64_t seed);

// These rows, in this order.
PredictionTable select_rows(const PredictionTable& table, const std::vector<int>& rows);

// CSV with a header: `id`, the known columns, then for multi-label data `label:NAME` (0, 1, empty: unknown) and
// `probability:NAME` per finding, else `label` (the class index), `decision` (likewise, if the table has them) and
// `probability:NAME` per class. Numbers read back to the same bits. The file is written completely or not at all.
// Errors: io.
void write_predictions(const std::string& path, const PredictionTable& table);
// Classes come back as multi_class: the file has no order. Errors: missing_input; data with file, line, column and
// reason: missing or repeated columns and ids, text in place of numbers, probabilities outside 0 to 1 or, for classes,
// with a sum that differs from 1 by more than 0.001, invalid labels.
PredictionTable read_predictions(const std::string& path);

// Probabilities alone, as other programs write them: the first column names the image, every other one a finding, with
// or without the prefix "prob_" or "probability:". `labels_path` holds the labels of at least these images, by the
// names in its first column: either "Finding Labels", names joined by '|' (ChestX-ray14's Data_Entry file), or one
// column of 0, 1 or nothing per finding. Its columns for patient, age, sex and view are kept under our names. Findings
// and images that only the labels know are left out. Errors: as above, and data for an image or finding without labels.
PredictionTable read_plain_predictions(const std::string& path, const std::string& labels_path);

// Probabilities of images without labels.
struct ProbabilityTable {
  std::string source;                    // the file
  std::vector<std::string> label_names;  // [outputs]; empty if the file does not name its columns
  std::vector<std::string> ids;          // [rows] distinct
  std::vector<double> probabilities;     // [rows, outputs]

  std::size_t outputs() const { return ids.empty() ? 0 : probabilities.size() / ids.size(); }
};

// Reads either kind of table: images are named in the column `id`, else in the first; findings or classes are the
// columns with the prefix "probability:" or "prob_", else all others. A file named .npz holds some of the arrays
// train_teacher_probs, val_teacher_probs and test_teacher_probs [images, outputs], for the images of a MedMNIST file's
// parts in their order. Errors: missing_input; data with file, line, column (array, element) and reason.
ProbabilityTable read_probabilities(const std::string& path);

}  // namespace preceptor
