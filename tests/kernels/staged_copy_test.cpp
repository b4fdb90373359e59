// Placed copies on every device: batches taken in turn byte for byte, rows, bits in any order, bytes moved.
#include "kernels/staged_copy/staged_copy.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "kernels/staged_copy/reference.h"
#include "tests/support/compare.h"
#include "tests/support/variants.h"

namespace preceptor::test {
namespace {

using namespace kernels;
using Bytes = std::vector<unsigned char>;
using Pieces = std::vector<reference::Piece>;

Bytes random_bytes(Random& random, std::size_t count) {
  Bytes bytes(count);
  for (unsigned char& byte : bytes) byte = static_cast<unsigned char>(random.integer(0, 255));
  return bytes;
}

// Two slots of the device and the memory that their segments go to.
class Ring {
 public:
  Ring(const Device& device, const Bytes& memory, std::size_t capacity)
      : device_(device),
        memory_(device, memory),
        slots_{{device, Bytes(capacity)}, {device, Bytes(capacity)}},
        state_(device, std::vector<StagedSlots>{{{reinterpret_cast<const std::byte*>(slots_[0].data()),
                                                  reinterpret_cast<const std::byte*>(slots_[1].data())},
                                                 0}}) {}

  // As Staging fills a slot: header, data, table.
  void fill(int slot, const Bytes& data, const Pieces& segments) {
    constexpr std::size_t begin = 64;
    const std::size_t table = (begin + data.size() + 15) / 16 * 16;
    Bytes block(table + segments.size() * sizeof(StagedSegment));
    const StagedHeader header{static_cast<std::int64_t>(segments.size()), static_cast<std::int64_t>(table)};
    std::memcpy(block.data(), &header, sizeof header);
    std::copy(data.begin(), data.end(), block.begin() + begin);
    for (std::size_t i = 0; i < segments.size(); ++i) {
      const StagedSegment segment{memory_.data() + segments[i].to,
                                  static_cast<std::int64_t>(begin + segments[i].offset),
                                  static_cast<std::int64_t>(segments[i].bytes)};
      std::memcpy(block.data() + table + i * sizeof segment, &segment, sizeof segment);
    }
    ASSERT_LE(block.size(), slots_[slot].size());
    execute(Copy{slots_[slot].data(), block.data(), block.size()}, device_);
  }
  StagedCopy arguments(std::size_t bytes) const { return {state_.data(), static_cast<std::int64_t>(bytes)}; }
  void take(std::size_t bytes) const { execute_on(arguments(bytes), device_); }
  Bytes memory() const { return memory_.host(); }
  std::int64_t taken() const {
    std::int64_t count = 0;
    execute(Copy{&count, &state_.data()->taken, sizeof count}, device_);
    return count;
  }

 private:
  Device device_;
  DeviceBuffer<unsigned char> memory_;
  DeviceBuffer<unsigned char> slots_[2];
  DeviceBuffer<StagedSlots> state_;
};

class StagedCopies : public DeviceTest {};

// Pieces of all lengths and alignments that there are, nothing between them touched, slots in turn.
TEST_P(StagedCopies, TakeEveryBatchInTurnAndNothingElse) {
  Random random("staged pieces");
  constexpr std::size_t memory_bytes = 40000, capacity = 60000;
  Bytes expected = random_bytes(random, memory_bytes);
  Ring ring(device(), expected, capacity);
  for (int batch = 0; batch < 5; ++batch) {
    SCOPED_TRACE(batch);
    Pieces segments;
    std::size_t to = 0, offset = 0;
    for (std::size_t bytes : {1, 3, 4, 15, 16, 17, 31, 64, 127, 1000, 4099, 12345}) {
      if (random.coin()) continue;
      to = (to + 3) / 4 * 4 + 4 * static_cast<std::size_t>(random.integer(0, 9));
      segments.push_back({to, offset, bytes});
      to += bytes;
      offset = (offset + bytes + 15) / 16 * 16;
    }
    const Bytes data = random_bytes(random, offset);
    ring.fill(batch % 2, data, segments);
    reference::take(data, segments, expected);
    // The bytes said are a guess that only decides how many threads there are.
    ring.take(static_cast<std::size_t>(random.integer(0, 100000)));
    ASSERT_TRUE(ring.memory() == expected);
    EXPECT_EQ(ring.taken(), batch + 1);
  }
}

TEST_P(StagedCopies, AReplayTakesWhatHasArrivedMeanwhile) {
  Stream stream(device());
  Ring ring(device(), Bytes(8), 256);
  stream.begin_capture();
  run(ring.arguments(8), stream);
  const Graph graph = stream.end_capture();
  for (unsigned char batch = 1; batch <= 4; ++batch) {
    ring.fill((batch - 1) % 2, Bytes(8, batch), {{0, 0, 8}});
    graph.replay();
    stream.synchronize();
    EXPECT_EQ(ring.memory(), Bytes(8, batch));
  }
}

TEST_P(StagedCopies, ARowGoesWhereItsNumberSays) {
  for (int columns : {1, 31, 256, 257, 1000}) {
    const auto width = static_cast<std::size_t>(columns);
    Random random("placed row");
    const std::vector<float> from = random.values(width);
    std::vector<float> expected(3 * width, -1);
    const DeviceBuffer<float> source(device(), from), to(device(), expected);
    for (std::int32_t row : {1, 2, 0}) {
      const DeviceBuffer<std::int32_t> place(device(), {row});
      execute_on(CopyToRow{source.data(), to.data(), place.data(), columns}, device());
      std::copy(from.begin(), from.end(), expected.begin() + row * columns);
      EXPECT_TRUE(same_bits(to.host(), expected)) << columns << " " << row;
    }
  }
}

TEST_P(StagedCopies, TheSameBitsInAnyOrder) {
  Random random("staged bits");
  const Bytes data = random_bytes(random, 20000);
  for (const Device& variant : five_variants(device())) {
    Ring ring(variant, Bytes(20000), 30000);
    ring.fill(0, data, {{0, 0, 20000}});
    ring.take(20000);
    EXPECT_TRUE(ring.memory() == data);
    EXPECT_EQ(ring.taken(), 1);
  }
}

// Beyond cost(): slot and count, header and segment, which every warp reads beside its 2 KiB, and a ticket a block.
TEST_P(StagedCopies, MoveWhatCostSays) {
  if (device().kind != DeviceKind::emulated || !emulator::counters_available())
    GTEST_SKIP() << "the emulated device counts accesses where it watches them";
  constexpr std::size_t bytes = 64 * 4096;
  Ring ring(device(), Bytes(bytes), bytes + 256);
  ring.fill(0, Bytes(bytes), {{0, 0, bytes}});
  emulator::start_counting();
  ring.take(bytes);
  const emulator::Counters counters = emulator::stop_counting();
  const double moved = 32.0 * static_cast<double>(counters.sectors());
  EXPECT_GE(moved, cost(ring.arguments(bytes)).bytes);
  EXPECT_LE(moved, 1.05 * cost(ring.arguments(bytes)).bytes);
  EXPECT_EQ(counters.bank_conflicts, 0);
}

INSTANTIATE_ON_ALL_DEVICES(StagedCopies);

}  // namespace
}  // namespace preceptor::test
