// The pool: determinism, best fit, merging of free neighbors, alignment, counters and errors.
#include <algorithm>

#include "tests/engine/support.h"

namespace preceptor {
namespace {

using kernels::Pool;
using test::expect_error;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::size_t red_zone = 64;
#else
constexpr std::size_t red_zone = 0;
#endif

// The request that takes exactly this many bytes.
constexpr std::size_t filling(std::size_t bytes) { return bytes - red_zone; }

// A few hundred calls with up to twenty allocations alive; the addresses, relative to the first.
std::vector<std::ptrdiff_t> addresses_of_a_run(Pool& pool) {
  std::mt19937 generator(5);
  std::vector<void*> alive;
  std::vector<std::ptrdiff_t> addresses;
  std::byte* first = nullptr;
  for (int call = 0; call < 400; ++call) {
    if (alive.size() == 20 || (!alive.empty() && generator() % 3 == 0)) {
      const auto at = alive.begin() + static_cast<std::ptrdiff_t>(generator() % alive.size());
      pool.release(*at);
      alive.erase(at);
      continue;
    }
    auto* address = static_cast<std::byte*>(pool.allocate(1 + generator() % 5000));
    if (!first) first = address;
    alive.push_back(address);
    addresses.push_back(address - first);
  }
  for (void* address : alive) pool.release(address);
  return addresses;
}

TEST(Pool, SameCallsGiveSameAddresses) {
  Pool one(kernels::cpu_device(1), "one"), two(kernels::cpu_device(1), "two");
  const auto expected = addresses_of_a_run(one);
  EXPECT_GT(expected.size(), 100u);
  EXPECT_EQ(addresses_of_a_run(one), expected);
  EXPECT_EQ(addresses_of_a_run(two), expected);
}

TEST(Pool, TakesTheSmallestRangeThatFits) {
  Pool pool(kernels::cpu_device(1), "small", 4096);
  void* large = pool.allocate(filling(1024));
  pool.allocate(filling(128));
  void* fitting = pool.allocate(filling(256));
  pool.allocate(filling(128));
  pool.release(large);
  pool.release(fitting);
  EXPECT_EQ(pool.allocate(filling(256)), fitting);
  EXPECT_EQ(pool.allocate(filling(192)), large);
  EXPECT_EQ(pool.allocate(filling(832)), static_cast<std::byte*>(large) + 192);
}

TEST(Pool, FreeNeighborsMergeInEveryOrderOfRelease) {
  std::vector<std::size_t> order{0, 1, 2, 3};
  do {
    Pool pool(kernels::cpu_device(1), "merging", 1024);
    std::vector<void*> parts;
    for (int i = 0; i < 4; ++i) parts.push_back(pool.allocate(filling(256)));
    expect_error(ErrorKind::internal, {}, [&] { pool.allocate(1); });
    for (std::size_t i : order) pool.release(parts[i]);
    EXPECT_EQ(pool.allocate(filling(1024)), parts[0]);
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST(Pool, AddressesAreAlignedAndRangesApart) {
  Pool pool(kernels::cpu_device(1), "aligned");
  std::vector<std::pair<unsigned char*, std::size_t>> ranges;
  for (std::size_t bytes = 0; bytes < 300; bytes += 7) {
    auto* address = static_cast<unsigned char*>(pool.allocate(bytes));
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(address) % 64, 0u);
    std::memset(address, static_cast<int>(ranges.size()), bytes);
    ranges.emplace_back(address, bytes);
  }
  for (std::size_t i = 0; i < ranges.size(); ++i)
    for (std::size_t at = 0; at < ranges[i].second; ++at) ASSERT_EQ(ranges[i].first[at], i);
}

TEST(Pool, FullPoolNamesItselfAndTheNumbers) {
  Pool pool(kernels::cpu_device(1), "narrow", 1000);  // becomes 1024
  pool.allocate(filling(640));
  expect_error(ErrorKind::internal, {"pool narrow", "400 bytes asked for", "384 of 1024 free"},
               [&] { pool.allocate(400); });
  EXPECT_EQ(pool.live(), 1u);
  EXPECT_EQ(pool.allocations(), 1);
  EXPECT_EQ(pool.in_use(), 640u);
  pool.allocate(filling(384));
}

TEST(Pool, TwoShareAReservationAndMeet) {
  const auto memory = std::make_shared<kernels::Reservation>(kernels::cpu_device(1), "shared", 1024);
  Pool low(memory, "low", kernels::Side::beginning), high(memory, "high", kernels::Side::end);
  auto* first = static_cast<std::byte*>(low.allocate(filling(256)));
  auto* last = static_cast<std::byte*>(high.allocate(filling(128)));
  EXPECT_EQ(last - first, 1024 - 128);
  EXPECT_EQ(static_cast<std::byte*>(high.allocate(filling(128))), last - 128);
  EXPECT_EQ(high.extent(), 256u);
  EXPECT_FALSE(low.refused());
  expect_error(ErrorKind::internal, {"pool low", "1000 bytes asked for", "512 of 768 free"},
               [&] { low.allocate(1000); });
  expect_error(ErrorKind::internal, {"pool low"}, [&] { low.allocate(512 + 1); });
  EXPECT_TRUE(low.refused());
  low.allocate(filling(512));
  expect_error(ErrorKind::internal, {"pool high", "0 of 256 free"}, [&] { high.allocate(1); });
  // Memory that was handed out once stays the pool's: a recorded step may still use it.
  high.release(last);
  expect_error(ErrorKind::internal, {"pool low"}, [&] { low.allocate(1); });
  EXPECT_EQ(static_cast<std::byte*>(high.allocate(filling(128))), last);
}

TEST(Pool, ReleaseOfWhatIsNotInUseIsAnError) {
  Pool pool(kernels::cpu_device(1), "strict", 4096);
  auto* address = static_cast<std::byte*>(pool.allocate(filling(256)));
  const auto reports = [&](void* pointer) {
    expect_error(ErrorKind::internal, {"pool strict", "not in use"}, [&] { pool.release(pointer); });
  };
  reports(address + 64);
  reports(nullptr);
  pool.release(address);
  reports(address);
  EXPECT_EQ(pool.in_use(), 0u);
}

TEST(Pool, CountersFollowTheCalls) {
  Pool pool(kernels::cpu_device(1), "counted", 1 << 16);
  void* a = pool.allocate(filling(128));
  void* b = pool.allocate(filling(512));
  EXPECT_EQ(pool.in_use(), 640u);
  pool.release(a);
  EXPECT_EQ(pool.in_use(), 512u);
  EXPECT_EQ(pool.peak(), 640u);
  EXPECT_EQ(pool.live(), 1u);
  EXPECT_EQ(pool.allocations(), 2);
  pool.reset_peak();
  EXPECT_EQ(pool.peak(), 512u);
  void* c = pool.allocate(1);  // takes a whole alignment unit
  EXPECT_EQ(pool.in_use(), 512u + 64 + red_zone);
  EXPECT_EQ(pool.peak(), pool.in_use());
  pool.release(b);
  pool.release(c);
  EXPECT_EQ(pool.in_use(), 0u);
  EXPECT_EQ(pool.live(), 0u);
  EXPECT_EQ(pool.allocations(), 3);
}

}  // namespace
}  // namespace preceptor
