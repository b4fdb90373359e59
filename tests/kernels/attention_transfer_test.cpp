// Attention transfer against its reference on every device: unequal channels and layouts, dead maps, bitwise repeats.
#include "kernels/attention_transfer/attention_transfer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "kernels/attention_transfer/reference.h"
#include "tests/support/compare.h"
#include "tests/support/feature_maps.h"
#include "tests/support/gradient_check.h"
#include "tests/support/variants.h"

namespace preceptor::test {
namespace {

using namespace kernels;

constexpr float weight = 3, epsilon = 1e-12f;

TEST(AttentionTransferReference, GradientMatchesFiniteDifferences) {
  Random random("attention gradient");
  const auto student = to_double(random.values(2 * 3 * 5)), teacher = to_double(random.values(2 * 4 * 5));
  for (bool root : {false, true}) {
    const auto run = [&](const auto& at) {
      return reference::attention_transfer(2, 5, 3, at, 4, teacher, root ? 5.0 : 50.0, 1e-12, root);
    };
    check_gradient(student, run(student).gradient, [&](const auto& at) {
      double sum = 0;
      for (double loss : run(at).loss) sum += loss;
      return sum;
    });
  }
}

// A student and a teacher on the same plane.
template <class T>
struct Pair {
  Pair(const Device& on, const MapShape& s, const MapLayout& student_layout, int teacher_channels,
       const MapLayout& teacher_layout)
      : device(on),
        shape(s),
        teacher_shape{s.images, teacher_channels, s.height, s.width},
        student(on, s, student_layout),
        teacher(on, teacher_shape, teacher_layout),
        d_student(on, s, student_layout),
        loss(on, std::vector<float>(static_cast<std::size_t>(s.images), std::bit_cast<float>(guard))) {}

  std::string text() const {
    return shape.text() + " against " + std::to_string(teacher_shape.channels) + " channels, " + name_of_storage<T>();
  }
  void fill(Random& random, double size = 1) {
    student.set(random.values(shape.elements(), Kind::normal, size));
    teacher.set(random.values(teacher_shape.elements()));
  }
  AttentionTransfer<T> arguments() const {
    return {student.map(), teacher.map(), loss.data(), d_student.map(), weight, epsilon, nullptr, root};
  }
  void run() const { execute_with_workspace(arguments(), device); }
  bool neighbors_untouched() const {
    return student.neighbors_untouched() && teacher.neighbors_untouched() && d_student.neighbors_untouched();
  }

