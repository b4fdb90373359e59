// Making of students: network, card, start, average, optimizer.
#include "apps/training/student.h"

#include <algorithm>

#include "apps/inference/card_and_data.h"
#include "engine/files/check.h"
#include "models/registry.h"

namespace preceptor {
namespace {

// Prefix of the moving average's tensors in the state of a run.
const std::string average_prefix = "average.";

void load_learned(Parameters& parameters, const StateDict& state, const std::string& prefix = "") {
  StateDict learned;
  for (const Parameter& parameter : parameters.all()) {
    const auto found = state.find(prefix + parameter.name());
    require_data(found != state.end(), "the state of the run lacks ", prefix, parameter.name());
    learned[parameter.name()] = found->second;
  }
  parameters.load(learned);
}

// The card that the start brings, if any.
const ModelCard* card_of(const StudentStart& start) {
  if (start.checkpoint) return &start.checkpoint->card;
  return start.init && start.init->card ? &*start.init->card : nullptr;
}

// --stem auto takes the stem of the weights the run starts from: another one could not take them.
bool has_small_stem(const TrainingOptions& options, const Dataset& data, const StudentStart& start) {
  if (options.stem != Stem::automatic) return options.stem == Stem::small;
  const ModelCard* card = card_of(start);
  const std::optional<NetworkOptions> known = card != nullptr ? card->network
                                              : start.init    ? start.init->recognized
                                                              : std::nullopt;
  return known ? known->small_stem : std::max(data.height, data.width) <= 64;
}

ModelCard make_card(const TrainingOptions& options, const Dataset& data, const Network& network) {
  return {.network = network.options(),
          .task = data.task,
          .height = data.height,
          .width = data.width,
          .labels = data.label_names,
          .cumulative = options.ordinal,
          .data = data.source};
}

void set_normalization(ModelCard& card, const TrainingOptions& options, const Dataset& data, const StudentStart& start,
                       const Student* first) {
  const ModelCard* known = start.checkpoint || options.normalise == Normalization::automatic ? card_of(start) : nullptr;
  if (known == nullptr && options.normalise == Normalization::imagenet) return use_imagenet_normalization(card);
  if (known == nullptr && first != nullptr) known = &first->card;
  if (known == nullptr) return measure_normalization(data, data.train, options.threads, card);
  card.mean = known->mean;
  card.deviation = known->deviation;
}

void load_init(Network& network, Run& run, const Dataset& data, StudentStart::Weights init) {
  const std::string path = init.named.file.path, &head = network.head_name();
  bool new_head = run.options.new_head;
  if (init.card) {
    const ModelCard& card = *init.card;
    require_channels(path, card, data);
    const bool same_labels =
        card.task == data.task && card.labels == data.label_names && card.cumulative == run.options.ordinal;
    if (!same_labels && !new_head)
      run.note(message("the head ", head, " starts anew: the labels of ", path, " are not those of ", data.source));
    new_head |= !same_labels;
  }
  const WeightFit fit = fit_weights(std::move(init.named), network);
  load_fit(network, fit, new_head);
  if (init.card) return;
  for (const std::string& line : describe(fit)) run.note(message(path, ": ", line));
  run.note(message(
      path, new_head ? ": the head starts anew" : ": the head is kept, its outputs taken for the labels in order",
      "; images are normalized by their own mean and deviation (preceptor-import sets others)"));
}

}  // namespace

StudentStart read_start(Run& run, const Run* first) {
  StudentStart start{read_checkpoint(run, first), std::nullopt};
  const std::string& path = run.options.init;
  if (start.checkpoint || path.empty()) return start;
  StudentStart::Weights& init =
      start.init.emplace(StudentStart::Weights{with_torchvision_names(load_weights(path)), std::nullopt, std::nullopt});
  const Checkpoint& checkpoint = init.named.file.checkpoint;
  if (has_card(checkpoint.metadata))
    init.card = card_from(checkpoint.metadata, path);
  else
    init.recognized = recognize_network(checkpoint.tensors);
  return start;
}

std::uint64_t initial_seed(const TrainingOptions& options) {
  return options.seed + static_cast<std::uint64_t>(std::max(0, options.peer - 1));
}

int frozen_blocks(const TrainingOptions& options, int epochs_done) {
  return options.unfreeze == 0 ? options.freeze : std::max(0, options.freeze - epochs_done / options.unfreeze);
}

Student make_student(Context& context, const TrainingData& data, Run& run, StudentStart start, const Student* first) {
  TrainingOptions& options = run.options;
  Student student;
  student.network = make_model(context, {.name = options.model,
                                         .in_channels = data.images.channels,
                                         .outputs = data.learned().outputs,
                                         .small_stem = has_small_stem(options, data.images, start),
                                         .zero_last_gamma = options.zero_last_gamma,
                                         .dropout = static_cast<float>(options.dropout),
                                         .first_dropout = std::max(0, options.peer - 1) * 1024});
  Network& network = *student.network;
  const bool small = network.options().small_stem;
  require(options.stem != Stem::imagenet || !small, "--stem imagenet: ", options.model, " has the small stem only");
  options.stem = small ? Stem::small : Stem::imagenet;
  student.card = make_card(options, data.images, network);
  set_normalization(student.card, options, data.images, start, first);
  if (options.freeze == freeze_all) options.freeze = network.freezable_blocks();
  require(options.freeze <= network.freezable_blocks(), "--freeze ", options.freeze, ": ", options.model, " has ",
          network.freezable_blocks(), " blocks that can be frozen");
  if (start.checkpoint)
    load_parameters(network, *start.checkpoint);
  else
    network.initialize(initial_seed(options));
  if (start.init) load_init(network, run, data.images, std::move(*start.init));
  // As in the last epoch, whose optimizer state is restored; the next epoch unfreezes what is due.
  network.freeze(frozen_blocks(options, std::max(run.state.epoch - 1, 0)));
  return student;
}

void keep_average(Student& student, Context& context, const TrainingOptions& options) {
  const std::optional<double> teaches = ema_teacher_decay(options);
  if (!teaches && options.ema == 0) return;
  student.validates_average = options.ema > 0;
  student.averaged = make_model(context, student.network->options());
  student.averaged->parameters().load(student.network->parameters().state());
  student.averaged->fold();
  student.average = std::make_unique<MovingAverage>(student.network->parameters(), student.averaged->parameters(),
                                                    teaches.value_or(options.ema));
}

void prepare_learning(Student& student, Run& run) {
  std::vector<Parameters*> learning = {&student.network->parameters()};
  for (const StepMethod& each : student.methods) learning.push_back(&each.method->parameters());
  student.optimizer.emplace(learning, optimizer_options(run.options, *student.network));
  if (run.state.epoch > 0) {
    const StateDict state = std::exchange(run.state.tensors, {});
    student.optimizer->load(state);
    for (const StepMethod& each : student.methods) load_learned(each.method->parameters(), state);
    if (student.averaged) {
      load_learned(student.averaged->parameters(), state, average_prefix);
      student.averaged->fold();
    }
  }
  student.network->fold();
}

StateDict learning_state(const Student& student) {
  StateDict state = student.optimizer->state();
  for (const StepMethod& each : student.methods) state.merge(each.method->parameters().state());
  if (student.averaged)
    for (auto& [name, tensor] : student.averaged->parameters().state()) state[average_prefix + name] = tensor;
  return state;
}

}  // namespace preceptor
