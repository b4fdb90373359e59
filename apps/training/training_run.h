// A run in progress: data, networks and files of one training, set up and then carried through epoch by epoch.
#pragma once

#include <chrono>
#include <optional>

#include "apps/training/bad_images.h"
#include "apps/training/initial_weights.h"
#include "apps/training/prediction.h"
#include "apps/training/run_directory.h"
#include "apps/training/run_log.h"
#include "apps/training/student_step.h"

namespace preceptor {

class TrainingRun {
 public:
  // Checks everything that can be checked before the first step; only then the run directory appears.
  TrainingRun(const TrainingOptions& options, bool resume, const ProgressReport& report, const Dataset* dataset);

  TrainingResult finish();

 private:
  using Clock = std::chrono::steady_clock;

  void open_files(bool continues);
  std::vector<BadImage> leave_out_bad_images(bool continues);
  void check_data() const;
  void build_network();
  int frozen_blocks(int epochs_done) const;
  void start_from_init();
  void load_teachers(std::vector<CardCheckpoint> checkpoints);
  void weigh_teachers();
  void make_methods();
  void prepare_learning();
  void restore();
  void require_same_config() const;

  void train_epochs();
  bool images_stay_on_device() const;
  void thaw();
  EpochRow train_epoch(StudentStep& step, Loader& loader);
  void validate(EpochRow& row, Predictor& predictor);
  void close_epoch(const EpochRow& row);
  void test(TrainingResult& result);
  struct TestedSplit {
    Evaluation evaluation;
    double loss = 0;
    PredictionTable table;
  };
  TestedSplit test_split(Predictor& predictor, const Split& split, const std::string& name) const;
  void write_result(const TrainingResult& result, const TestedSplit& val, const TestedSplit& tested,
                    const OperatingPoint& point);

  void note(const std::string& text);
  void note_at_start(const std::string& text);
  void report_progress(double fraction, double images_per_second, const EpochRow* row) const;

  TrainingOptions options_;
  ProgressReport report_;
  RunDirectory directory_;
  RunLog log_;
  std::unique_ptr<Context> context_;  // outlives everything that holds device memory
  bool continues_ = false;            // an epoch was committed in an earlier sitting
  std::optional<RunDirectory::Committed> committed_;
  std::optional<InitialWeights> init_;
  std::optional<Dataset> opened_;
  const Dataset* data_ = nullptr;
  ModelCard card_;
  std::unique_ptr<Network> network_;
  std::optional<Teachers> teachers_;
  std::vector<std::unique_ptr<TransferMethod>> methods_;
  std::optional<Optimizer> optimizer_;
  Schedule schedule_;
  RunState state_;
  std::vector<EpochRow> rows_;
  int images_per_epoch_ = 0;
  int epochs_before_ = 0;  // finished in earlier sittings
  Clock::time_point sitting_;
};

}  // namespace preceptor
