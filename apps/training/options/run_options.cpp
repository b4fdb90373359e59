// Checks of training options, and their text form.
#include "apps/training/options/run_options.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "apps/training/options/augmentation.h"
#include "data/metrics/bootstrap.h"
#include "engine/files/check.h"
#include "engine/files/numbers.h"
#include "engine/files/text.h"
#include "models/registry.h"

namespace preceptor {
namespace {

void require_one_of(const char* flag, const std::string& value, const std::vector<std::string>& valid) {
  require(std::find(valid.begin(), valid.end(), value) != valid.end(), flag, " ", value, ": not one of ", list(valid));
}

template <class Number>
void require_range(const char* flag, Number value, Number low, Number high) {
  require(value >= low && value <= high, flag, " ", value, ": not from ", low, " to ", high);
}

void check_teachers(const TrainingOptions& options) {
  require_one_of("--teacher-missing", options.teacher_missing, {"stop", "skip"});
  require_one_of("--teacher-cache-type", options.teacher_cache_type, {"float", "bfloat16"});
  require(options.teacher_cache.empty() || !options.teachers.empty(), "--teacher-cache needs --teacher");
  require(options.ema >= 0 && options.ema < 1, "--ema ", options.ema, ": not from 0 to below 1");
  if (const std::optional<std::string> predictions = predictions_of_teacher(options)) {
    require(options.teachers.size() == 1, "--teacher predictions:", *predictions, ": teaches alone");
    require(options.teacher_cache.empty(), "--teacher-cache is for checkpoints: predictions cost nothing in a step");
    require(parse_augmentation(options.augment).mixup == 0, "--augment mixup: predictions are of whole images");
  }
  if (const std::optional<double> decay = decay_of_teacher(options)) {
    require(options.teachers.size() == 1, "--teacher ema: the student's average teaches alone");
    require(options.teacher_cache.empty(), "--teacher-cache: the student's average is another one in every step");
    require(options.ema == 0 || options.ema == *decay, "--ema ", options.ema,
            ": the average that teaches has another decay, ", *decay);
  }
}

void check_peers(const TrainingOptions& options) {
  const std::vector<MethodSettings> methods = transfer_methods(options);
  const auto mutual = std::ranges::find_if(methods, [](const auto& method) { return kind_of(method).needs_peers; });
  if (options.peers.empty()) {
    require(mutual == methods.end(), "--method ", mutual == methods.end() ? "" : mutual->name, " needs --peers");
    return;
  }
  for (const std::string& peer : options.peers) require_one_of("--peers", peer, model_names());
  require(options.peers.size() > 1, "--peers ", options.peers[0],
          ": one network has no peer; for example resnet8,resnet8");
  require(mutual != methods.end(), "--peers needs --method dml: nothing else lets them learn from each other");
  require(options.teachers.empty(), "--peers teach each other: they go without --teacher");
  require(options.generations == 1, "--peers goes without --generations: there is no one teacher of the next");
  require(options.init.empty(),
          "--peers goes without --init: from one start, networks of one kind have nothing to say "
          "to each other");
}

void check_network(const TrainingOptions& options) {
  require_one_of("--model", options.model, model_names());
  require_one_of("--stem", options.stem, {"auto", "imagenet", "small"});
  require_range("--freeze", options.freeze, freeze_all, 1000);
  require(options.freeze == 0 || !options.init.empty(),
          "--freeze needs --init: blocks that never learned would stay random");
  require_range("--unfreeze", options.unfreeze, 0, 1000000);
  require(options.unfreeze == 0 || options.freeze != 0, "--unfreeze needs --freeze: there is nothing to unfreeze");
  require(options.layer_decay > 0 && options.layer_decay <= 1, "--layer-decay ", options.layer_decay,
          ": not above 0 and at most 1");
  require(options.l2_sp >= 0 && std::isfinite(options.l2_sp), "--l2-sp ", options.l2_sp, ": must be at least 0");
  require(options.l2_sp == 0 || !options.init.empty(), "--l2-sp needs --init: there is no start worth staying near");
  require(!options.new_head || !options.init.empty(), "--new-head needs --init: without it every layer is new");
  require(!options.zero_last_gamma || options.init.empty(),
          "--zero-last-gamma is about a new network; --init brings its own values");
  require(options.dropout >= 0 && options.dropout < 1, "--dropout ", options.dropout, ": not in [0, 1)");
  require(options.teachers.empty() || !options.methods.empty(), "--teacher needs a --method");
  check_teachers(options);
  check_peers(options);
  const std::vector<MethodSettings> methods = transfer_methods(options);
  for (const MethodSettings& method : methods)
    require(!options.teachers.empty() || !kind_of(method).needs_teacher, "--method ", method.name, " needs --teacher");
  for (std::size_t i = 0; i < methods.size(); ++i)
    for (std::size_t j = 0; j < i; ++j)
      require(methods[i].name != methods[j].name, "--method ", methods[i].name, " is given twice");
  for (const MethodSettings& method : methods)
    require(kind_of(method).takes_mixtures || parse_augmentation(options.augment).mixup == 0, "--method ", method.name,
            " asks for the class or the place of one image, and --augment mixup makes images of two");
}

void check_meters(const TrainingOptions& options) {
  require_range("--meter-every", options.meter_every, 0, 1'000'000'000);
  require(options.balance >= 0 && options.balance < 1, "--balance ", options.balance, ": not in [0, 1)");
  if (options.balance == 0) return;
  require(!options.methods.empty(), "--balance needs a --method: there is nothing beside the labels");
  require(options.meter_every > 0, "--balance needs --meter-every above 0: it acts on what is measured");
  for (const MethodSettings& method : transfer_methods(options))
    require(label_weight(method) > 0, "--balance: --method ", method.name,
            " leaves the labels no weight, so they have no share");
}

void check_learning(const TrainingOptions& options) {
  require_one_of("--optimizer", options.optimizer, {"sgd", "adam", "adamw"});
  require(options.learning_rate > 0 && std::isfinite(options.learning_rate), "--lr ", options.learning_rate,
          ": must be above 0");
  require(options.momentum >= 0 && options.momentum < 1, "--momentum ", options.momentum,
          ": must be at least 0 and below 1");
  require(!options.nesterov || (options.optimizer == "sgd" && options.momentum > 0),
          "--nesterov is a form of --optimizer sgd with --momentum above 0");
  require_range("--weight-decay", options.weight_decay, 0.0, 1e6);
  require_range("--clip-value", options.clip_value, 0.0, 1e30);
  require_range("--clip-norm", options.clip_norm, 0.0, 1e30);
  require_one_of("--schedule", options.schedule, {"constant", "step", "cosine", "plateau"});
  require(options.milestones.empty() == (options.schedule != "step"),
          "--milestones and --schedule step belong together");
  for (std::size_t i = 0; i < options.milestones.size(); ++i)
    require(options.milestones[i] > (i == 0 ? 0 : options.milestones[i - 1]),
            "--milestones: epochs above 0 in growing order are expected");
  require(options.factor > 0 && options.factor <= 1, "--factor ", options.factor, ": must be above 0 and at most 1");
  require_range("--patience", options.patience, 0, 1'000'000);
  require_range("--warmup", options.warmup, 0, options.epochs);
}

}  // namespace

void check_options(const TrainingOptions& options) {
  require(!options.data.empty(), "--data is missing: FORMAT:PATH, for example 'phantom:chest?n=500'");
  require(!options.out.empty(), "--out is missing: the directory of the run");
  require_one_of("--device", options.device, {"cpu", "cuda", "emulated"});
  precision_named(options.precision);
  require_range("--device-images", options.device_images, device_images_auto, 1 << 24);
  require_one_of("--graph", options.graph, {"on", "off"});
  require(!options.teacher_stream || (!options.teachers.empty() && options.teacher_cache.empty() &&
                                      !predictions_of_teacher(options) && !decay_of_teacher(options)),
          "--teacher-stream needs a --teacher that is asked in every step: no cache, no predictions, no average of the "
          "student");
  check_network(options);
  require_range("--epochs", options.epochs, 1, 1'000'000);
  require_range("--batch", options.batch, 1, 1 << 16);
  check_meters(options);
  check_learning(options);
  parse_augmentation(options.augment);
  require_one_of("--normalise", options.normalise, {"auto", "data", "imagenet"});
  require_one_of("--sampling", options.sampling, {"shuffle", "balanced", "square-root"});
  require_one_of("--on-bad-image", options.on_bad_image, {"stop", "skip"});
  require_range("--bad-image-limit", options.bad_image_limit, 0.0, 1.0);
  require_range("--threads", options.threads, 0, 4096);
  require_resamples(options.bootstrap);
}

std::optional<std::string> predictions_of_teacher(const TrainingOptions& options) {
  const std::string prefix = "predictions:";
  for (const std::string& teacher : options.teachers)
    if (teacher.starts_with(prefix)) return teacher.substr(prefix.size());
  return std::nullopt;
}

std::optional<double> decay_of_teacher(const TrainingOptions& options) {
  const std::string prefix = "ema:decay=";
  for (const std::string& teacher : options.teachers) {
    if (teacher == "ema") return options.ema > 0 ? options.ema : 0.999;
    if (!teacher.starts_with("ema:")) continue;
    const std::optional<double> decay =
        teacher.starts_with(prefix) ? parse_number(teacher.substr(prefix.size())) : std::nullopt;
    require(decay && *decay >= 0 && *decay < 1, "--teacher ", teacher,
            ": ema:decay=NUMBER is expected, from 0 to below 1");
    return *decay;
  }
  return std::nullopt;
}

nlohmann::ordered_json options_json(const TrainingOptions& options) {
  nlohmann::ordered_json json;
  json["data"] = options.data;
  if (!options.augment.empty()) json["augment"] = options.augment;
  json["normalise"] = options.normalise;
  json["sampling"] = options.sampling;
  json["on-bad-image"] = options.on_bad_image;
  json["bad-image-limit"] = options.bad_image_limit;
  if (!options.model.empty()) json["model"] = options.model;
  json["stem"] = options.stem;
  if (!options.init.empty()) json["init"] = options.init;
  if (options.ordinal) json["ordinal"] = true;
  json["new-head"] = options.new_head;
  json["freeze"] = options.freeze;
  json["unfreeze"] = options.unfreeze;
  json["layer-decay"] = options.layer_decay;
  json["l2-sp"] = options.l2_sp;
  json["zero-last-gamma"] = options.zero_last_gamma;
  json["dropout"] = options.dropout;
  if (options.teachers.size() == 1) json["teacher"] = options.teachers[0];
  if (options.teachers.size() > 1) {
    json["teacher"] = options.teachers;
    json["teacher-weights"] = options.teacher_weights;
  }
  if (!options.teachers.empty()) json["teacher-stream"] = options.teacher_stream;
  if (predictions_of_teacher(options)) json["teacher-missing"] = options.teacher_missing;
  if (!options.teacher_cache.empty()) {
    json["teacher-cache"] = options.teacher_cache;
    json["teacher-cache-type"] = options.teacher_cache_type;
  }
  if (!options.methods.empty()) {
    json["method"] = options.methods;
    json["meter-every"] = options.meter_every;
    json["balance"] = options.balance;
  }
  if (options.ema > 0) json["ema"] = options.ema;
  if (options.generations > 1) json["generations"] = options.generations;
  if (!options.peers.empty()) json["peers"] = options.peers;
  if (options.peer > 0) json["peer"] = options.peer;
  json["epochs"] = options.epochs;
  json["batch"] = options.batch;
  json["optimizer"] = options.optimizer;
  json["lr"] = options.learning_rate;
  json["momentum"] = options.momentum;
  json["nesterov"] = options.nesterov;
  json["weight-decay"] = options.weight_decay;
  json["clip-value"] = options.clip_value;
  json["clip-norm"] = options.clip_norm;
  json["schedule"] = options.schedule;
  if (!options.milestones.empty()) json["milestones"] = options.milestones;
  json["factor"] = options.factor;
  json["patience"] = options.patience;
  json["warmup"] = options.warmup;
  json["seed"] = options.seed;
  json["device"] = options.device;
  json["precision"] = options.precision;
  json["graph"] = options.graph;
  json["device-images"] = options.device_images;
  json["threads"] = options.threads;
  json["bootstrap"] = options.bootstrap;
  json["tensorboard"] = options.tensorboard;
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
  chosen.rule = options.optimizer == "sgd"    ? UpdateRule::sgd
                : options.optimizer == "adam" ? UpdateRule::adam
                                              : UpdateRule::adamw;
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
  ScheduleOptions chosen;
  chosen.kind = options.schedule == "constant" ? ScheduleKind::constant
                : options.schedule == "step"   ? ScheduleKind::step
                : options.schedule == "cosine" ? ScheduleKind::cosine
                                               : ScheduleKind::plateau;
  chosen.learning_rate = options.learning_rate;
  chosen.epochs = options.epochs;
  chosen.warmup = options.warmup;
  chosen.milestones = options.milestones;
  chosen.factor = options.factor;
  chosen.patience = options.patience;
  return chosen;
}

std::vector<MethodSettings> transfer_methods(const TrainingOptions& options) {
  std::vector<MethodSettings> methods;
  for (const std::string& text : options.methods) methods.push_back(parse_method(text));
  return methods;
}

}  // namespace preceptor
