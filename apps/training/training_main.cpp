// A training run on the command line.
#include "apps/training/training_main.h"

#include <cmath>
#include <cstdio>

#include "apps/command_line/progress.h"
#include "apps/command_line/run_app.h"
#include "apps/training/generations.h"
#include "apps/training/peers.h"

namespace preceptor {
namespace {

void say_result(const TrainingResult& result) {
  const Evaluation& test = result.test;
  std::fprintf(stderr, "best epoch %d of %zu, test AUC %.4f", result.best_epoch, result.epochs.size(), test.auc_macro);
  if (!std::isnan(test.auc_low)) std::fprintf(stderr, " (95 %% interval %.4f to %.4f)", test.auc_low, test.auc_high);
  std::fprintf(stderr, ", accuracy %.4f; %s in %s\n", test.accuracy, duration_text(result.seconds).c_str(),
               result.directory.c_str());
}

}  // namespace

int run_training_app(TrainingApp kind, int argc, char** argv) {
  const std::optional<TrainingCommand> command = parse_training_command(kind, argc, argv);
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

}  // namespace preceptor
