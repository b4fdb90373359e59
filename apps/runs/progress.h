// Progress of a training run, as the library reports it and the apps print it.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "apps/runs/epoch.h"

namespace preceptor {

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