  Device device;
  bool root = false;
  MapShape shape, teacher_shape;
  DeviceMap<T> student, teacher, d_student;
  DeviceBuffer<float> loss;
};

// The normalized attention of each image and its norm, in double.
struct Attention {
  std::vector<double> values;
  double norm;
};
Attention attention_of(const std::vector<double>& map, int image, const MapShape& shape) {
  const double* first = map.data() + static_cast<std::size_t>(image) * shape.channels * shape.plane();
  Attention result{reference::attention_energy(first, shape.channels, shape.plane()), 0};
  result.norm = std::max(reference::length(result.values), static_cast<double>(epsilon));
  for (double& value : result.values) value /= result.norm;
  return result;
}

// Each attention is a sum of squares, with the relative error of a float sum over channels; what follows carries that
// through the difference, the projection on the student's attention, and the product with the map.
template <class T>
void check(const Pair<T>& pair, Comparison& losses, Comparison& gradients) {
  pair.run();
  const MapShape& s = pair.shape;
  const auto student = pair.student.plain(), teacher = pair.teacher.plain();
  const double n = std::max(s.channels, pair.teacher_shape.channels);
  const auto expected =
      reference::attention_transfer(s.images, s.plane(), s.channels, student, pair.teacher_shape.channels, teacher,
                                    static_cast<double>(weight), static_cast<double>(epsilon), pair.root);
  const auto actual = pair.d_student.plain();
  const auto loss_actual = pair.loss.host();
  for (int image = 0; image < s.images; ++image) {
    const Attention a = attention_of(student, image, s), b = attention_of(teacher, image, pair.teacher_shape);
    double error = 0, projection = 0, square = 0;
    for (int i = 0; i < s.plane(); ++i) {
      const double sum = a.values[i] + b.values[i], difference = std::abs(a.values[i] - b.values[i]);
      const double of_difference = 2 * allowed(n, sum);
      square += difference * difference;
      error += 2 * difference * of_difference + of_difference * of_difference;
      projection += 2 * a.values[i] * sum;
    }
    const double loss = expected.loss[image], whole = static_cast<double>(weight) / s.images;
    // d loss / d square. Of a root, an error in the square is also one in its own derivative: with a relative error of
    // `error / square` that of the root, which divides the gradient, is half as much.
    const double scale = pair.root ? whole / (2 * std::sqrt(square)) : whole / s.plane();
    const double of_root = pair.root ? error / (2 * square) : 0;
    losses.check(static_cast<double>(loss_actual[image]), loss, scale * error + allowed(1, loss), image);
    for (int i = 0; i < s.channels * s.plane(); ++i) {
      const std::size_t at = static_cast<std::size_t>(image) * s.channels * s.plane() + i, position = i % s.plane();
      const double sizes = 2 * (a.values[position] + b.values[position]) + 2 * projection * a.values[position];
      const double terms = 4 * scale * std::abs(student[at]) / s.channels / a.norm * sizes;
      const double of_gradient = allowed(n, terms) + of_root * std::abs(expected.gradient[at]);
      gradients.check(actual[at], expected.gradient[at], with_storage<T>(of_gradient, expected.gradient[at]), at);
    }
  }
}

class AttentionTransferTest : public DeviceTest {
 protected:
  template <class T>
  std::string label(const char* what) const {
    return "attention transfer, " + name_of(device().kind) + ", " + name_of_storage<T>() + ", " + what;
  }
  // Channels and where they lie: blocked on the cpu, channels-last elsewhere; whole maps, ranges of wider ones, ranges
  // that keep and that break the alignment of 16 bytes.
  std::pair<int, MapLayout> random_channels(Random& random) const {
    if (on_cpu()) {
      const int block = all_blocks[random.integer(0, 2)], channels = block * random.integer(1, 3);
      return {channels, channel_blocked(channels, block, random.coin())};
    }
    const int channels = random.coin() ? 8 * random.integer(1, 17) : random.awkward_size(129);
    const int kind = random.integer(0, 2);
    return {channels, kind == 0 ? channels_last(channels) : channels_last(channels, kind == 1 ? 8 : 1, 8)};
  }
};

TEST_P(AttentionTransferTest, MatchesTheReference) {
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    Random random("attention transfer");
    Comparison losses(label<T>("loss")), gradients(label<T>("gradient"));
    for (double size : {1e-4, 1.0, 1e4})
      for (int repeat = 0; repeat < (watched(device()) ? 3 : on_cpu() ? 18 : 6); ++repeat) {
        const auto [channels, layout] = random_channels(random);
        const auto [teacher_channels, teacher_layout] = random_channels(random);
        MapShape shape = random_shape(random, 1);
        shape.channels = channels;
        while (shape.elements() > 40000) shape.images = (shape.images + 1) / 2, shape.height = (shape.height + 1) / 2;
        Pair<T> pair(device(), shape, layout, teacher_channels, teacher_layout);
        pair.fill(random, size);
        SCOPED_TRACE(pair.text());
        check(pair, losses, gradients);
        EXPECT_TRUE(pair.neighbors_untouched());
      }
  });
}

