// Shuffles, votes and reductions of a warp, executed once all their lanes have come.
#include <algorithm>
#include <bit>

#include "kernels/device/emulator/worker.h"

namespace preceptor::kernels::emulator {
namespace {

struct LaneVote {
  VoteKind kind;
  unsigned value, result;
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

unsigned combine(VoteKind kind, unsigned a, unsigned b) {
  const int left = static_cast<int>(a), right = static_cast<int>(b);
  switch (kind) {
    case VoteKind::all:
      return a && b;
    case VoteKind::any:
      return a || b;
    case VoteKind::add:
      return a + b;
    case VoteKind::minimum:
      return std::min(a, b);
    case VoteKind::maximum:
      return std::max(a, b);
    case VoteKind::signed_minimum:
      return static_cast<unsigned>(std::min(left, right));
    case VoteKind::signed_maximum:
      return static_cast<unsigned>(std::max(left, right));
    case VoteKind::conjunction:
      return a & b;
    case VoteKind::disjunction:
    case VoteKind::ballot:
      return a | b;
    case VoteKind::exclusive:
      return a ^ b;
  }
  return 0;
}

void execute_vote(unsigned mask, void* const* lanes) {
  const VoteKind kind = static_cast<const LaneVote*>(lanes[std::countr_zero(mask)])->kind;
  bool first = true;
  unsigned result = 0;
  for_lanes(mask, [&](int lane) {
    const unsigned given = static_cast<const LaneVote*>(lanes[lane])->value;
    unsigned value = given;
    if (kind == VoteKind::ballot) value = given ? 1u << lane : 0u;
    if (kind == VoteKind::all || kind == VoteKind::any) value = given != 0;
    result = first ? value : combine(kind, result, value);
    first = false;
  });
  for_lanes(mask, [&](int lane) { static_cast<LaneVote*>(lanes[lane])->result = result; });
}

}  // namespace

void shuffle(unsigned mask, Shuffle& lane, Place place) {
  const Call worker;
  if (lane.source < 0 || lane.source >= warp_lanes || !(mask >> lane.source & 1u))
    worker->fail(place, "shuffle from lane " + std::to_string(lane.source) + ", which does not take part");
  worker->collective(mask, execute_shuffle, &lane, place);
}

unsigned vote(unsigned mask, VoteKind kind, unsigned value, Place place) {
  LaneVote lane{kind, value, 0};
  Call()->collective(mask, execute_vote, &lane, place);
  return lane.result;
}

}  // namespace preceptor::kernels::emulator
