// Progress of a training run: the numbers of an epoch, as metrics.csv and events.jsonl hold them, and what the library
// reports and the apps print.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace preceptor {

// One of the numbers that only runs with methods have.
struct Meter {
  std::string name;  // "gradient_share/kd": of its column, and in TensorBoard
  double value = 0;  // NaN: not measured in this epoch
};

struct EpochRow {
  int epoch = 0;  // from 1
  double learning_rate = 0;
  double train_loss = 0;     // total, mean over the epoch's images
  double label_loss = 0;     // of the labels alone, so that arms are comparable
  double transfer_loss = 0;  // sum of the transfer terms; 0 without a teacher
  double train_auc = 0;      // of the training probabilities seen during the epoch
  double val_loss = 0;       // labels alone
  double val_auc = 0, val_accuracy = 0;
  double images_per_second = 0;  // of the training part
  double seconds = 0;            // training and validation
  std::vector<Meter> meters;     // the same names in every epoch
};

// Reported after every epoch and, without `row`, about twice a second for a progress line.
struct Progress {
  std::string label;  // the run directory
  std::string note;   // a remark for the user, for example that the head starts anew; then nothing else is set
  std::string work;   // done before the epochs, for example "teacher cache"; `fraction` is then its own
  int epoch = 0, epochs = 0;
  double fraction = 0;  // of the epoch
  double images_per_second = 0;
  double seconds_left = 0;
  std::optional<EpochRow> row;  // set at the end of an epoch
};
using ProgressReport = std::function<void(const Progress&)>;

// Takes a remark for the user.
using Note = std::function<void(const std::string&)>;

}  // namespace preceptor