// The paper's reading: the norm of the difference itself.
TEST_P(AttentionTransferTest, MatchesTheReferenceWithRoots) {
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    Random random("attention roots");
    Comparison losses(label<T>("root, loss")), gradients(label<T>("root, gradient"));
    for (const auto& [channels, side] : {std::pair{16, 4}, {64, 9}}) {
      Pair<T> pair(device(), {3, channels, side, side},
                   on_cpu() ? channel_blocked(channels, 8, false) : channels_last(channels), 8,
                   on_cpu() ? channel_blocked(8, 8, false) : channels_last(8));
      pair.root = true;
      pair.fill(random);
      check(pair, losses, gradients);
      // Without a difference the norm has no direction, and nothing is passed on.
      pair.student.set(std::vector<float>(pair.shape.elements(), 1.0f));
      pair.teacher.set(std::vector<float>(pair.teacher_shape.elements(), 1.0f));
      pair.run();
      for (float loss : pair.loss.host()) EXPECT_NEAR(static_cast<double>(loss), 0, 1e-7);
      for (double value : pair.d_student.plain()) EXPECT_NEAR(value, 0, 1e-1);
    }
  });
}

// An image of more blocks than a warp has lanes; warps that take 32 positions at once, 16 or 8, one, and two after each
// other; images smaller than a tile; more images than there are tickets.
TEST_P(AttentionTransferTest, TilesOfAllSizes) {
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    if (on_cpu()) return;  // has none
    Random random("attention tiles");
    Comparison losses(label<T>("tiles, loss")), gradients(label<T>("tiles, gradient"));
    for (const auto& [images, channels, height, width] : {std::tuple{3, 1, 61, 67},
                                                          {2, 8, 33, 29},
                                                          {1, 300, 3, 3},
                                                          {1, 64, 27, 28},
                                                          {70, 1, 1, 2},
                                                          {40, 65, 15, 15},
                                                          {4099, 1, 1, 1}}) {
      if (watched(device()) && images * height * width * channels > 50000) continue;
      if (images > ticket_count && (watched(device()) || sizeof(T) < 4)) continue;  // a block each: seconds
      Pair<T> pair(device(), {images, channels, height, width}, channels_last(channels), 5, channels_last(5));
      pair.fill(random);
      SCOPED_TRACE(pair.text());
      check(pair, losses, gradients);
    }
  });
}

// Attentions of equal direction: what is left of the difference are roundings of doubles, and it is never below 0.
// Whole numbers, so that their squares and sums are exact.
TEST_P(AttentionTransferTest, EqualDirectionsCostNothing) {
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    Random random("attention equal");
    const MapShape shape{8, 16, 13, 7};
    const MapLayout layout = on_cpu() ? channel_blocked(16, 8, false) : channels_last(16);
    Comparison losses(label<T>("equal, loss")), gradients(label<T>("equal, gradient"));
    for (int factor : {1, 3, 5, 7}) {
      Pair<T> pair(device(), shape, layout, 16, layout);
      std::vector<float> values(shape.elements());
      for (float& value : values) value = static_cast<float>(random.integer(-15, 15));
      pair.student.set(values);
      for (float& value : values) value *= static_cast<float>(factor);
      pair.teacher.set(values);
      check(pair, losses, gradients);
      for (float loss : pair.loss.host()) {
        EXPECT_GE(loss, 0.0f);
        // Equal maps have equal sums; a cpu that contracts a - b into one multiply-add sees the rounding of a product.
        EXPECT_LE(loss, factor > 1 ? weight * 0x1p-50f : on_cpu() ? weight * 0x1p-106f : 0.0f);
      }
    }
  });
}

TEST_P(AttentionTransferTest, DeadMapsGiveZerosAndFiniteLosses) {
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    Random random("attention dead");
    const MapShape shape{2, 16, 7, 7};
    for (bool student_dead : {false, true}) {
      Pair<T> pair(device(), shape, on_cpu() ? channel_blocked(16, 16, false) : channels_last(16), 8,
                   on_cpu() ? channel_blocked(8, 8, false) : channels_last(8));
      pair.fill(random);
      if (student_dead)
        pair.student.set(std::vector<float>(shape.elements(), 0.0f));
      else
        pair.teacher.set(std::vector<float>(pair.teacher_shape.elements(), 0.0f));
      pair.run();
      // One attention has length 1, one 0.
      const double expected = static_cast<double>(weight) / (2 * 49);
      for (float loss : pair.loss.host()) EXPECT_NEAR(static_cast<double>(loss), expected, allowed(16, 2 * expected));
      for (double value : pair.d_student.plain()) EXPECT_TRUE(student_dead ? value == 0 : std::isfinite(value));
    }
  });
}

