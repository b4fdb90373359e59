// Declaration of all flags of a training run, and the reading of config.toml.
#include "apps/training/options/training_flags.h"

#include <filesystem>

#include "apps/command_line/command_line.h"
#include "engine/files/check.h"

namespace preceptor {
namespace {

const char* const train_examples =
    "Examples:\n"
    "  preceptor-train --data medmnist:retinamnist.npz --model resnet18 --epochs 20 --lr 1e-3 --out runs/retina\n"
    "                  --augment flip,shift=4,rotate=15\n"
    "  preceptor-train --data 'phantom:chest?site=a&n=5000' --model resnet20 --out runs/teacher\n"
    "  preceptor-train --data 'phantom:chest?site=b&n=500' --model resnet20 --init runs/teacher/best.safetensors\n"
    "                  --freeze 3 --out runs/transfer\n"
    "  preceptor-train --resume runs/retina\n\n"
    "The run directory gets config.toml, metrics.csv (a row per epoch), events for TensorBoard (tensorboard --logdir\n"
    "runs), best.safetensors (best validation AUC),\n"
    "last.safetensors, last.state.safetensors and, at the end, result.json with the test metrics of the best epoch.\n"
    "Flags in a file: --config FILE with lines such as  lr = 0.001  or  data = \"phantom:chest?n=500\".";

const char* const distill_examples =
    "Examples:\n"
    "  preceptor-distill --data 'phantom:chest?site=b&n=500' --teacher runs/teacher/best.safetensors --model resnet8\n"
    "                    --method kd:temperature=4,weight=0.9 --out runs/student\n"
    "  preceptor-distill ... --method kd --method at:weight=1000\n"
    "  preceptor-distill --data 'phantom:chest?n=500' --peers resnet8,resnet20 --out runs/peers\n"
    "  preceptor-distill --resume runs/student\n\n"
    "All methods with their settings are in docs/methods.md; a wrong name or setting lists those that there are.\n"
    "The run directory gets the same files as one of preceptor-train.";

void add_data_flags(CLI::App& app, TrainingOptions& options) {
  app.add_option("--data", options.data,
                 "Images and labels: chexpert:FOLDER, chestxray14:FOLDER, retinopathy:FOLDER, medmnist:FILE.npz, "
                 "folder:FOLDER, table:FILE.csv, phantom:chest|fundus; docs/data.md says which keys follow")
      ->type_name("FORMAT:PATH")
      ->group("Data");
  app.add_flag("--ordinal", options.ordinal,
               "Classes are grades in order: the network learns whether an image is above each, instead of which it is")
      ->group("Data");
  app.add_option("--augment", options.augment,
                 "How training images are changed at random: flip, shift=PIXELS, rotate=DEGREES, scale=, crop=, "
                 "contrast=, brightness=, noise= (fractions), cutout=PIXELS, mixup=ALPHA")
      ->type_name("NAME[=NUMBER],...")
      ->group("Data");
  app.add_option("--normalise", options.normalise,
                 "Mean and deviation of pixels: data, imagenet, or auto: those of --init, else the data's")
      ->type_name("NAME")
      ->capture_default_str()
      ->group("Data");
  app.add_option("--sampling", options.sampling,
                 "shuffle: every training image once an epoch; balanced, square-root: rare classes and findings are "
                 "drawn more often")
      ->type_name("NAME")
      ->capture_default_str()
      ->group("Data");
  app.add_option(
         "--on-bad-image", options.on_bad_image,
         "An image that cannot be read: stop; or skip: read all once, leave such images out, list them in the run "
         "directory")
      ->type_name("NAME")
      ->capture_default_str()
      ->group("Data");
  app.add_option("--bad-image-limit", options.bad_image_limit, "Fraction of images that skip may leave out")
      ->type_name("FRACTION")
      ->capture_default_str()
      ->group("Data");
}

void add_network_flags(CLI::App& app, TrainingOptions& options) {
  app.add_option("--model", options.model, "resnet18, densenet121, resnet8, ...; a wrong name lists all")
      ->type_name("NAME")
      ->capture_default_str()
      ->group("Network");
  app.add_option("--stem", options.stem, "imagenet, small, or auto: that of --init, else small up to 64 pixels")
      ->type_name("NAME")
      ->capture_default_str()
      ->group("Network");
  app.add_option("--init", options.init,
                 "Weights to start from: a checkpoint of ours, safetensors or a PyTorch file (.pth)")
      ->type_name("FILE")
      ->group("Network");
  app.add_flag("--new-head", options.new_head,
               "Start the last layer anew; for a checkpoint of ours that has other labels this happens by itself")
      ->group("Network");
  app.add_option("--freeze", options.freeze,
                 "First blocks that do not learn: 1 is the stem, then each stage is one; all: only the head learns")
      ->type_name("BLOCKS")
      ->transform(CLI::Transformer({{"all", std::to_string(freeze_all)}}))
      ->capture_default_str()
      ->group("Network");
  app.add_option("--unfreeze", options.unfreeze, "Every so many epochs the last frozen block begins to learn; 0: never")
      ->type_name("EPOCHS")
      ->capture_default_str()
      ->group("Network");
  app.add_flag("--zero-last-gamma", options.zero_last_gamma, "Start every residual block as the identity")
      ->group("Network");
  app.add_option("--dropout", options.dropout, "Of what a layer of a dense network adds: the part that falls in a step")
      ->type_name("PROBABILITY")
      ->capture_default_str()
      ->group("Network");
}

void add_transfer_flags(CLI::App& app, TrainingOptions& options) {
  app.add_option("--teacher", options.teachers,
                 "Checkpoint of the teacher; repeated, they teach by their mean; or predictions:FILE.csv or .npz, "
                 "probabilities by image that any program wrote; or ema:decay=0.999, the student's own moving average")
      ->type_name("FILE")
      ->allow_extra_args(false)
      ->group("Transfer");
  app.add_option("--teacher-weights", options.teacher_weights,
                 "Of several: equal, auc (by label, what each is better than chance on validation), or 0.3,0.7")
      ->type_name("WEIGHTS")
      ->capture_default_str()
      ->group("Transfer");
  app.add_flag("--teacher-stream", options.teacher_stream,
               "Let teachers compute beside the student, on a second branch of the step: faster where a network alone "
               "does not fill the card; the bits stay")
      ->group("Transfer");
  app.add_option("--generations", options.generations,
                 "Trainings one after the other, below --out; each is the next one's teacher")
      ->type_name("COUNT")
      ->check(CLI::Range(1, 100))
      ->capture_default_str()
      ->group("Transfer");
  app.add_option("--peers", options.peers,
                 "Networks that learn at the same time, from labels and from each other, instead of --model: "
                 "resnet8,resnet20 makes --out/peer1 and peer2")
      ->type_name("NAME")
      ->delimiter(',')
      ->group("Transfer");
  app.add_option("--peer", options.peer)->group("");  // in the config.toml of each of them
  app.add_option("--teacher-missing", options.teacher_missing,
                 "Training images that predictions lack: stop; or skip: they learn from their labels alone")
      ->type_name("NAME")
      ->capture_default_str()
      ->group("Transfer");
  app.add_option("--teacher-cache", options.teacher_cache,
                 "Folder that keeps what teachers say of the training images, for this run and further ones; auto: "
                 "teacher-cache beside --out")
      ->type_name("DIR")
      ->group("Transfer");
  app.add_option("--teacher-cache-type", options.teacher_cache_type,
                 "float: nothing changes by a bit; bfloat16: half the size")
      ->type_name("NAME")
      ->capture_default_str()
      ->group("Transfer");
  app.add_option("--method", options.methods,
                 "kd:temperature=4,weight=0.9, at:reading=paper, ...; may be repeated; a wrong name lists all")
      ->type_name("NAME[:KEY=VALUE,...]")
      ->allow_extra_args(false)
      ->group("Transfer");
  app.add_option("--balance", options.balance,
                 "Hold the methods at this share of the gradient norms, for example 0.3; 0: weights stay as given")
      ->type_name("SHARE")
      ->capture_default_str()
      ->group("Transfer");
  app.add_option("--meter-every", options.meter_every,
                 "Steps from one that measures gradient shares to the next (with --balance 20); 0: neither shares nor "
                 "comparisons with the teacher")
      ->type_name("STEPS")
      ->capture_default_str()
      ->group("Transfer");
}

void add_optimizer_flags(CLI::App& app, TrainingOptions& options) {
  const auto number = [&](const char* flag, auto& value, const char* text, const char* type) {
    app.add_option(flag, value, text)->type_name(type)->capture_default_str()->group("Learning");
  };
  number("--epochs", options.epochs, "Times all training images are seen", "COUNT");
  number("--batch", options.batch, "Images per step", "COUNT");
  number("--optimizer", options.optimizer, "sgd, adam or adamw", "NAME");
  number("--lr", options.learning_rate, "Learning rate", "RATE");
  number("--momentum", options.momentum, "Of sgd", "NUMBER");
  app.add_flag("--nesterov", options.nesterov, "Nesterov's form of momentum")->group("Learning");
  number("--weight-decay", options.weight_decay, "L2 penalty; with adamw decoupled from the gradient", "NUMBER");
  number("--layer-decay", options.layer_decay, "Learning rate of a block, by that of the next; the head's is --lr",
         "FACTOR");
  number("--l2-sp", options.l2_sp, "Weight decay towards the weights of --init; --weight-decay is then the head's",
         "NUMBER");
  number("--ema", options.ema, "Decay of the weights' moving average, which is evaluated and kept as best; 0: off",
         "DECAY");
  number("--clip-value", options.clip_value, "Clamp every gradient to +- this; 0: off", "NUMBER");
  number("--clip-norm", options.clip_norm, "Scale gradients down to this norm; 0: off", "NUMBER");
}

void add_schedule_flags(CLI::App& app, TrainingOptions& options) {
  const auto number = [&](const char* flag, auto& value, const char* text, const char* type) {
    app.add_option(flag, value, text)->type_name(type)->capture_default_str()->group("Schedule");
  };
  number("--schedule", options.schedule, "constant, step, cosine or plateau", "NAME");
  app.add_option("--milestones", options.milestones, "step: the rate falls after these many epochs, for example 10,15")
      ->type_name("EPOCH")
      ->delimiter(',')
      ->group("Schedule");
  number("--factor", options.factor, "step and plateau: multiplies the rate", "NUMBER");
  number("--patience", options.patience, "plateau: epochs without a better validation loss before that", "EPOCHS");
  number("--warmup", options.warmup, "Epochs in which the rate grows from 0", "EPOCHS");
}

void add_run_flags(CLI::App& app, TrainingOptions& options) {
  const auto number = [&](const char* flag, auto& value, const char* text, const char* type) {
    app.add_option(flag, value, text)->type_name(type)->capture_default_str()->group("Run");
  };
  app.add_option("--out", options.out, "Directory of the run; must not hold another one")
      ->type_name("DIR")
      ->group("Run");
  number("--seed", options.seed, "Of initial weights, order of images and augmentation", "NUMBER");
  add_device_flags(app, options.device, options.threads);
  app.get_option("--device")->group("Run");
  app.get_option("--threads")->group("Run");
  add_precision_flag(app, options.precision);
  app.get_option("--precision")->group("Run");
  add_graph_flag(app, options.graph)->group("Run");
  app.add_option(
         "--device-images", options.device_images,
         "Training images stay on the device where all of them take at most so many MiB; auto (-1): a quarter of a "
         "card's memory, nothing elsewhere")
      ->type_name("MIB")
      ->transform(CLI::Transformer({{"auto", std::to_string(device_images_auto)}}))
      ->capture_default_str()
      ->group("Run");
  number("--bootstrap", options.bootstrap, "Resamplings behind the interval of the test AUC; 0: none, else 40 or more",
         "COUNT");
  app.add_flag("--tensorboard,!--no-tensorboard", options.tensorboard, "Write events for TensorBoard (the default)")
      ->group("Run");
}

void add_all_flags(CLI::App& app, TrainingOptions& options, bool transfer) {
  add_data_flags(app, options);
  add_network_flags(app, options);
  if (transfer) add_transfer_flags(app, options);
  add_optimizer_flags(app, options);
  add_schedule_flags(app, options);
  add_run_flags(app, options);
}

TrainingOptions read_config(const std::string& directory) {
  const std::string path = directory + "/config.toml";
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored))
    fail(ErrorKind::missing_input, path, ": not there, so there is no run to resume");
  TrainingOptions options;
  CLI::App app("", "config.toml");
  add_all_flags(app, options, true);
  add_config_flag(app);
  std::string name = "config", flag = "--config", file = path;
  char* arguments[] = {name.data(), flag.data(), file.data(), nullptr};
  parse_command_line(app, 3, arguments);
  require(options.peer == 0, directory,
          ": is one of several peers, which learn together: resume the directory above it");
  if (!options.peers.empty()) options.model.clear();
  options.out = directory;
  return options;
}

}  // namespace

