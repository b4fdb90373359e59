// The command lines of preceptor-train and preceptor-distill, and training with its progress on stderr.
#include "apps/training/training_main.h"

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <iostream>

#include "apps/command_line/progress.h"
#include "apps/training/training.h"
#include "engine/files/check.h"
#include "models/registry.h"

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
    "runs), best.safetensors (best validation AUC), last.safetensors, last.state.safetensors and, at the end,\n"
    "result.json with the test metrics of the best epoch.\n"
    "Flags in a file: --config FILE with lines such as  lr = 0.001  or  data = \"phantom:chest?n=500\".";

const char* const distill_examples =
    "Examples:\n"
    "  preceptor-distill --data 'phantom:chest?site=b&n=500' --teacher runs/teacher/best.safetensors --model resnet8\n"
    "                    --method kd:temperature=4,weight=0.9 --out runs/student\n"
    "  preceptor-distill ... --method kd --method at:weight=1000\n"
    "  preceptor-distill --data 'phantom:chest?n=500' --peers resnet8,resnet20 --out runs/peers\n"
    "  preceptor-distill --resume runs/student\n\n"
    "All methods and their settings are in docs/methods.md; a wrong setting lists the valid ones.\n"
    "The run directory gets the same files as with preceptor-train.";

TrainingOptions read_config(const std::string& directory) {
  const std::string path = directory + "/config.toml";
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored))
    fail(ErrorKind::missing_input, path, ": not there, so there is no run to resume");
  TrainingOptions options;
  OptionTable table;
  options.visit(table);
  read_options_file(path, "config.toml", table);
  require(options.peer == 0, directory,
          ": is one of several peers, which learn together: resume the directory above it");
  if (!options.peers.empty()) options.model.clear();
  options.out = directory;
  return options;
}

void complete_transfer(TrainingOptions& options, OptionTable& table) {
  const bool peers = !options.peers.empty();
  require(!peers || !table.given("--model"), "--peers names all networks: it goes without --model");
  require(options.peer == 0, "--peer is written by --peers");
  if (peers) options.model.clear();
  if (options.balance > 0 && !table.given("--meter-every")) options.meter_every = 20;
  if (!options.methods.empty()) return;
  require(peers || !options.teachers.empty() || options.generations > 1,
          "--teacher is missing: the checkpoint of the teacher; or --peers, which teach each other");
  options.methods = {parse_method(peers ? "dml" : "kd")};
}

struct TrainingCommand {
  TrainingOptions options;
  bool resume = false;
  bool quiet = false;
};

// Nothing when only help was asked for. With --resume DIR the options are those of DIR/config.toml, and any other flag
// is an error. Errors: usage, missing_input.
std::optional<TrainingCommand> parse_training_command(bool distill, int argc, char** argv) {
  TrainingCommand command;
  std::string directory;
  bool list_models = false, list_formats = false, list_methods = false;
  OptionTable table;
  command.options.visit(table);
  if (!distill) table.remove_group("Transfer");
  table.group("Run");
  const OptionRules not_in_files{.in_files = false};
  table(directory, "--resume", "DIR", "Continue the run of this directory, with its own options", not_in_files);
  add_quiet(table, command.quiet);
  table(list_models, "--list-models", "Print all networks", not_in_files);
  table(list_formats, "--list-formats", "Print all data formats", not_in_files);
  if (distill) table(list_methods, "--list-methods", "Print all transfer methods", not_in_files);
  const CommandHelp help =
      distill ? CommandHelp{"preceptor-distill", "Trains a student network under a teacher network.", distill_examples}
              : CommandHelp{"preceptor-train",
                            "Trains one network: from scratch, or from a checkpoint with or without frozen blocks.",
                            train_examples};
  if (!parse_command_line(help, table, argc, argv)) return std::nullopt;
  if (list_models)
    for (const std::string& name : model_names()) std::cout << name << '\n';
  if (list_methods)
    for (const MethodKind& method : method_kinds())
      std::cout << method.name << '\t'
                << (method.needs_peers     ? "peers"
                    : method.needs_teacher ? "teacher"
                                           : "-")
                << '\t' << method.summary << '\n';
  if (list_formats) std::cout << format_table();
  if (list_models || list_formats || list_methods) return std::nullopt;

  if (table.given("--resume")) {
    for (const Option& option : table.options)
      require(!option.given || option.name == "--resume" || option.name == "--quiet", "--resume goes without ",
              option.name, ": the run continues with the options of its config.toml");
    return TrainingCommand{read_config(directory), true, command.quiet};
  }
  if (distill) complete_transfer(command.options, table);
  return command;
}

void say_result(const TrainingResult& result) {
  const Evaluation& test = result.test;
  std::fprintf(stderr, "best epoch %d of %zu, test AUC %.4f", result.best_epoch, result.epochs.size(), test.auc_macro);
  if (!std::isnan(test.auc_low)) std::fprintf(stderr, " (95 %% interval %.4f to %.4f)", test.auc_low, test.auc_high);
  std::fprintf(stderr, ", accuracy %.4f; %s in %s\n", test.accuracy, duration_text(result.seconds).c_str(),
               result.directory.c_str());
}

int run_training(bool distill, int argc, char** argv) {
  const std::optional<TrainingCommand> command = parse_training_command(distill, argc, argv);
  if (!command) return 0;
  const std::string app = app_name(argv), &out = command->options.out;
  const std::string advice = "continue with: " + app + " --resume " + out;
  explain_interrupts(app, command->resume ? advice : "nothing was written yet");
  ProgressLine line;
  bool started = command->resume;
  const auto report = [&](const Progress& progress) {
    // The first report without a note comes when the run directory is there.
    if (!started && progress.note.empty()) explain_interrupts(app, advice);
    started = started || progress.note.empty();
    if (!command->quiet) line(progress);
  };
  std::vector<TrainingResult> results;
  if (!command->options.peers.empty())
    results = train_peers(command->options, command->resume, report);
  else if (command->options.generations > 1)
    results = {train_generations(command->options, command->resume, report)};
  else
    results = {train(command->options, command->resume, report)};
  if (command->quiet) return 0;
  for (const TrainingResult& result : results) say_result(result);
  return 0;
}

}  // namespace

int run_train(int argc, char** argv) { return run_training(false, argc, argv); }

int run_distill(int argc, char** argv) { return run_training(true, argc, argv); }

}  // namespace preceptor
