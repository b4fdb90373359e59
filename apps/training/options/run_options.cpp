// Rules between training options, and their text form.
#include "apps/training/options/training_options.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "engine/files/check.h"

namespace preceptor {
namespace {

void check_teachers(const TrainingOptions& options) {
  const bool taught = !options.teachers.empty(), cached = !options.teacher_cache.empty();
  const TableSpec* table = table_teacher(options);
  const std::optional<double> decay = ema_teacher_decay(options);
  require(!taught || !options.methods.empty(), "--teacher needs a --method");
  require(!cached || taught, "--teacher-cache needs --teacher");
  require(!options.teacher_stream || (taught && !cached && !table && !decay),
          "--teacher-stream needs a --teacher that runs in every step: no cache, no predictions, no average of the "
          "student");
  if (table) {
    require(options.teachers.size() == 1, "--teacher predictions:", table->path, ": must be the only teacher");
    require(!cached, "--teacher-cache is for checkpoints: predictions cost nothing in a step");
    require(options.augment.mixup == 0, "--augment mixup: predictions are of whole images");
  }
  if (decay) {
    require(options.teachers.size() == 1, "--teacher ema: the student's average must be the only teacher");
    require(!cached, "--teacher-cache: the student's average changes in every step");
    require(options.ema == 0 || options.ema == *decay, "--ema ", options.ema,
            ": the average that teaches has another decay, ", *decay);
  }
}

void check_peers(const TrainingOptions& options) {
  const auto mutual =
      std::ranges::find_if(options.methods, [](const auto& method) { return kind_of(method).needs_peers; });
  if (options.peers.empty()) {
    require(mutual == options.methods.end(), "--method ", mutual == options.methods.end() ? "" : mutual->name,
            " needs --peers");
    return;
  }
  require(options.peers.size() > 1, "--peers ", options.peers[0],
          ": one network has no peer; give at least two, for example resnet8,resnet8");
  require(mutual != options.methods.end(), "--peers needs --method dml: nothing else lets them learn from each other");
  require(options.teachers.empty(), "--peers teach each other: they go without --teacher");
  require(options.generations == 1, "--peers goes without --generations: no single peer could teach the next");
  require(options.init.empty(),
          "--peers goes without --init: networks of one kind with the same start have nothing to teach each other");
}

void check_methods(const TrainingOptions& options) {
  for (std::size_t i = 0; i < options.methods.size(); ++i) {
    const MethodSettings& method = options.methods[i];
    require(!options.teachers.empty() || !kind_of(method).needs_teacher, "--method ", method.name, " needs --teacher");
    for (std::size_t j = 0; j < i; ++j)
      require(method.name != options.methods[j].name, "--method ", method.name, " is given twice");
    require(kind_of(method).takes_mixtures || options.augment.mixup == 0, "--method ", method.name,
            " needs the class or the place of one image, and --augment mixup blends two");
    require(options.balance == 0 || label_weight(method) > 0, "--balance: --method ", method.name,
            " leaves the labels no weight, so they have no share");
  }
  if (options.balance == 0) return;
  require(!options.methods.empty(), "--balance needs a --method: there is nothing to balance against the labels");
  require(options.meter_every > 0, "--balance needs --meter-every above 0: it acts on what is measured");
}

void check_initialization(const TrainingOptions& options) {
  const bool starts = !options.init.empty();
  require(options.freeze == 0 || starts, "--freeze needs --init: blocks that never learned would stay random");
  require(options.unfreeze == 0 || options.freeze != 0, "--unfreeze needs --freeze: there is nothing to unfreeze");
  require(options.l2_sp == 0 || starts, "--l2-sp needs --init: a random start is not worth staying near");
  require(!options.new_head || starts, "--new-head needs --init: without it every layer is new");
  require(!options.zero_last_gamma || !starts, "--zero-last-gamma is for a new network; --init brings its own values");
}

void check_learning(const TrainingOptions& options) {
  require(!options.nesterov || (options.optimizer == UpdateRule::sgd && options.momentum > 0),
          "--nesterov needs --optimizer sgd with --momentum above 0");
  require(options.milestones.empty() == (options.schedule != ScheduleKind::step),
          "--milestones and --schedule step belong together");
  for (std::size_t i = 0; i < options.milestones.size(); ++i)
    require(options.milestones[i] > (i == 0 ? 0 : options.milestones[i - 1]),
            "--milestones: epochs above 0 in increasing order are expected");
  require(options.warmup <= options.epochs, "--warmup ", options.warmup, ": longer than --epochs ", options.epochs);
}

OptionTable table_of(TrainingOptions& options) {
  OptionTable table;
  options.visit(table);
  return table;
}

}  // namespace

void check_options(const TrainingOptions& options) {
  require(!options.data.empty(), "--data is missing: FORMAT:PATH, for example 'phantom:chest?n=500'");
  require(!options.out.empty(), "--out is missing: the directory of the run");
  TrainingOptions copy = options;
  table_of(copy).check();
  check_initialization(options);
  check_teachers(options);
  check_peers(options);
  check_methods(options);
  check_learning(options);
}

nlohmann::ordered_json options_json(const TrainingOptions& options) {
  TrainingOptions copy = options;
  const OptionTable table = table_of(copy);
  nlohmann::ordered_json json;
  for (const Option& option : table.options) {
    if (!option.rules.in_config) continue;
    nlohmann::ordered_json value =
        std::visit([](const auto& held) { return nlohmann::ordered_json(held); }, option.value());
    if (value == "" || value == nlohmann::ordered_json::array()) continue;
    if (option.name == "--teacher" && value.size() == 1) value = nlohmann::ordered_json(value[0]);
    json[option.name.substr(2)] = std::move(value);
  }
  return json;
}

std::string config_text(const TrainingOptions& options) {
  std::string text =
      "# The options of this run, completed. --resume DIRECTORY reads them back; --config FILE starts another run.\n";
  const nlohmann::ordered_json json = options_json(options);
  // Strings, numbers, booleans and flat arrays look the same in JSON and TOML.
  for (const auto& [name, value] : json.items()) text += name + " = " + value.dump() + "\n";
  return text;
}

OptimizerOptions optimizer_options(const TrainingOptions& options, const Network& network) {
  OptimizerOptions chosen;
  chosen.rule = options.optimizer;
  chosen.momentum = static_cast<float>(options.momentum);
  chosen.nesterov = options.nesterov;
  chosen.weight_decay = static_cast<float>(options.weight_decay);
  chosen.clip_value = static_cast<float>(options.clip_value);
  chosen.clip_norm = static_cast<float>(options.clip_norm);
  chosen.group = [&network, decay = options.layer_decay, l2_sp = static_cast<float>(options.l2_sp),
                  plain = chosen.weight_decay](const std::string& name) {
    const int blocks_behind = network.freezable_blocks() - network.block_of(name);
    const bool to_start = l2_sp > 0 && blocks_behind > 0;
    return UpdateGroup{.learning_rate_scale = static_cast<float>(std::pow(decay, blocks_behind)),
                       .weight_decay = to_start ? l2_sp : plain,
                       .to_start = to_start};
  };
  return chosen;
}

ScheduleOptions schedule_options(const TrainingOptions& options) {
  return {.kind = options.schedule,
          .learning_rate = options.learning_rate,
          .epochs = options.epochs,
          .warmup = options.warmup,
          .milestones = options.milestones,
          .factor = options.factor,
          .patience = options.patience};
}

}  // namespace preceptor
