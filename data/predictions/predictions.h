// What a model said about every image of a split, beside what is true and known: the table that every evaluation reads.
#pragma once

#include <string>
#include <vector>

#include "data/dataset.h"
#include "data/metrics/metrics.h"
#include "data/metrics/subgroup.h"

namespace preceptor {

struct PredictionTable {
  std::string source;  // a file, or what it was computed from: names the table in errors
  Task task = Task::multi_class;
  std::vector<std::string> label_names;  // [outputs] findings or classes
  std::vector<std::string> ids;          // [rows] different from each other
  std::vector<float> labels;             // [rows] class, or [rows, outputs] 0, 1, NaN (unknown), as in Split
  std::vector<double> probabilities;     // [rows, outputs]
  std::vector<int> decisions = {};       // [rows] the class of each, where it is not simply the most probable

  std::vector<TextColumn> columns;  // patient, sex, age, view, site, or any other

  int rows() const { return static_cast<int>(ids.size()); }
  int outputs() const { return static_cast<int>(label_names.size()); }
  const TextColumn* find(const std::string& name) const;
};

// Findings of multi-label data; of classes each one against the rest, and for two classes the second alone.
std::vector<Finding> findings(const PredictionTable& table);

// Of classes the one that was decided for in each row: decisions, or the most probable.
std::vector<int> chosen_classes(const PredictionTable& table);
double accuracy_of(const PredictionTable& table);

// Numbers the values of a column in the order of their first rows; a row whose value is unknown is a unit of its own.
// Empty where there is no such column.
Units units_of(const PredictionTable& table, const std::string& column);

// "0-19", "20-39", "40-59", "60-79" or "80+" for ages in years, "058Y" and "58" alike; empty for text that is not an
// age from 0 to 150.
std::string age_group(const std::string& age);

// The rows by the values of a column ("age" in groups), or of several joined by '+' ("sex+age": intersections). Rows
// with an unknown value are in no group. Groups with fewer than `minimum` rows are left out; names are sorted. Errors:
// usage, if there is no such column.
std::vector<Group> groups_by(const PredictionTable& table, const std::string& columns, int minimum = 20);

// The summary that training writes, its interval over patients where the table knows them.
Evaluation evaluate(const PredictionTable& table, int resamples, std::uint64_t seed);

// The rows in another order or fewer of them.
PredictionTable select_rows(const PredictionTable& table, const std::vector<int>& rows);

// CSV with a header: `id`, the columns known, then for multi-label data `label:NAME` (0, 1, empty: unknown) and
// `probability:NAME` per finding, else `label` (the class's index), `decision` (likewise, where the table has them) and
// `probability:NAME` per class.
// Numbers read back to the same bits. The file appears whole or not at all. Errors: io.
void write_predictions(const std::string& path, const PredictionTable& table);
// Classes come back as multi_class: the file does not know of an order. Errors: missing_input; data with file,
// line, column and reason: missing or repeated columns and ids, text where numbers belong, probabilities that are not
// from 0 to 1 or, of classes, do not add up to 1 within 0.001, labels that are none.
PredictionTable read_predictions(const std::string& path);

// Probabilities alone, as other programs write them: the first column names the image, every other one a finding, with
// or without the prefix "prob_" or "probability:". `labels_path` holds the truth about at least these images, by the
// names in its first column: either "Finding Labels", names joined by '|' (ChestX-ray14's Data_Entry file), or a column
// of 0, 1 or nothing per finding. Its columns for patient, age, sex and view come along, under our names. Findings
// that only the labels know are left out, images too. Errors: as above, and data for an image or finding without truth.
PredictionTable read_plain_predictions(const std::string& path, const std::string& labels_path);

// Probabilities of images without the truth about them.
struct ProbabilityTable {
  std::string source;                    // the file
  std::vector<std::string> label_names;  // [outputs]; empty: the file does not name its columns
  std::vector<std::string> ids;          // [rows] different from each other
  std::vector<double> probabilities;     // [rows, outputs]

  std::size_t outputs() const { return ids.empty() ? 0 : probabilities.size() / ids.size(); }
};

// Either kind of table: images are named in the column `id`, else in the first; findings or classes are the columns
// with the prefix "probability:" or "prob_", else all others. Or an .npz file, by its name: those of the arrays
// train_teacher_probs, val_teacher_probs and test_teacher_probs [images, outputs] that are there, of the images of a
// MedMNIST file's parts in their order. Errors: missing_input; data with file, line, column (array, element) and
// reason.
ProbabilityTable read_probabilities(const std::string& path);

}  // namespace preceptor
