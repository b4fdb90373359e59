// From options to results.
#include "apps/training/training.h"

#include "apps/training/options/run_options.h"
#include "apps/training/train_together.h"

namespace preceptor {

std::vector<TrainingResult> train_all(std::vector<TrainingOptions> all, bool resume, const ProgressReport& report,
                                      const Dataset* given, const std::function<void()>& accepted) {
  for (TrainingOptions& options : all) {
    if (given != nullptr && options.data.empty()) options.data = given->source;
    check_options(options);
  }
  const TrainingOptions& common = all.front();
  std::unique_ptr<Context> context = open_context(common.device, common.threads, common.seed, common.precision);
  std::vector<Run> runs;
  for (TrainingOptions& options : all) {
    options.threads = context->device().threads;
    runs.push_back(open_run(options, resume, report));
  }
  TrainingSetup setup = make_setup(std::move(context), runs, given);
  for (const Run& run : runs)
    if (run.resumed) require_same_config(run);
  if (accepted) accepted();
  for (Run& run : runs) start_run(run, *setup.data);
  train_together(runs, setup);
  std::vector<TrainingResult> results;
  for (std::size_t k = 0; k < runs.size(); ++k)
    results.push_back(test_run(runs[k], setup.students[k], *setup.context, setup.data->images));
  return results;
}

TrainingResult train(const TrainingOptions& options, bool resume, const ProgressReport& report,
                     const Dataset* dataset) {
  return train_all({options}, resume, report, dataset).front();
}

}  // namespace preceptor
