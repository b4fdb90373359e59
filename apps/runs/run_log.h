// The log of a run in progress: one writer, three files with the same events.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "apps/runs/progress.h"
#include "data/dataset.h"
#include "data/images/image.h"

namespace preceptor {

// metrics.csv                        a row per epoch, written whole; what --resume and reports read
// events.jsonl                       a JSON object per line: "time" (seconds since 1970), "event" (start, note, epoch,
//                                    result), "epoch" (finished ones) and what belongs to it
// events.out.tfevents.0.preceptor    the same for TensorBoard: scalars, texts, and a sheet of training images
//
// The last two grow at their end, so that they can be watched. An epoch is written before it is committed; when a run
// goes on, everything after its last committed epoch is cut off, so no step appears twice. Two runs with one seed
// differ in times alone. Errors: io; data, for an events.jsonl that was tampered with.
class RunLog {
 public:
  RunLog(const std::string& directory, bool tensorboard);

  // Begins the files, or continues those of a run after its `committed` rows. The sheet may be empty.
  void open(const nlohmann::ordered_json& config, const Image& sheet, const std::vector<EpochRow>& committed);

  // A remark for the user; kept until the files are there. One that was written before is not repeated.
  void note(const std::string& text);

  // All rows so far; the last one is new.
  void epoch(const std::vector<EpochRow>& rows);

  void result(const nlohmann::ordered_json& result);

 private:
  std::string metrics_path() const { return directory_ + "/metrics.csv"; }
  std::string lines_path() const { return directory_ + "/events.jsonl"; }
  std::string tensorboard_path() const { return directory_ + "/events.out.tfevents.0.preceptor"; }
  std::vector<nlohmann::ordered_json> written_events() const;
  std::string record(const nlohmann::ordered_json& event) const;
  void write(const nlohmann::ordered_json& event);

  std::string directory_;
  bool tensorboard_;
  bool open_ = false;
  int epoch_ = 0;
  Image sheet_;
  std::vector<std::string> notes_;
  std::vector<std::string> waiting_;  // notes from before the files were there
};

// A picture of the first 16 training images that can be read, so that a look at TensorBoard tells whether they are the
// right ones, the right way up.
Image training_sheet(const Dataset& dataset);

}  // namespace preceptor
