// Sectors are 32 bytes; shared memory has 32 banks of 4 bytes, and accesses of 8 or 16 bytes a lane go in 2 or 4 parts.
#include "kernels/device/emulator/access_counter.h"

#include <algorithm>

#include "kernels/device/emulator/worker.h"

extern "C" char __executable_start;

namespace preceptor::kernels::emulator {
namespace {

bool counting = false;
Counters counters;

constexpr std::uintptr_t sector_bytes = 32, bank_bytes = 4;
constexpr std::size_t banks = 32;

template <class Value>
std::size_t distinct(std::vector<Value>& values) {
  std::sort(values.begin(), values.end());
  return static_cast<std::size_t>(std::unique(values.begin(), values.end()) - values.begin());
}

// Wavefronts of lanes that are served together: the largest number of different words in one bank.
std::int64_t wavefronts(const std::vector<std::uintptr_t>& addresses, std::size_t first, std::size_t last,
                        std::uintptr_t bytes) {
  std::vector<std::uintptr_t> words;
  for (std::size_t i = first; i < last; ++i)
    for (std::uintptr_t at = addresses[i] / bank_bytes; at <= (addresses[i] + bytes - 1) / bank_bytes; ++at)
      words.push_back(at);
  words.resize(distinct(words));
  std::int64_t by_bank[banks] = {};
  for (std::uintptr_t word : words) ++by_bank[word % banks];
  return *std::max_element(by_bank, by_bank + banks);
}

}  // namespace

std::uint32_t code_offset(const void* code) {
  return static_cast<std::uint32_t>(static_cast<const char*>(code) - &__executable_start);
}
const void* code_at(std::uint32_t offset) { return &__executable_start + offset; }

bool counters_available() { return watching; }

void start_counting() {
  counting = true;
  counters = {};
}

Counters stop_counting() {
  counting = false;
  return counters;
}

void AccessCounter::begin_block(int threads) {
  if (!counting) return;
  visits_.assign(static_cast<std::size_t>(threads), {});
  groups_.assign(static_cast<std::size_t>((threads + warp_lanes - 1) / warp_lanes), {});
}

void AccessCounter::end_block() {
  for (std::size_t warp = 0; warp < groups_.size(); ++warp) synchronized(static_cast<int>(warp));
  abandon_block();
}

void AccessCounter::abandon_block() {
  visits_.clear();
  groups_.clear();
}

void AccessCounter::synchronized(int warp) {
  if (!counting) return;
  for (const auto& [key, group] : groups_[static_cast<std::size_t>(warp)]) tally(group);
  groups_[static_cast<std::size_t>(warp)].clear();
  const std::size_t first = static_cast<std::size_t>(warp) * warp_lanes;
  for (std::size_t i = first; i < std::min(first + warp_lanes, visits_.size()); ++i) visits_[i].clear();
}

void AccessCounter::barrier() {
  if (!counting) return;
  ++counters.barriers;
  for (std::size_t warp = 0; warp < groups_.size(); ++warp) synchronized(static_cast<int>(warp));
}

void AccessCounter::access(int thread, const void* address, std::size_t bytes, Access access, bool shared,
                           const void* code) {
  if (!counting) return;
  // A cp.async reads global and writes shared memory from one place.
  const std::uint32_t place = code_offset(code) * 2 + shared;
  const std::uint32_t visit = visits_[static_cast<std::size_t>(thread)][place]++;
  auto& groups = groups_[static_cast<std::size_t>(thread / warp_lanes)];
  const Key key = static_cast<Key>(place) << 32 | visit;
  Group& group = groups[key];
  group.shared = shared;
  group.access = access;
  group.bytes = static_cast<std::uint32_t>(bytes);
  group.addresses.push_back(reinterpret_cast<std::uintptr_t>(address));
  if (group.addresses.size() < static_cast<std::size_t>(warp_lanes)) return;
  tally(group);
  groups.erase(key);
}

void AccessCounter::tally(const Group& group) {
  const auto& addresses = group.addresses;
  if (!group.shared) {
    std::vector<std::uintptr_t> sectors;
    for (std::uintptr_t address : addresses)
      for (std::uintptr_t at = address / sector_bytes; at <= (address + group.bytes - 1) / sector_bytes; ++at)
        sectors.push_back(at);
    const auto count = static_cast<std::int64_t>(distinct(sectors));
    if (group.access != Access::write) counters.read_sectors += count;
    if (group.access != Access::read) counters.written_sectors += count;
    return;
  }
  ++counters.shared_accesses;
  // 32 lanes of 4 bytes, 16 of 8 or 8 of 16 fill the 128 bytes that the banks give at once.
  const std::size_t together =
      std::min<std::size_t>(banks, banks * bank_bytes / std::max<std::size_t>(group.bytes, bank_bytes));
  for (std::size_t first = 0; first < addresses.size(); first += together)
    counters.bank_conflicts +=
        wavefronts(addresses, first, std::min(addresses.size(), first + together), group.bytes) - 1;
}

}  // namespace preceptor::kernels::emulator
