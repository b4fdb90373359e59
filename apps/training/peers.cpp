// The options of every peer, and the order of things.
#include "apps/training/peers.h"

#include <memory>

#include "apps/runs/run_directory.h"
#include "apps/training/options/run_options.h"
#include "apps/training/training_run.h"
#include "engine/files/check.h"

namespace preceptor {
namespace {

TrainingOptions options_of(const TrainingOptions& all, int peer) {
  TrainingOptions options = all;
  options.peer = peer;
  options.model = all.peers[static_cast<std::size_t>(peer - 1)];
  options.out = all.out + "/peer" + std::to_string(peer);
  return options;
}

}  // namespace

std::vector<TrainingResult> train_peers(const TrainingOptions& options, bool resume, const ProgressReport& report) {
  const RunDirectory above(options.out);
  require(resume || !above.holds_run(), options.out,
          ": holds a run already; continue it with --resume or choose another --out");
  std::vector<std::unique_ptr<TrainingRun>> peers;
  std::vector<TrainingRun*> runs;
  for (int peer = 1; peer <= static_cast<int>(options.peers.size()); ++peer) {
    const TrainingRun* first = peers.empty() ? nullptr : peers.front().get();
    peers.push_back(std::make_unique<TrainingRun>(options_of(options, peer), resume, report, nullptr, first));
    runs.push_back(peers.back().get());
  }
  // Only now it is known that nothing is refused.
  if (!above.holds_run()) above.create_above(config_text(options));
  for (TrainingRun* run : runs) run->begin();
  runs.front()->train_epochs(runs);
  std::vector<TrainingResult> results;
  for (TrainingRun* run : runs) results.push_back(run->test());
  return results;
}

}  // namespace preceptor
