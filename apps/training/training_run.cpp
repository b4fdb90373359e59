// The epochs of a run: train, validate, commit; at the end the test of the best epoch.
#include "apps/training/training_run.h"

#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "apps/inference/operating_point.h"
#include "apps/runs/environment.h"
#include "apps/runs/results.h"
#include "apps/training/options/augmentation.h"
#include "apps/training/options/run_options.h"
#include "apps/training/teachers/agreement.h"
#include "data/batches/sampling.h"
#include "data/predictions/grades.h"
#include "engine/files/check.h"
#include "engine/files/file.h"
#include "kernels/device/tuning.h"

namespace preceptor {
namespace {

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

std::size_t peak_memory_bytes() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::size_t>(usage.ru_maxrss) * 1024;
}

// Nothing to tell apart where labels are the only term.
std::vector<Meter> term_meters(const std::vector<TermSummary>& terms, bool shares) {
  std::vector<Meter> meters;
  if (terms.size() == 1) return meters;
  for (const TermSummary& term : terms) meters.push_back({"loss/" + term.name, term.loss});
  for (const TermSummary& term : terms) meters.push_back({"weighted_loss/" + term.name, term.weighted_loss});
  for (const TermSummary& term : terms)
    if (shares) meters.push_back({"gradient_share/" + term.name, term.gradient_share});
  return meters;
}

}  // namespace

TrainingResult TrainingRun::finish() {
  begin();
  train_epochs({this});
  return test();
}

LoaderOptions TrainingRun::loading() const {
  return {.batch = options_.batch,
          .shuffle = true,
          .seed = options_.seed,
          .threads = loading_threads(data_->train, options_.threads),
          .prefetch = 4,
          .weights = sampling_weights(data_->train, data_->task, data_->outputs, parse_sampling(options_.sampling)),
          .mixup = parse_augmentation(options_.augment).mixup};
}

StepStudent TrainingRun::step_student() {
  return {.network = network_.get(),
          .methods = &methods_,
          .optimizer = &*optimizer_,
          .average = average_ ? &*average_ : nullptr,
          .balanced = state_.balanced};
}

void TrainingRun::train_epochs(const std::vector<TrainingRun*>& runs) {
  if (state_.epoch == options_.epochs) return;
  const Augmentation augmentation = parse_augmentation(options_.augment);
  std::optional<DeviceImages> images;
  if (images_stay_on_device()) images.emplace(*context_, *data_->train.images, options_.threads);
  LoaderOptions batches = loading();
  batches.pixels = !images;
  Loader loader(learned(), learned().train, batches);
  images_per_epoch_ = loader.batch_size() * loader.batches_per_epoch();
  StepSetup setup;
  setup.student_input = augmentation.input(card_.mean, card_.deviation);
  setup.teachers = teachers_ ? &*teachers_ : nullptr;
  setup.rows = teacher_rows_.get();
  if (decay_of_teacher(options_)) setup.average_teacher = averaged_.get();
  setup.taught = taught_;
  setup.settings = transfer_methods(options_);
  setup.dataset = &learned();
  setup.batch = loader.batch_size();
  setup.batches = loader.batches_per_epoch();
  setup.mixup = augmentation.mixup > 0;
  setup.images = images ? &*images : nullptr;
  setup.replay = options_.graph == "on";
  setup.teacher_stream = options_.teacher_stream;
  setup.meter_every = options_.meter_every;
  setup.balance = options_.balance;
  std::optional<StudentStep> step;
  const auto set_up_step = [&] {
    setup.students.clear();
    for (TrainingRun* run : runs) setup.students.push_back(run->step_student());
    step.emplace(*context_, setup);
  };
  set_up_step();
  report_progress(0, 0, nullptr);
  while (state_.epoch < options_.epochs) {
    if (frozen_blocks(state_.epoch) < frozen_blocks(std::max(state_.epoch - 1, 0))) {
      unfreeze();
      set_up_step();
    }
    train_epoch(runs, *step, loader);
  }
}

void TrainingRun::train_epoch(const std::vector<TrainingRun*>& runs, StudentStep& step, Loader& loader) {
  const Clock::time_point begin = Clock::now();
  EpochRow common;
  std::vector<float> labels;
  const std::vector<EpochSums> sums = run_steps(step, loader, common, labels);
  std::vector<EpochRow> rows(runs.size(), common);
  double val_loss = 0;
  for (std::size_t k = 0; k < runs.size(); ++k) {
    runs[k]->state_.balanced = step.balanced(k);
    runs[k]->summarize(rows[k], sums[k], labels);
    runs[k]->validate(rows[k]);
    val_loss += rows[k].val_loss / static_cast<double>(runs.size());
  }
  const double seconds = seconds_since(begin);
  for (std::size_t k = 0; k < runs.size(); ++k) {
    rows[k].seconds = seconds;
    runs[k]->prepare_epoch(rows[k], val_loss);
  }
  for (TrainingRun* run : runs) run->commit_epoch();
}

