// Epochs: steps, validation, commit.
#include "apps/training/setup.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "data/parallel.h"
#include "data/predictions/grades.h"
#include "engine/files/check.h"
#include "engine/files/file.h"

namespace preceptor {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

// Reports where a session stands.
class SessionProgress {
 public:
  explicit SessionProgress(const Run& first) : epochs_before_(first.state.epoch) {}

  // row: of the epoch that has finished; null within one.
  void operator()(const Run& run, double fraction, double images_per_second, const EpochRow* row = nullptr) const {
    if (!run.report) return;
    Progress progress;
    progress.label = run.options.out;
    progress.epochs = run.options.epochs;
    progress.epoch = row != nullptr ? row->epoch : run.state.epoch + 1;
    progress.fraction = row != nullptr ? 1 : fraction;
    progress.images_per_second = images_per_second;
    const double done = run.state.epoch - epochs_before_ + fraction,
                 left = run.options.epochs - run.state.epoch - fraction;
    if (done > 0) progress.seconds_left = seconds_since(begin_) / done * left;
    if (row != nullptr) progress.row = *row;
    run.report(progress);
  }

 private:
  int epochs_before_;
  Clock::time_point begin_ = Clock::now();
};

// Some images at a time.
void copy_images(Context& context, const ImageSource& images, int threads, void* to) {
  constexpr std::size_t block_bytes = std::size_t{32} << 20;
  const std::size_t image_bytes = images.image_bytes();
  const int at_once = static_cast<int>(std::clamp<std::size_t>(block_bytes / image_bytes, 1, 4096));
  std::vector<std::uint8_t> block(static_cast<std::size_t>(at_once) * image_bytes);
  for (int first = 0; first < images.count(); first += at_once) {
    const int count = std::min(at_once, images.count() - first);
    parallel_for(count, threads, [&](int i) {
      images.read(first + i, {block.data() + static_cast<std::size_t>(i) * image_bytes, image_bytes});
    });
    // The block is only refilled after the copy.
    context.copy_and_wait(static_cast<std::byte*>(to) + static_cast<std::size_t>(first) * image_bytes, block.data(),
                          static_cast<std::size_t>(count) * image_bytes);
  }
}

// The training images in device memory, in order, if they may take so much of it. Batches are then lists of positions,
// which kernels follow (AugmentOptions::rows).
std::unique_ptr<Buffer> resident_images(const TrainingSetup& setup, const TrainingOptions& options) {
  // Mixtures are made, and cached rows compared with their images, on the host.
  if (setup.batches.mixup > 0 || (setup.teaching.substitute && !ema_teacher_decay(options))) return nullptr;
  Context& context = *setup.context;
  const bool automatic = options.device_images == device_images_auto;
  if (automatic && context.device_name() != "cuda") return nullptr;
  const std::size_t most = automatic ? context.pool(Lifetime::persistent).available() / 4
                                     : static_cast<std::size_t>(options.device_images) << 20;
  const ImageSource& images = *setup.data->images.train.images;
  const std::size_t bytes = static_cast<std::size_t>(images.count()) * images.image_bytes();
  if (bytes > most) return nullptr;
  auto memory = std::make_unique<Buffer>(context.pool(Lifetime::persistent), bytes);
  copy_images(context, images, options.threads, memory->data());
  return memory;
}

// Everything but the students, which change when blocks are unfrozen.
StepSetup step_setup(const TrainingSetup& setup, const TrainingOptions& options, const Loader& loader,
                     const Buffer* resident) {
  const Dataset& learned = setup.data->learned();
  const ModelCard& card = setup.students.front().card;
  return {.students = {},
          .teacher = setup.teaching.in_steps(),
          .task = learned.task,
          .outputs = learned.outputs,
          .images = {loader.batch_size(), learned.channels, learned.height, learned.width},
          .resident = resident != nullptr ? static_cast<const std::uint8_t*>(resident->data()) : nullptr,
          .input = options.augment.input(card.mean, card.deviation),
          .mixup = setup.batches.mixup > 0,
          .batches = loader.batches_per_epoch(),
          .replay = options.graph == Graph::on,
          .teacher_stream = options.teacher_stream,
          .meter_every = options.meter_every,
          .balance = options.balance};
}

std::vector<StepStudent> step_students(std::span<const Run> runs, std::vector<Student>& students) {
  std::vector<StepStudent> result;
  for (std::size_t k = 0; k < runs.size(); ++k)
    result.push_back({.network = students[k].network.get(),
                      .methods = students[k].methods,
                      .optimizer = &*students[k].optimizer,
                      .average = students[k].average.get(),
                      .balance_factor = runs[k].state.balanced});
  return result;
}

// The steps of an epoch: what all students share in its row, and the labels in the order of the steps.
struct TrainedEpoch {
  EpochRow row;
  std::vector<EpochSums> sums;  // [students]
  std::vector<float> labels;
};

TrainedEpoch run_steps(const Run& first, const Schedule& schedule, StudentStep& step, Loader& loader,
                       const SessionProgress& progress) {
  const Clock::time_point begin = Clock::now();
  Clock::time_point last_report = begin;
  const int epoch = first.state.epoch, batches = loader.batches_per_epoch();
  TrainedEpoch trained;
  trained.row.epoch = epoch + 1;
  loader.start(epoch);
  step.start_epoch(epoch + 1);
  for (int position = 0; const Batch* batch = loader.next(); ++position) {
    trained.row.learning_rate = schedule.learning_rate(epoch, static_cast<double>(position) / batches);
    step.run(*batch, position, static_cast<float>(trained.row.learning_rate));
    trained.labels.insert(trained.labels.end(), batch->labels.begin(), batch->labels.end());
    if (seconds_since(last_report) <= 0.5) continue;
    last_report = Clock::now();
    const double done = position + 1.0;
    progress(first, done / batches, done * batch->size / seconds_since(begin));
  }
  trained.sums = step.finish_epoch();
  trained.row.images_per_second = loader.batch_size() * batches / seconds_since(begin);
  return trained;
}

// Comes before the metrics, which accept no NaN, and before the commit: the last good epoch stays.
void require_converging(const Run& run, const EpochRow& row, const std::vector<float>& probabilities) {
  const bool finite = std::isfinite(row.train_loss) &&
                      std::ranges::all_of(probabilities, [](float value) { return std::isfinite(value); });
  require(finite, run.options.out, ": epoch ", row.epoch, ": the training diverged (loss ", row.train_loss,
          "); a lower --lr or --clip-norm 1 may help");
}

// None for labels alone: their loss has a column already.
std::vector<Meter> term_meters(const std::vector<TermSummary>& terms, bool shares) {
  std::vector<Meter> meters;
  if (terms.size() == 1) return meters;
  for (const TermSummary& term : terms) meters.push_back({"loss/" + term.name, term.loss});
  for (const TermSummary& term : terms) meters.push_back({"weighted_loss/" + term.name, term.weighted_loss});
  for (const TermSummary& term : terms)
    if (shares) meters.push_back({"gradient_share/" + term.name, term.gradient_share});
  return meters;
}

// Training loss and AUC of the epoch.
void summarize(EpochRow& row, const Run& run, const Dataset& data, const EpochSums& sums,
               const std::vector<float>& labels) {
  const TrainingOptions& options = run.options;
  row.label_loss = sums.label_loss;
  row.transfer_loss = sums.transfer_loss;
  row.train_loss = sums.label_weight * sums.label_loss + sums.transfer_loss;
  row.meters = term_meters(sums.terms, options.meter_every > 0);
  if (options.balance > 0) row.meters.push_back({"balance/factor", run.state.balanced});
  require_converging(run, row, sums.probabilities);
  const auto auc = [&](const std::vector<float>& probabilities, const std::vector<float>& truth) {
    return evaluate_scores(data.task, data.outputs, data.label_names, probabilities, truth, 0, options.seed).auc_macro;
  };
  row.train_auc = options.ordinal ? auc(grade_probabilities(sums.probabilities, data.outputs),
                                        grades_from_targets(labels, data.outputs))
                                  : auc(sums.probabilities, labels);
}

void validate(EpochRow& row, const Run& run, const Student& student, TrainingSetup& setup) {
  const Dataset& data = setup.data->images;
  student.validated().fold();
  const Predictions& teacher = setup.teaching.on_validation;
  PredictionOptions asked;
  // The student's stages are read only if the teacher's were.
  if (!teacher.relations.empty()) asked.taps = stage_taps(*student.network, data.height, data.width);
  const Predictions predictions =
      predict_split(*setup.context, student.validated(), student.card, data, data.val, asked);
  require_converging(run, row, predictions.probabilities);
  const Evaluation evaluation = evaluate(prediction_table(data, data.val, "val", predictions), 0, run.options.seed);
  row.val_loss = predictions.loss;
  row.val_auc = evaluation.auc_macro;
  row.val_accuracy = evaluation.accuracy;
  if (teacher.probabilities.empty()) return;
  const std::vector<Meter> meters = agreement_meters(data, setup.teaching.networks->taught(), predictions, teacher);
  row.meters.insert(row.meters.end(), meters.begin(), meters.end());
}

// An AUC that is undefined on the validation split is so in every epoch: then the loss decides.
bool is_best(const RunState& state, const EpochRow& row) {
  if (state.best_epoch == 0) return true;
  return std::isnan(row.val_auc) ? row.val_loss < state.best_val_loss : row.val_auc > state.best_val_auc;
}

// Writes all that a commit makes the run's last epoch.
void prepare_epoch(Run& run, Student& student, const EpochRow& row, const Schedule& schedule, Context& context) {
  RunState& state = run.state;
  const bool best = is_best(state, row);
  if (best) {
    state.best_epoch = row.epoch;
    state.best_val_auc = row.val_auc;
    state.best_val_loss = row.val_loss;
  }
  state.epoch = row.epoch;
  state.step = context.read_step_state().step;
  state.schedule = schedule.state();
  state.tensors = learning_state(student);
  student.card.epoch = row.epoch;
  student.card.val_auc = row.val_auc;
  run.rows.push_back(row);
  run.log.epoch(run.rows);
  if (!tuning().empty()) write_file_atomically(run.directory.tuning_path(), tuning().text());
  const StateDict best_weights = best ? student.validated().parameters().state() : StateDict{};
  run.directory.prepare(state, student.card, student.network->parameters().state(), best ? &best_weights : nullptr);
  state.tensors.clear();
}

// Validates all students, then commits the epoch of all.
void finish_epoch(std::span<Run> runs, TrainingSetup& setup, const TrainedEpoch& trained, Clock::time_point begin) {
  std::vector<EpochRow> rows(runs.size(), trained.row);
  double val_loss = 0;
  for (std::size_t k = 0; k < runs.size(); ++k) {
    summarize(rows[k], runs[k], setup.data->images, trained.sums[k], trained.labels);
    validate(rows[k], runs[k], setup.students[k], setup);
    val_loss += rows[k].val_loss / static_cast<double>(runs.size());
  }
  setup.schedule.finish_epoch(val_loss);
  const double seconds = seconds_since(begin);
  for (std::size_t k = 0; k < runs.size(); ++k) {
    rows[k].seconds = seconds;
    prepare_epoch(runs[k], setup.students[k], rows[k], setup.schedule, *setup.context);
  }
}

}  // namespace

