// The numbers of one epoch, as metrics.csv and events.jsonl hold them.
#pragma once

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

}  // namespace preceptor