bool TrainingRun::images_stay_on_device() const {
  // Mixtures are made, and cached rows compared with their images, on the host.
  if (parse_augmentation(options_.augment).mixup > 0 || teacher_rows_) return false;
  const bool automatic = options_.device_images == device_images_auto;
  if (automatic && context_->device().kind != kernels::DeviceKind::cuda) return false;
  const std::size_t most = automatic ? context_->pool(Lifetime::persistent).available() / 4
                                     : static_cast<std::size_t>(options_.device_images) << 20;
  return DeviceImages::bytes_of(*data_->train.images) <= most;
}

// One more block learns from here on. What was recorded of the step no longer holds.
void TrainingRun::unfreeze() {
  network_->freeze(frozen_blocks(state_.epoch));
  optimizer_->cover_unfrozen();
}

// Gives the row what all students have in common.
std::vector<EpochSums> TrainingRun::run_steps(StudentStep& step, Loader& loader, EpochRow& row,
                                              std::vector<float>& labels) {
  const Clock::time_point begin = Clock::now();
  Clock::time_point last_report = begin;
  const int batches = loader.batches_per_epoch();
  row.epoch = state_.epoch + 1;
  loader.start(state_.epoch);
  step.start_epoch(row.epoch);
  for (int position = 0; const Batch* batch = loader.next(); ++position) {
    row.learning_rate = schedule_.learning_rate(state_.epoch, static_cast<double>(position) / batches);
    step.run(*batch, position, static_cast<float>(row.learning_rate));
    labels.insert(labels.end(), batch->labels.begin(), batch->labels.end());
    if (seconds_since(last_report) > 0.5) {
      last_report = Clock::now();
      report_progress((position + 1.0) / batches, (position + 1.0) * batch->size / seconds_since(begin), nullptr);
    }
  }
  std::vector<EpochSums> sums = step.finish_epoch();
  row.images_per_second = images_per_epoch_ / seconds_since(begin);
  return sums;
}

// Before the metrics, which accept no NaN, and before the commit: the last good epoch stays.
void TrainingRun::require_converging(const EpochRow& row, const std::vector<float>& probabilities) const {
  const bool finite = std::isfinite(row.train_loss) &&
                      std::ranges::all_of(probabilities, [](float value) { return std::isfinite(value); });
  require(finite, options_.out, ": epoch ", row.epoch, ": the training diverged (loss ", row.train_loss,
          "); a lower --lr or --clip-norm 1 may help");
}

void TrainingRun::summarize(EpochRow& row, const EpochSums& sums, const std::vector<float>& labels) const {
  row.label_loss = sums.label_loss;
  row.transfer_loss = sums.transfer_loss;
  row.train_loss = sums.label_weight * sums.label_loss + sums.transfer_loss;
  row.meters = term_meters(sums.terms, options_.meter_every > 0);
  if (options_.balance > 0) row.meters.push_back({"balance/factor", state_.balanced});
  require_converging(row, sums.probabilities);
  const auto auc = [&](const std::vector<float>& probabilities, const std::vector<float>& truth) {
    return evaluate_scores(data_->task, data_->outputs, data_->label_names, probabilities, truth, 0, options_.seed)
        .auc_macro;
  };
  row.train_auc = options_.ordinal ? auc(grade_probabilities(sums.probabilities, data_->outputs),
                                         grades_from_targets(labels, data_->outputs))
                                   : auc(sums.probabilities, labels);
}

void TrainingRun::validate(EpochRow& row) {
  evaluated().fold();
  Predictor predictor(*context_, evaluated(), card_, *data_);
  // The student's stages are read only where those of a teacher were.
  const bool relations = !teachers_on_validation_.relations.empty();
  const Predictions predictions = predictor.predict(
      data_->val, relations ? stage_taps(*network_, data_->height, data_->width) : std::vector<std::string>());
  require_converging(row, predictions.probabilities);
  const Evaluation evaluation = evaluate(prediction_table(*data_, data_->val, "val", predictions), 0, options_.seed);
  row.val_loss = predictions.loss;
  row.val_auc = evaluation.auc_macro;
  row.val_accuracy = evaluation.accuracy;
  if (!meets_teacher()) return;
  const std::vector<Meter> meters = agreement_meters(*data_, teachers_->taught(), predictions, teachers_on_validation_);
  row.meters.insert(row.meters.end(), meters.begin(), meters.end());
}

