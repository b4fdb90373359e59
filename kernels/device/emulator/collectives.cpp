// Shuffles, votes and reductions of a warp, executed once all their lanes have come.
#include <bit>

#include "kernels/device/emulator/worker.h"

namespace preceptor::kernels::emulator {
namespace {

struct LaneVote {
  unsigned value;
  Combine combine;
  unsigned result;
};

// Calls function(lane) for the lanes of a mask.
template <class Function>
void for_lanes(unsigned mask, const Function& function) {
  for (; mask; mask &= mask - 1) function(std::countr_zero(mask));
}

void execute_shuffle(unsigned mask, void* const* lanes) {
  for_lanes(mask, [&](int lane) {
    Shuffle& asking = *static_cast<Shuffle*>(lanes[lane]);
    asking.result = static_cast<const Shuffle*>(lanes[asking.source])->value;
  });
}

void execute_vote(unsigned mask, void* const* lanes) {
  const auto vote_of = [&](int lane) -> LaneVote& { return *static_cast<LaneVote*>(lanes[lane]); };
  const int first = std::countr_zero(mask);
  unsigned result = vote_of(first).value;
  for_lanes(mask & (mask - 1), [&](int lane) { result = vote_of(first).combine(result, vote_of(lane).value); });
  for_lanes(mask, [&](int lane) { vote_of(lane).result = result; });
}

}  // namespace

void shuffle(unsigned mask, Shuffle& lane, Place place) {
  const Call worker;
  if (lane.source < 0 || lane.source >= warp_lanes || !(mask >> lane.source & 1u))
    worker->fail(place, "shuffle from lane " + std::to_string(lane.source) + ", which does not take part");
  worker->collective(mask, execute_shuffle, &lane, place);
}

unsigned vote(unsigned mask, unsigned value, Combine combine, Place place) {
  LaneVote lane{value, combine, 0};
  Call()->collective(mask, execute_vote, &lane, place);
  return lane.result;
}

}  // namespace preceptor::kernels::emulator