void train_together(std::span<Run> runs, TrainingSetup& setup) {
  Run& first = runs.front();
  const TrainingOptions& options = first.options;
  if (first.state.epoch == options.epochs) return;
  const std::unique_ptr<Buffer> resident = resident_images(setup, options);
  LoaderOptions batches = setup.batches;
  batches.pixels = !resident;
  Loader loader(setup.data->learned(), setup.data->learned().train, batches);
  StepSetup parts = step_setup(setup, options, loader, resident.get());
  std::optional<StudentStep> step;
  const SessionProgress progress(first);
  progress(first, 0, 0);
  while (first.state.epoch < options.epochs) {
    const Clock::time_point begin = Clock::now();
    const int frozen = frozen_blocks(options, first.state.epoch);
    const bool unfreeze = frozen < frozen_blocks(options, std::max(first.state.epoch - 1, 0));
    for (std::size_t k = 0; k < runs.size() && unfreeze; ++k) {
      setup.students[k].network->freeze(frozen);
      setup.students[k].optimizer->cover_unfrozen();
    }
    if (!step || unfreeze) {
      parts.students = step_students(runs, setup.students);
      step.emplace(*setup.context, parts);
    }
    const TrainedEpoch trained = run_steps(first, setup.schedule, *step, loader, progress);
    for (std::size_t k = 0; k < runs.size(); ++k) runs[k].state.balanced = step->balance_factor(k);
    finish_epoch(runs, setup, trained, begin);
    for (Run& run : runs) run.directory.commit();
    for (const Run& run : runs) progress(run, 0, run.rows.back().images_per_second, &run.rows.back());
  }
}

}  // namespace preceptor
