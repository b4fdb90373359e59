// A run in progress: data, networks and files of one training, set up and then carried through epoch by epoch.
#pragma once

#include <chrono>
#include <optional>

#include "apps/inference/prediction.h"
#include "apps/runs/run_directory.h"
#include "apps/runs/run_log.h"
#include "apps/training/bad_images.h"
#include "apps/training/initial_weights.h"
#include "apps/training/step/student_step.h"
#include "apps/training/training.h"
#include "data/predictions/predictions.h"

namespace preceptor {

// Before the names of the moving average's tensors in the state of a run.
inline const std::string average_prefix = "average.";

class TrainingRun {
 public:
  // Checks everything that can be checked before the first step. first: for a run that learns beside others the first
  // of them, whose device and data it shares; it must outlive this one.
  TrainingRun(const TrainingOptions& options, bool resume, const ProgressReport& report, const Dataset* dataset,
              const TrainingRun* first = nullptr);

  // Makes the run directory, or goes on with its log.
  void begin();
  // The epochs that are left of all these runs, in steps of all at once. This one is the first of them: the batches and
  // the learning rate are its. All have begun.
  void train_epochs(const std::vector<TrainingRun*>& runs);
  // Tests the best epoch.
  TrainingResult test();

  // All of it for a run that learns alone.
  TrainingResult finish();

 private:
  using Clock = std::chrono::steady_clock;

  void open_files(const TrainingRun* first);
  void open_data(const Dataset* dataset);
  void leave_out_bad_images();
  void check_data() const;
  void build_network(const TrainingRun* first);
  std::uint64_t initial_seed() const;
  int frozen_blocks(int epochs_done) const;
  void start_from_init();
  void load_teachers(std::vector<CardCheckpoint> checkpoints);
  void weigh_teachers();
  void open_teacher_rows();
  void use_predictions(const ProbabilityTable& table);
  LoaderOptions loading() const;
  void make_average();
  void make_methods();
  void prepare_learning();
  void restore();
  void require_same_config() const;

  bool images_stay_on_device() const;
  StepStudent step_student();
  void unfreeze();
  void train_epoch(const std::vector<TrainingRun*>& runs, StudentStep& step, Loader& loader);
  std::vector<EpochSums> run_steps(StudentStep& step, Loader& loader, EpochRow& row, std::vector<float>& labels);
  void summarize(EpochRow& row, const EpochSums& sums, const std::vector<float>& labels) const;
  void require_converging(const EpochRow& row, const std::vector<float>& probabilities) const;
  bool meets_teacher() const { return teachers_ && options_.meter_every > 0; }
  // What the network learns; what is validated and tested are always data_.
  const Dataset& learned() const { return cumulative_ ? *cumulative_ : *data_; }
  // What is validated, kept as best and tested.
  Network& evaluated() { return options_.ema > 0 ? *averaged_ : *network_; }
  void validate(EpochRow& row);
  void prepare_epoch(const EpochRow& row, double val_loss);
  void commit_epoch();
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
  void report_work(const std::string& what, std::uint64_t done, std::uint64_t images, Clock::time_point begin) const;
  void report_progress(double fraction, double images_per_second, const EpochRow* row) const;

  TrainingOptions options_;
  ProgressReport report_;
  RunDirectory directory_;
  RunLog log_;
  std::shared_ptr<Context> context_;  // outlives everything that holds device memory
  bool begun_;                        // the directory holds the run, from an earlier session
  bool continues_ = false;            // an epoch was committed in it
  std::optional<RunDirectory::Committed> committed_;
  std::optional<InitialWeights> init_;
  std::optional<Dataset> opened_;
  const Dataset* data_ = nullptr;
  std::optional<Dataset> cumulative_;  // the data as --ordinal learns them
  std::vector<BadImage> bad_images_;   // left out of it
  ModelCard card_;
  std::unique_ptr<Network> network_;
  std::unique_ptr<Network> averaged_;     // the student's moving average; nullptr: none is kept
  std::optional<MovingAverage> average_;  // what moves it
  std::optional<Teachers> teachers_;
  Predictions teachers_on_validation_;         // where the student is compared with them
  std::unique_ptr<TeacherRows> teacher_rows_;  // instead of asking them in every step
  std::vector<bool> taught_;                   // [outputs] whether a teacher knows the label; empty without a teacher
  std::vector<std::unique_ptr<TransferMethod>> methods_;
  std::optional<Optimizer> optimizer_;
  Schedule schedule_;
  RunState state_;
  std::vector<EpochRow> rows_;
  int images_per_epoch_ = 0;
  int epochs_before_ = 0;  // finished in earlier sessions
  Clock::time_point session_;
};

}  // namespace preceptor
