// The options of every peer.
#include "apps/training/peers.h"

#include "apps/runs/run_directory.h"
#include "apps/training/options/run_options.h"
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
  std::vector<TrainingOptions> peers;
  for (int peer = 1; peer <= static_cast<int>(options.peers.size()); ++peer) peers.push_back(options_of(options, peer));
  return train_all(peers, resume, report, nullptr, [&] {
    if (!above.holds_run()) above.create_above(config_text(options));
  });
}

}  // namespace preceptor
