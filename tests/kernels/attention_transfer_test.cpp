// Attention transfer against its reference: unequal channels and layouts, dead maps, bitwise repeats.
#include "kernels/attention_transfer/attention_transfer.h"

#include <gtest/gtest.h>

#include <cmath>

#include "kernels/attention_transfer/reference.h"
#include "tests/support/compare.h"
#include "tests/support/devices.h"
#include "tests/support/feature_maps.h"
#include "tests/support/gradient_check.h"

namespace preceptor::test {
namespace {

using namespace kernels;

constexpr float weight = 3, epsilon = 1e-12f;

// A student and a teacher on the same plane.
struct Pair {
  Pair(const MapShape& s, int student_block, int teacher_channels, int teacher_block, bool wider)
      : shape(s),
        student(s, student_block, wider),
        teacher({s.images, teacher_channels, s.height, s.width}, teacher_block, wider),
        d_student(s, student_block, wider),
        loss(s.images),
        teacher_count(teacher_channels) {}

  AttentionTransfer arguments() {
    return {student.map(), teacher.map(), loss.data(), d_student.map(), weight, epsilon};
  }

  MapShape shape;
  MapBuffer student, teacher, d_student;
  std::vector<float> loss;
  int teacher_count;
};

// The normalised attention of each image and its norm, in double.
struct Attention {
  std::vector<double> values;
  double norm;
};
Attention attention_of(const std::vector<double>& map, int image, int channels, int plane) {
  const double* first = map.data() + static_cast<std::size_t>(image) * channels * plane;
  Attention result{reference::attention_energy(first, channels, plane), 0};
  result.norm = std::max(reference::length(result.values), static_cast<double>(epsilon));
  for (double& value : result.values) value /= result.norm;
  return result;
}

// Each attention is a sum of squares, with the relative error of a float sum over channels; what follows carries that
// through the difference, the projection on the student's attention, and the product with the map.
void check(Pair& pair, Comparison& losses, Comparison& gradients) {
  execute(pair.arguments());
  const MapShape& s = pair.shape;
  const auto student = to_double(pair.student.plain()), teacher = to_double(pair.teacher.plain());
  const double n = std::max(s.channels, pair.teacher_count);
  const auto expected =
      reference::attention_transfer(s.images, s.plane(), s.channels, student, pair.teacher_count, teacher,
                                    static_cast<double>(weight), static_cast<double>(epsilon));
  const auto actual = pair.d_student.plain();
  const double scale = static_cast<double>(weight) / s.images / s.plane();
  for (int image = 0; image < s.images; ++image) {
    const Attention a = attention_of(student, image, s.channels, s.plane());
    const Attention b = attention_of(teacher, image, pair.teacher_count, s.plane());
    double error = 0, projection = 0;
    for (int i = 0; i < s.plane(); ++i) {
      const double sum = a.values[i] + b.values[i], difference = std::abs(a.values[i] - b.values[i]);
      const double of_difference = 2 * allowed(n, sum);
      error += scale * (2 * difference * of_difference + of_difference * of_difference);
      projection += 2 * a.values[i] * sum;
    }
    const double loss = expected.loss[image];
    losses.check(static_cast<double>(pair.loss[image]), loss, error + allowed(1, loss), image);
    for (int i = 0; i < s.channels * s.plane(); ++i) {
      const std::size_t at = static_cast<std::size_t>(image) * s.channels * s.plane() + i, position = i % s.plane();
      const double sizes = 2 * (a.values[position] + b.values[position]) + 2 * projection * a.values[position];
      const double terms = 4 * scale * std::abs(student[at]) / s.channels / a.norm * sizes;
      gradients.check(static_cast<double>(actual[at]), expected.gradient[at], allowed(n, terms), at);
    }
  }
}

TEST(AttentionTransfer, ReferenceGradientMatchesFiniteDifferences) {
  Random random("attention gradient");
  const auto student = to_double(random.values(2 * 3 * 5)), teacher = to_double(random.values(2 * 4 * 5));
  const auto run = [&](const auto& at) { return reference::attention_transfer(2, 5, 3, at, 4, teacher, 50.0, 1e-12); };
  check_gradient(student, run(student).gradient, [&](const auto& at) {
    double sum = 0;
    for (double loss : run(at).loss) sum += loss;
    return sum;
  });
}

TEST(AttentionTransfer, MatchesTheReference) {
  Random random("attention transfer");
  Comparison losses("attention transfer, loss"), gradients("attention transfer, gradient");
  for (int student_block : all_blocks)
    for (int teacher_block : all_blocks)
      for (double size : {1e-4, 1.0, 1e4})
        for (int repeat = 0; repeat < 2; ++repeat) {
          const MapShape shape = random_shape(random, student_block);
          const int teacher_channels = teacher_block * random.integer(1, 3);
          SCOPED_TRACE(shape.text() + " against " + std::to_string(teacher_channels) + " channels");
          Pair pair(shape, student_block, teacher_channels, teacher_block, random.coin());
          pair.student.set(random.values(shape.elements(), Kind::normal, size));
          pair.teacher.set(random.values(static_cast<std::size_t>(shape.images) * teacher_channels * shape.plane()));
          check(pair, losses, gradients);
          EXPECT_TRUE(pair.student.neighbours_untouched() && pair.teacher.neighbours_untouched() &&
                      pair.d_student.neighbours_untouched());
        }
}

TEST(AttentionTransfer, DeadMapsGiveZerosAndFiniteLosses) {
  Random random("attention dead");
  for (bool student_dead : {false, true}) {
    const MapShape shape{2, 16, 7, 7};
    Pair pair(shape, 16, 8, 8, false);
    const std::vector<float> dead(shape.elements(), 0.0f);
    pair.student.set(student_dead ? dead : random.values(shape.elements()));
    pair.teacher.set(student_dead ? random.values(2 * 8 * 49) : std::vector<float>(2 * 8 * 49, 0.0f));
    execute(pair.arguments());
    for (float loss : pair.loss) EXPECT_NEAR(loss, weight / (2 * 49), 1e-6f);  // one attention has length 1, one 0
    for (float value : pair.d_student.plain()) EXPECT_TRUE(student_dead ? value == 0 : std::isfinite(value));
  }
}

TEST(AttentionTransfer, TheSameBitsWhateverTheThreads) {
  Random random("attention bits");
  const MapShape shape{7, 32, 31, 13};
  Pair pair(shape, 16, 24, 8, false);
  pair.student.set(random.values(shape.elements()));
  pair.teacher.set(random.values(7 * 24 * 31 * 13));
  std::vector<std::vector<float>> first;
  for (int threads : {1, 2, 3}) {
    execute(pair.arguments(), threads);
    const std::vector<std::vector<float>> now{pair.loss, pair.d_student.memory()};
    if (first.empty()) first = now;
    for (std::size_t i = 0; i < now.size(); ++i) EXPECT_TRUE(same_bits(now[i], first[i])) << threads << " " << i;
  }
}

}  // namespace
}  // namespace preceptor::test
