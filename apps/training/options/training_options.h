// Everything that decides the bits of a training run, each option declared once.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "apps/command_line/command_line.h"
#include "apps/training/options/augmentation.h"
#include "data/batches/sampling.h"
#include "engine/optimizer.h"
#include "engine/schedule.h"
#include "models/transfer/method.h"

namespace preceptor {

inline constexpr int freeze_all = -1;
inline constexpr int device_images_auto = -1;

enum class Stem { automatic, imagenet, small };          // automatic: small for images of at most 64 pixels
enum class Normalization { automatic, data, imagenet };  // automatic: that of `init`, otherwise the data's

template <>
inline constexpr std::array words<Stem>{"auto", "imagenet", "small"};
template <>
inline constexpr std::array words<Normalization>{"auto", "data", "imagenet"};
template <>
inline constexpr std::array words<Sampling>{"shuffle", "balanced", "square-root"};
template <>
inline constexpr std::array words<UpdateRule>{"sgd", "adam", "adamw"};
template <>
inline constexpr std::array words<ScheduleKind>{"constant", "step", "cosine", "plateau"};
template <>
inline constexpr std::array words<Storage>{"float", "bfloat16"};

inline std::string read_text(const std::string& text, MethodSettings& method) {
  method = parse_method(text);
  return {};
}

struct CheckpointSpec {
  std::string path;
};
// Probabilities that any program wrote.
struct TableSpec {
  std::string path;
};
// The student's own moving average.
struct EmaSpec {
  std::optional<double> decay;  // none: that of --ema, or 0.999
  std::string text = "ema";     // as it was given
};
using TeacherSpec = std::variant<CheckpointSpec, TableSpec, EmaSpec>;

// A path, "predictions:FILE", "ema" or "ema:decay=NUMBER". Errors: usage.
std::string read_text(const std::string& text, TeacherSpec& teacher);
std::string to_string(const TeacherSpec& teacher);

// Written to config.toml of the run directory and read back by --resume.
struct TrainingOptions {
  std::string data;  // FORMAT:PATH
  Augmentation augment;
  Normalization normalise = Normalization::automatic;
  Sampling sampling = Sampling::shuffle;
  OnError on_bad_image = OnError::stop, teacher_missing = OnError::stop;
  double bad_image_limit = 0.01;

  std::string model = "resnet18";  // empty in the options of several peers
  Stem stem = Stem::automatic;
  std::string init;      // weights to start from; a checkpoint's head is kept only if its labels match
  bool ordinal = false;  // an output for each grade but the last: is the image's grade above it?
  bool new_head = false, zero_last_gamma = false;
  int freeze = 0, unfreeze = 0;  // freeze_all: all but the head
  double layer_decay = 1, l2_sp = 0, dropout = 0;

  std::vector<TeacherSpec> teachers;  // several checkpoints, or one of another kind; empty: no transfer from a network
  std::string teacher_weights = "equal";  // "auc", or a number for each
  bool teacher_stream = false;
  std::string teacher_cache;  // folder of cached teacher outputs; "auto"; empty: no cache
  Storage teacher_cache_type = Storage::float32;
  std::vector<MethodSettings> methods;
  int meter_every = 200;
  double balance = 0, ema = 0;
  int generations = 1;             // above 1: a chain, see train_generations()
  std::vector<std::string> peers;  // models that learn together, see train_peers()
  int peer = 0;                    // which of the peers this run is, from 1; 0: all of them, or no peers

  int epochs = 10, batch = 64;
  UpdateRule optimizer = UpdateRule::adam;
  double learning_rate = 1e-3, momentum = 0.9, weight_decay = 0, clip_value = 0, clip_norm = 0;
  bool nesterov = false;
  ScheduleKind schedule = ScheduleKind::constant;
  std::vector<int> milestones;
  double factor = 0.1;
  int patience = 10, warmup = 0;

  std::uint64_t seed = 0;
  std::string device = "cpu";
  Precision precision = Precision::float32;
  Graph graph = Graph::on;
  int device_images = device_images_auto;  // MiB
  int threads = 0, bootstrap = 1000;
  bool tensorboard = true;
  std::string out;  // run directory

  // Declares all options, in the order of config.toml.
  void visit(OptionTable& options);
};

// The prediction table among the teachers, or null.
const TableSpec* table_teacher(const TrainingOptions& options);
// The decay of the student's average, if that is the teacher.
std::optional<double> ema_teacher_decay(const TrainingOptions& options);

// Checks each option and their combinations; looks at no file. Errors: usage, in the words of the command line.
void check_options(const TrainingOptions& options);

// The options under their names, except --out; empty texts and lists are left out.
nlohmann::ordered_json options_json(const TrainingOptions& options);
// The same as TOML: valid for --config, and read back by --resume.
std::string config_text(const TrainingOptions& options);

// As the engine takes them. Keeps a reference to the network, whose blocks tell the parameters apart.
OptimizerOptions optimizer_options(const TrainingOptions& options, const Network& network);
ScheduleOptions schedule_options(const TrainingOptions& options);

}  // namespace preceptor
