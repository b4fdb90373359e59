// The setting up of a run: options, files, data and networks are checked against each other before anything is written.
#include "apps/training/training.h"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "apps/inference/card_and_data.h"
#include "apps/training/options/augmentation.h"
#include "apps/training/options/run_options.h"
#include "apps/training/teachers/predicted_rows.h"
#include "apps/training/teachers/teacher_cache.h"
#include "apps/training/training_run.h"
#include "data/formats/listing.h"
#include "data/predictions/grades.h"
#include "engine/files/check.h"
#include "engine/files/file.h"
#include "kernels/device/tuning.h"
#include "models/registry.h"

namespace preceptor {
namespace {

// What is learned beside the student, from the state of a run.
void load_learned(Parameters& parameters, const StateDict& state, const std::string& prefix = "") {
  StateDict learned;
  for (const Parameter& parameter : parameters.all()) {
    const auto found = state.find(prefix + parameter.name());
    require_data(found != state.end(), "the state of the run lacks ", prefix, parameter.name());
    learned[parameter.name()] = found->second;
  }
  parameters.load(learned);
}

}  // namespace

TrainingResult train(const TrainingOptions& options, bool resume, const ProgressReport& report,
                     const Dataset* dataset) {
  return TrainingRun(options, resume, report, dataset).finish();
}

TrainingRun::TrainingRun(const TrainingOptions& options, bool resume, const ProgressReport& report,
                         const Dataset* dataset, const TrainingRun* first)
    : options_(options),
      report_(report),
      directory_(options.out),
      log_(options.out, options.tensorboard),
      begun_(resume && directory_.holds_run()),
      schedule_(ScheduleOptions{}) {
  check_options(options_);
  for (std::string& method : options_.methods) method = to_string(parse_method(method));
  options_.augment = to_string(parse_augmentation(options_.augment));
  context_ = first != nullptr ? first->context_
                              : std::make_shared<Context>(kernels::open_device(options_.device, options_.threads),
                                                          options_.seed, precision_named(options_.precision));
  options_.threads = context_->device().threads;
  // Small files are read before the data, so that a wrong name costs seconds and not minutes.
  open_files(first);
  std::vector<CardCheckpoint> teachers;
  const std::optional<std::string> predictions = predictions_of_teacher(options_);
  const ProbabilityTable table = predictions ? read_probabilities(*predictions) : ProbabilityTable{};
  for (const std::string& path : options_.teachers)
    if (!predictions && !decay_of_teacher(options_)) teachers.push_back(load_card_checkpoint(path));
  if (first == nullptr) {
    open_data(dataset);
  } else {
    data_ = first->data_;
    bad_images_ = first->bad_images_;
  }
  if (options_.ordinal) cumulative_ = cumulative_grades(*data_);
  build_network(first);
  load_teachers(std::move(teachers));
  make_average();
  make_methods();
  if (predictions) use_predictions(table);
  prepare_learning();
  weigh_teachers();
  open_teacher_rows();
  if (begun_) require_same_config();
}

void TrainingRun::begin() {
  if (!begun_)
    directory_.create(config_text(options_), split_table(*data_),
                      bad_images_.empty() ? "" : bad_images_table(bad_images_));
  log_.open(options_json(options_), training_sheet(*data_), rows_);
  session_ = Clock::now();
}

void TrainingRun::open_files(const TrainingRun* first) {
  require(begun_ || !directory_.holds_run(), options_.out,
          ": holds a run already; continue it with --resume or choose another --out");
  if (begun_) committed_ = directory_.last(first != nullptr ? std::optional(first->state_.epoch) : std::nullopt);
  if (begun_ && std::filesystem::exists(directory_.tuning_path()))
    kernels::tuning().read(read_file(directory_.tuning_path()), directory_.tuning_path());
  continues_ = committed_.has_value();
  if (!committed_ && !options_.init.empty()) init_ = load_initial_weights(options_.init);
}

void TrainingRun::open_data(const Dataset* dataset) {
  if (dataset == nullptr) opened_ = open_dataset(options_.data);
  data_ = dataset != nullptr ? dataset : &*opened_;
  for (const std::string& text : data_->notes) note(text);
  leave_out_bad_images();
  check_data();
}

// A run that continues leaves out what it left out before, whatever can be read by now: its epochs must not change.
void TrainingRun::leave_out_bad_images() {
  if (options_.on_bad_image == "stop") {
    require_image_files(*data_, options_.threads);
    // The others are read in the first epoch, these only behind the last one.
    Dataset last = *data_;
    last.train = last.val = Split{};
    const std::vector<BadImage> bad = find_bad_images(last, options_.threads);
    require_data(bad.empty(), bad.empty() ? "" : bad.front().reason, " (", bad.size(),
                 " test images cannot be read; --on-bad-image skip leaves them out)");
    return;
  }
  std::vector<BadImage>& bad = bad_images_;
  if (!begun_) {
    note("--on-bad-image skip: reading every image once");
    bad = find_bad_images(*data_, options_.threads);
  } else if (std::filesystem::exists(directory_.bad_images_path())) {
    bad = read_bad_images(directory_.bad_images_path());
  }
  if (bad.empty()) return;
  const int images = data_->train.count + data_->val.count + data_->test.count;
  require_data(static_cast<double>(bad.size()) <= options_.bad_image_limit * images, data_->source, ": ", bad.size(),
               " of ", images, " images cannot be read, more than --bad-image-limit ", options_.bad_image_limit,
               "; the first: ", bad.front().reason);
  note(message(bad.size(), " of ", images, " images cannot be read and are left out: ", directory_.bad_images_path()));
  opened_ = without_images(*data_, bad);
  data_ = &*opened_;
}

void TrainingRun::check_data() const {
  for (const auto& [name, split] :
       {std::pair{"training", &data_->train}, std::pair{"validation", &data_->val}, std::pair{"test", &data_->test}})
    require_data(split->count > 0, data_->source, ": has no ", name, " images");
  const Augmentation augmentation = parse_augmentation(options_.augment);
  require(augmentation.shift < std::min(data_->height, data_->width), "--augment shift=", augmentation.shift,
          ": the images have only ", data_->height, "x", data_->width, " pixels");
}

// Peers have one seed, of all that they share, and starts of their own.
std::uint64_t TrainingRun::initial_seed() const {
  return options_.seed + static_cast<std::uint64_t>(std::max(0, options_.peer - 1));
}

void TrainingRun::build_network(const TrainingRun* first) {
  const ModelCard* origin = committed_ ? &committed_->weights.card : init_ && init_->card ? &*init_->card : nullptr;
  // A stem left open is that of the weights the run starts from: another one could not take them.
  const std::optional<NetworkOptions> known = origin ? origin->network : init_ ? init_->recognized : std::nullopt;
  const bool small = options_.stem == "auto" ? (known ? known->small_stem : std::max(data_->height, data_->width) <= 64)
                                             : options_.stem == "small";
  network_ = make_model(*context_, {.name = options_.model,
                                    .in_channels = data_->channels,
                                    .outputs = learned().outputs,
                                    .small_stem = small,
                                    .zero_last_gamma = options_.zero_last_gamma,
                                    .dropout = static_cast<float>(options_.dropout),
                                    .first_dropout = std::max(0, options_.peer - 1) * 1024});
  const bool has_small = network_->options().small_stem;
  require(options_.stem != "imagenet" || !has_small, "--stem imagenet: ", options_.model, " has the small stem only");
  options_.stem = has_small ? "small" : "imagenet";
  card_ = {.network = network_->options(),
           .task = data_->task,
           .height = data_->height,
           .width = data_->width,
           .mean = {},
           .deviation = {},
           .labels = data_->label_names,
           .cumulative = options_.ordinal,
           .data = data_->source,
           .epoch = 0,
           .val_auc = 0};
  if (committed_ || (origin && options_.normalise == "auto")) {
    card_.mean = origin->mean;
    card_.deviation = origin->deviation;
  } else if (options_.normalise == "imagenet") {
    use_imagenet_normalisation(card_);
  } else if (first != nullptr) {
    card_.mean = first->card_.mean;
    card_.deviation = first->card_.deviation;
  } else {
    measure_normalisation(*data_, data_->train, options_.threads, card_);
  }
  if (options_.freeze == freeze_all) options_.freeze = network_->freezable_blocks();
  require(options_.freeze <= network_->freezable_blocks(), "--freeze ", options_.freeze, ": ", options_.model, " has ",
          network_->freezable_blocks(), " blocks that can be frozen");
  if (!committed_) network_->initialize(initial_seed());
  if (init_) start_from_init();
  init_.reset();
  // As in the last epoch, whose optimizer state it is; what unfreezes next is the next epoch's to do.
  network_->freeze(frozen_blocks(committed_ ? committed_->state.epoch - 1 : 0));
}

void TrainingRun::make_average() {
  const std::optional<double> teaches = decay_of_teacher(options_);
  if (!teaches && options_.ema == 0) return;
  averaged_ = make_model(*context_, network_->options());
  averaged_->parameters().load(network_->parameters().state());
  averaged_->fold();
  average_.emplace(network_->parameters(), averaged_->parameters(), teaches.value_or(options_.ema));
}

void TrainingRun::make_methods() {
  const bool teaches_itself = decay_of_teacher(options_).has_value();
  const MethodSetup setup{.context = context_.get(),
                          .student = network_.get(),
                          .teacher = teaches_itself ? averaged_.get()
                                     : teachers_    ? teachers_->only_network()
                                                    : nullptr,
                          .height = data_->height,
                          .width = data_->width,
                          .teacher_height = teaches_itself ? data_->height
                                            : teachers_    ? teachers_->height()
                                                           : 0,
                          .teacher_width = teaches_itself ? data_->width
                                           : teachers_    ? teachers_->width()
                                                          : 0,
                          .images = data_->train.count,
                          .multi_label = learned().task == Task::multi_label,
                          .seed = initial_seed(),
                          .classes = learned().task == Task::multi_label ? nullptr : &data_->train.labels,
                          .note = [this](const std::string& text) { note_at_start(text); }};
  for (const MethodSettings& settings : transfer_methods(options_))
    methods_.push_back(kind_of(settings).make(setup, settings));
}

void TrainingRun::prepare_learning() {
  std::vector<Parameters*> learning = {&network_->parameters()};
  for (const auto& method : methods_) learning.push_back(&method->parameters());
  optimizer_.emplace(learning, optimizer_options(options_, *network_));
  schedule_ = Schedule(schedule_options(options_));
  if (committed_) restore();
  network_->fold();
}

int TrainingRun::frozen_blocks(int epochs_done) const {
  return options_.unfreeze == 0 ? options_.freeze : std::max(0, options_.freeze - epochs_done / options_.unfreeze);
}

void TrainingRun::start_from_init() {
  const std::string path = init_->named.file.path, &head = network_->head_name();
  bool new_head = options_.new_head;
  if (init_->card) {
    const ModelCard& card = *init_->card;
    require_data(card.network.in_channels == data_->channels, path, ": the network takes images of ",
                 card.network.in_channels, " channels, ", data_->source, " has ", data_->channels);
    const bool same_labels =
        card.task == data_->task && card.labels == data_->label_names && card.cumulative == options_.ordinal;
    if (!same_labels && !new_head)
      note(message("the head ", head, " starts anew: the labels of ", path, " are not those of ", data_->source));
    new_head |= !same_labels;
  }
  const WeightFit fit = fit_weights(std::move(init_->named), *network_);
  load_fit(*network_, fit, new_head);
  if (init_->card) return;
  for (const std::string& line : describe(fit)) note(message(path, ": ", line));
  note(message(path,
               new_head ? ": the head starts anew" : ": the head is kept, its outputs taken for the labels in order",
               "; images are normalized by their own mean and deviation (preceptor-import sets others)"));
}

// A session that goes on has said all this before.
void TrainingRun::note_at_start(const std::string& text) {
  if (!continues_) note(text);
}

void TrainingRun::load_teachers(std::vector<CardCheckpoint> checkpoints) {
  if (checkpoints.empty()) return;
  if (!continues_ && checkpoints.size() == 1 && same_weights(network_->parameters().state(), checkpoints[0].tensors))
    note(message("the student starts as its teacher ", checkpoints[0].path, ": there is nothing to learn from it"));
  teachers_.emplace(*context_, std::move(checkpoints), learned(),
                    [this](const std::string& text) { note_at_start(text); });
  taught_ = teachers_->taught();
}

void TrainingRun::use_predictions(const ProbabilityTable& table) {
  auto rows = std::make_unique<PredictedRows>(*context_, table, learned(), std::min(options_.batch, data_->train.count),
                                              options_.teacher_missing == "skip",
                                              [this](const std::string& text) { note_at_start(text); });
  for (const MethodSettings& settings : transfer_methods(options_))
    require(rows->missing() == 0 || kind_of(settings).by_image || !kind_of(settings).needs_teacher, "--method ",
            settings.name, ": compares the images of a batch, and ", rows->missing(), " are not in ", table.source);
  taught_ = rows->taught();
  teacher_rows_ = std::move(rows);
}

// It takes a pass over the validation images, so everything that could be refused has been looked at before.
void TrainingRun::weigh_teachers() {
  if (!teachers_) return;
  teachers_->weigh(options_.teacher_weights, meets_teacher(), [this](const std::string& text) { note_at_start(text); });
  if (!meets_teacher()) return;
  teachers_on_validation_ = teachers_->on_validation();
  if (options_.ordinal)
    teachers_on_validation_.probabilities = grade_probabilities(teachers_on_validation_.probabilities, data_->outputs);
}

void TrainingRun::open_teacher_rows() {
  if (!teachers_ || options_.teacher_cache.empty()) return;
  TeacherCacheOptions cache;
  const auto beside_the_run = [&] {
    return (std::filesystem::path(options_.out) / ".." / "teacher-cache").lexically_normal();
  };
  cache.folder = options_.teacher_cache == "auto" ? beside_the_run().string() : options_.teacher_cache;
  cache.rounded = options_.teacher_cache_type == "bfloat16";
  for (const auto& method : methods_)
    for (const std::string& tap : method->teacher_taps())
      if (std::find(cache.taps.begin(), cache.taps.end(), tap) == cache.taps.end()) cache.taps.push_back(tap);
  cache.loader = loading();
  cache.motions = parse_augmentation(options_.augment).input(card_.mean, card_.deviation);
  if (!options_.augment.empty()) cache.changes = options_.augment + ", " + options_.sampling;
  cache.epochs = options_.epochs;
  teacher_rows_ = open_teacher_cache(
      *context_, *teachers_, learned(), cache, [this](const std::string& text) { note_at_start(text); },
      [this, begin = Clock::now(), last = Clock::time_point()](std::uint64_t seen, std::uint64_t images) mutable {
        if (Clock::now() - last < std::chrono::milliseconds(500)) return;
        last = Clock::now();
        report_work("teacher cache", seen, images, begin);
      });
}

void TrainingRun::restore() {
  load_parameters(*network_, committed_->weights);
  optimizer_->load(committed_->state.tensors);
  for (const auto& method : methods_) load_learned(method->parameters(), committed_->state.tensors);
  if (averaged_) {
    load_learned(averaged_->parameters(), committed_->state.tensors, average_prefix);
    averaged_->fold();
  }
  state_ = std::move(committed_->state);
  rows_ = std::move(committed_->rows);
  committed_.reset();
  state_.tensors.clear();
  schedule_.restore(state_.schedule);
  context_->write_step_state({.learning_rate = 0, .step = state_.step, .seed = options_.seed});
  epochs_before_ = state_.epoch;
}

// Only what the file says must hold: a later version may have more options, whose defaults change nothing.
void TrainingRun::require_same_config() const {
  std::istringstream wanted(config_text(options_)), written(read_file(directory_.config_path()));
  std::vector<std::string> lines;
  for (std::string line; std::getline(wanted, line);) lines.push_back(line);
  for (std::string line; std::getline(written, line);)
    require(line.empty() || line.starts_with('#') || std::find(lines.begin(), lines.end(), line) != lines.end(),
            directory_.config_path(), ": the run there has other options: ", line);
}

void TrainingRun::note(const std::string& text) {
  log_.note(text);
  if (!report_) return;
  Progress progress;
  progress.label = options_.out;
  progress.note = text;
  report_(progress);
}

}  // namespace preceptor