// val_loss: what the schedule goes by.
void TrainingRun::prepare_epoch(const EpochRow& row, double val_loss) {
  rows_.push_back(row);
  schedule_.finish_epoch(val_loss);
  // An AUC that is undefined on the validation split is so in every epoch: then the loss decides.
  const bool is_best = state_.best_epoch == 0 || (std::isnan(row.val_auc) ? row.val_loss < state_.best_val_loss
                                                                          : row.val_auc > state_.best_val_auc);
  if (is_best) {
    state_.best_epoch = row.epoch;
    state_.best_val_auc = row.val_auc;
    state_.best_val_loss = row.val_loss;
  }
  state_.epoch = row.epoch;
  state_.step = context_->read_step_state().step;
  state_.schedule = schedule_.state();
  state_.tensors = optimizer_->state();
  for (const auto& method : methods_) state_.tensors.merge(method->parameters().state());
  if (averaged_)
    for (auto& [name, tensor] : averaged_->parameters().state()) state_.tensors[average_prefix + name] = tensor;
  card_.epoch = row.epoch;
  card_.val_auc = row.val_auc;
  log_.epoch(rows_);
  const kernels::Tuning& tuning = kernels::tuning();
  if (!tuning.empty()) write_file_atomically(directory_.tuning_path(), tuning.text());
  const StateDict best = is_best ? evaluated().parameters().state() : StateDict{};
  directory_.prepare(state_, card_, network_->parameters().state(), is_best ? &best : nullptr);
  state_.tensors.clear();
}

void TrainingRun::commit_epoch() {
  directory_.commit();
  report_progress(0, rows_.back().images_per_second, &rows_.back());
}

TrainingRun::TestedSplit TrainingRun::test_split(Predictor& predictor, const Split& split,
                                                 const std::string& name) const {
  const Predictions predictions = predictor.predict(split);
  TestedSplit tested;
  tested.loss = predictions.loss;
  tested.table = prediction_table(*data_, split, name, predictions);
  tested.evaluation = evaluate(tested.table, options_.bootstrap, options_.seed);
  write_predictions(directory_.predictions_path(name), tested.table);
  return tested;
}

TrainingResult TrainingRun::test() {
  TrainingResult result{.directory = options_.out, .best_epoch = state_.best_epoch, .epochs = rows_, .test = {}};
  for (const EpochRow& row : rows_) result.seconds += row.seconds;
  CardCheckpoint best = load_card_checkpoint(directory_.best_path());
  load_parameters(*network_, best);
  network_->fold();
  Predictor predictor(*context_, *network_, best.card, *data_);
  const TestedSplit val = test_split(predictor, data_->val, "val"), tested = test_split(predictor, data_->test, "test");
  result.test = tested.evaluation;
  // Only now the checkpoint learns how its outputs are to be read; testing again writes the same bytes.
  best.card.operating_point = fit_operating_point(val.table, ThresholdRule{});
  save_safetensors(directory_.best_path(), best.tensors, to_metadata(best.card));
  write_result(result, val, tested, *best.card.operating_point);
  return result;
}

void TrainingRun::write_result(const TrainingResult& result, const TestedSplit& val, const TestedSplit& tested,
                               const OperatingPoint& point) {
  double training_seconds_per_image = 0;
  for (const EpochRow& row : rows_)
    training_seconds_per_image += 1 / row.images_per_second / static_cast<double>(rows_.size());
  nlohmann::ordered_json json;
  json["format"] = "preceptor-result-1";
  json["config"] = options_json(options_);
  json["best_epoch"] = result.best_epoch;
  json["val"] = evaluation_json(val.evaluation);
  json["val"]["loss"] = val.loss;
  json["test"] = evaluation_json(tested.evaluation);
  json["test"]["loss"] = tested.loss;
  json["operating_point"] = nlohmann::ordered_json::parse(to_text(point));
  json["train_images"] = data_->train.count;
  json["environment"] = environment_json(*context_);
  json["seconds"] = result.seconds;
  json["images_per_second"] = 1 / training_seconds_per_image;
  json["peak_memory_bytes"] = peak_memory_bytes();
  json["device_memory_bytes"] = context_->pool(Lifetime::persistent).peak() + context_->pool(Lifetime::step).peak();
  write_file_atomically(directory_.result_path(), json.dump(1) + "\n");
  json.erase("config");  // stands at the log's start
  log_.result(json);
}

void TrainingRun::report_work(const std::string& what, std::uint64_t done, std::uint64_t images,
                              Clock::time_point begin) const {
  if (!report_) return;
  Progress progress;
  progress.label = options_.out;
  progress.work = what;
  progress.fraction = static_cast<double>(done) / static_cast<double>(images);
  progress.images_per_second = static_cast<double>(done) / seconds_since(begin);
  progress.seconds_left = static_cast<double>(images - done) / progress.images_per_second;
  report_(progress);
}

void TrainingRun::report_progress(double fraction, double images_per_second, const EpochRow* row) const {
  if (!report_) return;
  Progress progress;
  progress.label = options_.out;
  progress.epochs = options_.epochs;
  progress.epoch = row != nullptr ? row->epoch : state_.epoch + 1;
  progress.fraction = row != nullptr ? 1 : fraction;
  progress.images_per_second = images_per_second;
  const double done = state_.epoch - epochs_before_ + fraction;
  if (done > 0) progress.seconds_left = seconds_since(session_) / done * (options_.epochs - state_.epoch - fraction);
  if (row != nullptr) progress.row = *row;
  report_(progress);
}

}  // namespace preceptor