// Sums of squares far outside of float, and an attention below epsilon, whose norm is then a constant.
TEST_P(AttentionTransferTest, AnySizeOfValues) {
  Random random("attention sizes");
  Comparison losses(label<float>("sizes, loss")), gradients(label<float>("sizes, gradient"));
  const MapShape shape{2, 16, 5, 5};
  const MapLayout layout = on_cpu() ? channel_blocked(16, 8, false) : channels_last(16);
  for (double size : {1e-7, 1e12}) {
    Pair<float> pair(device(), shape, layout, 16, layout);
    pair.fill(random, size);
    check(pair, losses, gradients);
  }
}

TEST_P(AttentionTransferTest, ANotANumberStaysInItsImage) {
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    Random random("attention nan");
    const MapShape shape{5, 8, 9, 11};
    const MapLayout layout = on_cpu() ? channel_blocked(8, 8, false) : channels_last(8);
    Pair<T> pair(device(), shape, layout, 8, layout);
    pair.fill(random);
    pair.run();
    const auto clean = pair.loss.host();
    const auto clean_gradient = pair.d_student.plain();
    auto values = random.values(shape.elements());
    const std::size_t image = shape.elements() / 5;
    std::vector<double> student = pair.student.plain();
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(student[i]);
    values[3 * image + 100] = std::numeric_limits<float>::quiet_NaN();
    pair.student.set(values);
    pair.run();
    const auto loss = pair.loss.host();
    const auto gradient = pair.d_student.plain();
    for (int i = 0; i < 5; ++i) EXPECT_TRUE(i == 3 ? std::isnan(loss[i]) : loss[i] == clean[i]) << i;
    for (std::size_t i = 0; i < gradient.size(); ++i)
      EXPECT_TRUE(i / image == 3 ? std::isnan(gradient[i]) : gradient[i] == clean_gradient[i]) << i;
  });
}

TEST_P(AttentionTransferTest, TheSameBitsInAnyOrder) {
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    Random random("attention bits");
    const MapShape shape{7, 32, watched(device()) ? 7 : 31, 13};
    Pair<T> pair(device(), shape, on_cpu() ? channel_blocked(32, 16, false) : channels_last(32), 24,
                 on_cpu() ? channel_blocked(24, 8, false) : channels_last(24));
    pair.fill(random);
    std::vector<float> first;
    decltype(pair.d_student.memory()) first_gradient;
    for (const Device& variant : five_variants(device())) {
      execute_with_workspace(pair.arguments(), variant);
      if (first.empty()) first = pair.loss.host(), first_gradient = pair.d_student.memory();
      EXPECT_TRUE(same_bits(pair.loss.host(), first));
      EXPECT_TRUE(same_bits(pair.d_student.memory(), first_gradient));
    }
  });
}

// Attentions are 16 bytes per position beside the maps.
TEST_P(AttentionTransferTest, MovesWhatCostSays) {
  if (device().kind != DeviceKind::emulated || !emulator::counters_available())
    GTEST_SKIP() << "the emulated device counts accesses where it watches them";
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    Random random("attention counters");
    for (const auto& [images, channels, teacher_channels, side] :
         {std::tuple{2, 64, 128, 28}, {4, 128, 512, 14}, {3, 512, 512, 7}}) {
      Pair<T> pair(device(), {images, channels, side, side}, channels_last(channels), teacher_channels,
                   channels_last(teacher_channels));
      pair.fill(random);
      expect_moves_what_cost_says(pair.arguments(), device(), pair.text());
    }
  });
}

INSTANTIATE_ON_ALL_DEVICES(AttentionTransferTest);

}  // namespace
}  // namespace preceptor::test
