// All options of a training run, and the kinds of teachers.
#include "apps/training/options/training_options.h"

#include "data/formats/open_dataset.h"
#include "engine/files/numbers.h"
#include "models/registry.h"

namespace preceptor {
namespace {

void visit_data(OptionTable& table, TrainingOptions& o) {
  table.group("Data");
  table(o.data, "--data", "FORMAT:PATH",
        "Images and labels: " + format_list() + "; docs/data.md describes them and their keys");
  table(o.augment, "--augment", "NAME[=NUMBER],...",
        "Random changes of training images: flip, shift=PIXELS, rotate=DEGREES, scale=, crop=, contrast=, "
        "brightness=, noise= (fractions), cutout=PIXELS, mixup=ALPHA");
  table(o.normalise, "--normalise", "NAME",
        "Mean and standard deviation of pixels: data, imagenet, or auto: those of --init, otherwise the data's");
  table(o.sampling, "--sampling", "NAME",
        "shuffle: each training image once per epoch; balanced, square-root: draw rare classes and findings more "
        "often");
  table(o.on_bad_image, "--on-bad-image", "NAME",
        "If an image cannot be read: stop; or skip: read all images first, leave out the bad ones and list them in "
        "the run directory");
  table(o.bad_image_limit, "--bad-image-limit", "FRACTION", "Largest fraction of images that skip may leave out",
        {.at_least = 0, .at_most = 1});
}

void visit_network(OptionTable& table, TrainingOptions& o) {
  table.group("Network");
  // Peers name their models themselves.
  table(o.model, "--model", "NAME", "resnet18, densenet121, resnet8, ...; --list-models prints all",
        {.one_of = o.peers.empty() || o.peer > 0 ? model_names() : std::vector<std::string>()});
  table(o.stem, "--stem", "NAME", "imagenet, small, or auto: that of --init, otherwise small up to 64 pixels");
  table(o.init, "--init", "FILE", "Weights to start from: a checkpoint of ours, safetensors or a PyTorch file (.pth)");
  table(o.ordinal, "--ordinal",
        "Classes are ordered grades: learn for each whether an image is above it, not which one it has",
        {.in_config = o.ordinal});
  table(o.new_head, "--new-head",
        "Initialize the last layer afresh; automatic for a checkpoint of ours that has other labels");
  table(o.freeze, "--freeze", "BLOCKS",
        "Number of blocks that do not learn, from the input: the stem, then each stage; all: only the head learns",
        {.at_least = 0, .at_most = 1000, .words = {{"all", std::to_string(freeze_all)}}});
  table(o.unfreeze, "--unfreeze", "EPOCHS", "Unfreeze one more block every N epochs; 0: never",
        {.at_least = 0, .at_most = 1'000'000});
  table(o.layer_decay, "--layer-decay", "FACTOR",
        "Learning rate of each block relative to the next one; the head learns with --lr", {.at_most = 1, .above = 0});
  table(o.l2_sp, "--l2-sp", "NUMBER",
        "Weight decay toward the weights of --init; --weight-decay then applies to the head only", {.at_least = 0});
  table(o.zero_last_gamma, "--zero-last-gamma", "Start every residual block as the identity");
  table(o.dropout, "--dropout", "PROBABILITY", "Drop probability for the channels that a DenseNet layer adds",
        {.at_least = 0, .below = 1});
}

void visit_transfer(OptionTable& table, TrainingOptions& o) {
  const bool taught = !o.teachers.empty(), cached = !o.teacher_cache.empty(), transfers = !o.methods.empty();
  table.group("Transfer");
  table(o.teachers, "--teacher", "FILE",
        "Checkpoint of the teacher; repeat for an ensemble (mean of the teachers). Or predictions:FILE.csv or .npz: "
        "probabilities by image, from any program. Or ema:decay=0.999: the student's own moving average",
        {.repeated = true});
  table(o.teacher_weights, "--teacher-weights", "WEIGHTS",
        "Weights of an ensemble: equal, auc (for each label by how much a teacher beats chance on validation), or "
        "0.3,0.7",
        {.in_config = o.teachers.size() > 1});
  table(o.teacher_stream, "--teacher-stream",
        "Run teachers on a second branch of the step, beside the student: faster if one network does not fill the "
        "card; the same bits",
        {.in_config = taught});
  table(o.teacher_missing, "--teacher-missing", "NAME",
        "If a prediction table lacks a training image: stop; or skip: learn it from its labels only",
        {.in_config = table_teacher(o) != nullptr});
  table(o.teacher_cache, "--teacher-cache", "DIR",
        "Folder that caches teacher outputs on the training images, for this run and later ones; auto: teacher-cache "
        "next to --out");
  table(o.teacher_cache_type, "--teacher-cache-type", "NAME",
        "float: the same bits as without a cache; bfloat16: half the size", {.in_config = cached});
  table(o.methods, "--method", "NAME[:KEY=VALUE,...]",
        "Transfer method, such as kd:temperature=4,weight=0.9; repeat to add several; --list-methods prints all",
        {.repeated = true});
  table(o.meter_every, "--meter-every", "STEPS",
        "Measure gradient shares every N steps (20 with --balance); 0: neither shares nor comparisons with the teacher",
        {.at_least = 0, .at_most = 1'000'000'000, .in_config = transfers});
  table(o.balance, "--balance", "SHARE",
        "Hold the methods at this share of the gradient norms, such as 0.3; 0: keep the weights as given",
        {.at_least = 0, .below = 1, .in_config = transfers});
}

void visit_chain(OptionTable& table, TrainingOptions& o) {
  table.group("Learning");
  table(o.ema, "--ema", "DECAY",
        "Decay of the weights' moving average, which is then evaluated and kept as the best; 0: off",
        {.at_least = 0, .below = 1, .in_config = o.ema > 0});
  table.group("Transfer");
  table(o.generations, "--generations", "COUNT",
        "Number of trainings in sequence, below --out, each the teacher of the next",
        {.at_least = 1, .at_most = 100, .in_config = o.generations > 1});
  table(o.peers, "--peers", "NAME",
        "Models that learn together, from the labels and from each other, instead of --model; resnet8,resnet20 "
        "creates --out/peer1 and peer2",
        {.one_of = model_names()});
  table(o.peer, "--peer", "NUMBER", "", {.in_config = o.peer > 0});
}

void visit_learning(OptionTable& table, TrainingOptions& o) {
  table.group("Learning");
  table(o.epochs, "--epochs", "COUNT", "Number of passes over the training images",
        {.at_least = 1, .at_most = 1'000'000});
  table(o.batch, "--batch", "COUNT", "Images per step", {.at_least = 1, .at_most = 1 << 16});
  table(o.optimizer, "--optimizer", "NAME", "sgd, adam or adamw");
  table(o.learning_rate, "--lr", "RATE", "Learning rate", {.above = 0});
  table(o.momentum, "--momentum", "NUMBER", "Momentum of sgd", {.at_least = 0, .below = 1});
  table(o.nesterov, "--nesterov", "Use Nesterov momentum");
  table(o.weight_decay, "--weight-decay", "NUMBER", "L2 penalty; with adamw decoupled from the gradient",
        {.at_least = 0, .at_most = 1e6});
  table(o.clip_value, "--clip-value", "NUMBER", "Clamp each gradient element to +- this value; 0: off",
        {.at_least = 0, .at_most = 1e30});
  table(o.clip_norm, "--clip-norm", "NUMBER", "Scale gradients down to this norm; 0: off",
        {.at_least = 0, .at_most = 1e30});
  table.group("Schedule");
  table(o.schedule, "--schedule", "NAME", "constant, step, cosine or plateau");
  table(o.milestones, "--milestones", "EPOCH", "step: epochs after which the rate falls, for example 10,15");
  table(o.factor, "--factor", "NUMBER", "step and plateau: multiply the rate by this", {.at_most = 1, .above = 0});
  table(o.patience, "--patience", "EPOCHS", "plateau: epochs without a better validation loss before the rate falls",
        {.at_least = 0, .at_most = 1'000'000});
  table(o.warmup, "--warmup", "EPOCHS", "Epochs in which the rate grows from 0", {.at_least = 0});
}

void visit_run(OptionTable& table, TrainingOptions& o) {
  table.group("Run");
  table(o.out, "--out", "DIR", "Run directory; must not hold another run", {.in_config = false});
  table(o.seed, "--seed", "NUMBER", "Seed of initial weights, order of images and augmentation");
  add_device(table, o.device);
  add_precision(table, o.precision);
  add_graph(table, o.graph);
  table(o.device_images, "--device-images", "MIB",
        "Keep the training images on the device if all of them take at most this many MiB; auto: a quarter of a "
        "card's memory, 0 elsewhere",
        {.at_least = 0, .at_most = 1 << 24, .words = {{"auto", std::to_string(device_images_auto)}}});
  add_threads(table, o.threads);
  add_bootstrap(table, o.bootstrap, "the interval of the test AUC");
  table(o.tensorboard, "--tensorboard", "Write events for TensorBoard (the default)", {.negatable = true});
}

}  // namespace

void TrainingOptions::visit(OptionTable& table) {
  visit_data(table, *this);
  visit_network(table, *this);
  visit_transfer(table, *this);
  visit_chain(table, *this);
  visit_learning(table, *this);
  visit_run(table, *this);
}

std::string read_text(const std::string& text, TeacherSpec& teacher) {
  const std::string table = "predictions:", average = "ema:decay=";
  if (text.starts_with(table)) {
    teacher = TableSpec{text.substr(table.size())};
  } else if (text == "ema") {
    teacher = EmaSpec{};
  } else if (text.starts_with("ema:")) {
    const auto decay = text.starts_with(average) ? parse_number(text.substr(average.size())) : std::nullopt;
    if (!decay || *decay < 0 || *decay >= 1) return "ema:decay=NUMBER is expected, at least 0 and below 1";
    teacher = EmaSpec{decay, text};
  } else {
    teacher = CheckpointSpec{text};
  }
  return "";
}

std::string to_string(const TeacherSpec& teacher) {
  if (const auto* table = std::get_if<TableSpec>(&teacher)) return "predictions:" + table->path;
  if (const auto* average = std::get_if<EmaSpec>(&teacher)) return average->text;
  return std::get<CheckpointSpec>(teacher).path;
}

const TableSpec* table_teacher(const TrainingOptions& options) {
  for (const TeacherSpec& teacher : options.teachers)
    if (const auto* table = std::get_if<TableSpec>(&teacher)) return table;
  return nullptr;
}

std::optional<double> ema_teacher_decay(const TrainingOptions& options) {
  for (const TeacherSpec& teacher : options.teachers)
    if (const auto* average = std::get_if<EmaSpec>(&teacher))
      return average->decay.value_or(options.ema > 0 ? options.ema : 0.999);
  return std::nullopt;
}

}  // namespace preceptor