std::optional<TrainingCommand> parse_training_command(TrainingApp kind, int argc, char** argv) {
  const bool distill = kind == TrainingApp::distill;
  CLI::App app(distill ? "Trains a student network under a teacher network."
                       : "Trains one network: from scratch, or from a checkpoint with or without frozen blocks.",
               distill ? "preceptor-distill" : "preceptor-train");
  app.footer(distill ? distill_examples : train_examples);
  TrainingCommand command;
  std::string directory;
  add_all_flags(app, command.options, distill);
  CLI::Option* resume =
      app.add_option("--resume", directory, "Continue the run of this directory, with its own options")
          ->type_name("DIR")
          ->configurable(false)
          ->group("Run");
  add_quiet_flag(app, command.quiet);
  app.get_option("--quiet")->group("Run");
  add_config_flag(app);
  app.get_config_ptr()->group("Run");
  if (!parse_command_line(app, argc, argv)) return std::nullopt;

  if (resume->count() > 0) {
    for (const CLI::Option* option : app.get_options())
      require(option == resume || option->get_name() == "--quiet" || option->count() == 0, "--resume goes without ",
              option->get_name(), ": the run continues with the options of its config.toml");
    command = {read_config(directory), true, command.quiet};
    return command;
  }
  if (distill) {
    const bool peers = !command.options.peers.empty();
    require(!peers || app.get_option("--model")->count() == 0, "--peers names all networks: it goes without --model");
    require(command.options.peer == 0, "--peer is written by --peers");
    if (peers) command.options.model.clear();
    if (command.options.balance > 0 && app.get_option("--meter-every")->count() == 0) command.options.meter_every = 20;
    if (command.options.methods.empty()) {
      require(peers || !command.options.teachers.empty() || command.options.generations > 1,
              "--teacher is missing: the checkpoint of the teacher; or --peers, which teach each other");
      command.options.methods = {peers ? "dml" : "kd"};
    }
  }
  return command;
}

}  // namespace preceptor
