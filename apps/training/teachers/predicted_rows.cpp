// Pairing of images and labels, log-odds, and the rows of a batch.
#include "apps/training/teachers/predicted_rows.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string_view>
#include <unordered_map>

#include "apps/inference/card_and_data.h"
#include "apps/training/teachers/teachers.h"
#include "engine/files/check.h"
#include "engine/files/text.h"

namespace preceptor {
namespace {

constexpr double least_probability = 1e-6;

float logit_of(double probability, bool multi_label) {
  const double p = std::clamp(probability, least_probability, 1 - least_probability);
  return static_cast<float>(multi_label ? std::log(p / (1 - p)) : std::log(p));
}

// The table's row of each image; -1: there is none.
std::vector<std::ptrdiff_t> rows_of(const ProbabilityTable& table, const Split& split) {
  std::unordered_map<std::string_view, std::ptrdiff_t> row_of;
  for (std::size_t row = 0; row < table.ids.size(); ++row)
    row_of.emplace(table.ids[row], static_cast<std::ptrdiff_t>(row));
  std::vector<std::ptrdiff_t> rows;
  for (const std::string& id : split.ids) {
    const auto found = row_of.find(id);
    rows.push_back(found == row_of.end() ? -1 : found->second);
  }
  return rows;
}

class PredictedRows final : public Teacher {
 public:
  PredictedRows(Context& context, const ProbabilityTable& table, const Dataset& dataset, int batch, bool skip_missing,
                const Note& note)
      : Teacher({}), logits_(context.empty({batch, dataset.outputs}, Lifetime::persistent)) {
    const bool multi_label = dataset.task == Task::multi_label;
    pair_labels(table, dataset);
    const std::vector<std::ptrdiff_t> rows = rows_of(table, dataset.train);
    std::size_t first_missing = rows.size();
    for (std::size_t image = 0; image < rows.size(); ++image) {
      present_.push_back(rows[image] >= 0);
      if (!present_.back() && missing_++ == 0) first_missing = image;
      for (const int column : columns_) {
        const bool known = present_.back() && column >= 0;
        const auto at = static_cast<std::size_t>(known ? rows[image] : 0) * table.outputs();
        all_.push_back(known ? logit_of(table.probabilities[at + static_cast<std::size_t>(column)], multi_label)
                             : 0.0f);
      }
    }
    if (missing_ > 0) {
      const std::string which =
          message(table.source, ": ", missing_, " of ", rows.size(), " training images are not in it, the first is ",
                  dataset.train.ids[first_missing]);
      require_data(missing_ < dataset.train.count, which);
      require_data(skip_missing, which, "; with --teacher-missing skip they learn from their labels alone");
      note(which + "; they learn from their labels alone");
      marks_ = context.empty(multi_label ? Shape{batch, dataset.outputs} : Shape{batch}, Lifetime::persistent);
    }
    note_worth(table, dataset, note);
  }

  int missing() const { return missing_; }  // training images without a row

  void stage(const Batch& batch, std::int64_t, Staging& staging) override {
    const std::size_t outputs = columns_.size();
    const std::size_t marks = marks_.defined() ? marks_.shape().elements() / static_cast<std::size_t>(batch.size) : 0;
    staged_.clear();
    staged_marks_.clear();
    for (const std::int32_t image : batch.positions) {
      const auto row = all_.begin() + static_cast<std::ptrdiff_t>(outputs) * image;
      staged_.insert(staged_.end(), row, row + static_cast<std::ptrdiff_t>(outputs));
      const bool present = present_[static_cast<std::size_t>(image)];
      staged_marks_.insert(staged_marks_.end(), marks, present ? 0.0f : std::numeric_limits<float>::quiet_NaN());
    }
    staging.add(logits_.data(), staged_);
    if (marks > 0) staging.add(marks_.data(), staged_marks_);
  }

  // A missing row holds zeros; with the student's own logits added it agrees with the student, so that loss and
  // gradient are 0.
  Features features(const TeacherInput&, const Tensor& student) const override {
    if (!marks_.defined()) return {logits_, {}};
    return {add(logits_, label_logits(student, marks_, 0, 0)), {}};
  }

 private:
  void pair_labels(const ProbabilityTable& table, const Dataset& dataset) {
    if (table.label_names.empty()) {
      require_data(table.outputs() == dataset.label_names.size(), table.source, ": ", table.outputs(),
                   " columns without names, ", dataset.source, " has ", dataset.label_names.size(), " labels");
      columns_.resize(table.outputs());
      std::iota(columns_.begin(), columns_.end(), 0);
      taught_.assign(table.outputs(), true);
      return;
    }
    columns_ = match_labels(dataset.label_names, table.label_names);
    std::vector<std::string> missing;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      taught_.push_back(columns_[i] >= 0);
      if (!taught_[i]) missing.push_back(dataset.label_names[i]);
    }
    const bool whole = missing.empty() && table.label_names.size() == columns_.size();
    const bool any = std::find(taught_.begin(), taught_.end(), true) != taught_.end();
    require_data(dataset.task == Task::multi_label ? any : whole, table.source, ": its columns are not the ",
                 dataset.task == Task::multi_label ? "findings" : "classes", " of ", dataset.source, "; it lacks ",
                 missing.empty() ? "none, but has others" : list(missing));
  }

  void note_worth(const ProbabilityTable& table, const Dataset& dataset, const Note& note) const {
    for (const auto& [name, split] : {std::pair{"validation", &dataset.val}, std::pair{"training", &dataset.train}}) {
      const auto label_width = static_cast<std::size_t>(dataset.label_width());
      std::vector<float> probabilities, labels;
      const std::vector<std::ptrdiff_t> rows = rows_of(table, *split);
      for (std::size_t image = 0; image < rows.size(); ++image) {
        if (rows[image] < 0) continue;
        const auto at = static_cast<std::size_t>(rows[image]) * table.outputs();
        for (const int column : columns_)
          probabilities.push_back(
              column < 0 ? 0.0f : static_cast<float>(table.probabilities[at + static_cast<std::size_t>(column)]));
        for (std::size_t j = 0; j < label_width; ++j) {
          const bool known = label_width == 1 || taught_[j];
          labels.push_back(known ? split->labels[image * label_width + j] : std::numeric_limits<float>::quiet_NaN());
        }
      }
      if (labels.empty()) continue;
      const Evaluation worth =
          evaluate_scores(dataset.task, dataset.outputs, dataset.label_names, probabilities, labels, 0, 0);
      return note(worth_of_teacher(table.source, name, worth.auc_macro));
    }
  }

  std::vector<int> columns_;  // [outputs] of the table; -1: not there
  int missing_ = 0;
  std::vector<float> all_;     // [images, outputs] logits
  std::vector<bool> present_;  // [images]
  Tensor logits_;              // [batch, outputs]
  Tensor marks_;               // as labels: NaN where the image has no row, else 0; undefined if all have one
  std::vector<float> staged_, staged_marks_;
};

}  // namespace

std::unique_ptr<Teacher> teach_predictions(Context& context, const TrainingOptions& options, const Dataset& learned,
                                           const ProbabilityTable& table, const Note& note) {
  auto rows = std::make_unique<PredictedRows>(context, table, learned, std::min(options.batch, learned.train.count),
                                              options.teacher_missing == OnError::skip, note);
  for (const MethodSettings& settings : options.methods)
    require(rows->missing() == 0 || kind_of(settings).by_image || !kind_of(settings).needs_teacher, "--method ",
            settings.name, ": compares the images of a batch, and ", rows->missing(), " are not in ", table.source);
  return rows;
}

}  // namespace preceptor
