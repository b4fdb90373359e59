// RelationalLosses of a batch against their references on every device: distances, angles, similarities; equal rows,
// small batches, orders of threads.
#include "kernels/relational_loss/relational_loss.h"

#include <gtest/gtest.h>

#include "kernels/relational_loss/reference.h"
#include "tests/kernels/losses.h"
#include "tests/support/gradient_check.h"

namespace preceptor::test {
namespace {

using kernels::Relation;

constexpr Relation all_relations[] = {Relation::distances, Relation::angles, Relation::similarities};

std::string text_of(Relation relation) {
  return relation == Relation::distances ? "distances" : relation == Relation::angles ? "angles" : "similarities";
}

// RelationalLosses of random rows: squared distances, or cosines.
std::vector<double> relations_of(Random& random, Relation relation, int rows, int columns) {
  auto x = to_double(random.values(static_cast<std::size_t>(rows) * columns));
  if (relation != Relation::similarities) return kernels::reference::squared_distances(rows, columns, x);
  std::vector<double> cosines;
  for (int i = 0; i < rows; ++i)
    for (int j = 0; j < rows; ++j) {
      double products[3] = {};
      for (int c = 0; c < columns; ++c) {
        const double a = x[static_cast<std::size_t>(i) * columns + c], b = x[static_cast<std::size_t>(j) * columns + c];
        products[0] += a * a, products[1] += b * b, products[2] += a * b;
      }
      cosines.push_back(products[2] / std::sqrt(products[0] * products[1]));
    }
  return cosines;
}

TEST(RelationalLossReference, GradientsMatchFiniteDifferences) {
  Random random("relations gradient");
  constexpr int rows = 4, columns = 12;
  const auto x = to_double(random.values(rows * columns)), d = to_double(random.values(rows * rows));
  check_gradient(x, kernels::reference::squared_distances_backward(rows, columns, x, d),
                 [&](const auto& at) { return dot(d, kernels::reference::squared_distances(rows, columns, at)); });
  for (Relation relation : all_relations) {
    const auto student = relations_of(random, relation, rows, columns),
               teacher = relations_of(random, relation, rows, columns);
    const auto at = [&](const auto& s) { return kernels::reference::relational_loss(relation, rows, s, teacher, 2.0); };
    // Entries of the diagonal are 0 by their meaning: what the loss would make of others is not asked.
    auto gradient = at(student).gradient;
    check_gradient(student, gradient, [&](auto s) {
      if (relation != Relation::similarities)
        for (int i = 0; i < rows; ++i) s[i * rows + i] = 0;
      return total(at(s).loss);
    });
  }
}

class RelationalLosses : public DeviceTest {
 protected:
  LossAndGradient<float> run(Relation relation, int rows, const std::vector<float>& student,
                             const std::vector<float>& teacher, const kernels::Device& on) const {
    const DeviceBuffer<float> s(on, student), t(on, teacher);
    const DeviceBuffer<float> loss(on, std::vector<float>(static_cast<std::size_t>(rows), unknown));
    const DeviceBuffer<float> d_s(on, std::vector<float>(student.size(), unknown));
    execute_on(kernels::RelationalLoss{s.data(), t.data(), loss.data(), d_s.data(), rows, relation, 2}, on);
    return {loss.host(), d_s.host()};
  }
};

TEST_P(RelationalLosses, DistancesMatchTheReference) {
  Random random("relations distances");
  Comparison values("squared distances, " + name_of(device().kind)), gradients("squared distances, d_x");
  for (const auto& [rows, columns] : {std::pair{1, 5}, {2, 1}, {7, 33}, {13, 300}, {33, 64}}) {
    const auto x = random.values(static_cast<std::size_t>(rows) * columns, Kind::normal, 1);
    const auto d = random.values(static_cast<std::size_t>(rows) * rows);
    const DeviceBuffer<float> from(device(), x), derivative(device(), d);
    const DeviceBuffer<float> to(device(), std::vector<float>(d.size(), unknown)),
        d_x(device(), std::vector<float>(x.size(), unknown));
    execute_on(kernels::SquaredDistances{from.data(), to.data(), rows, columns}, device());
    execute_on(kernels::SquaredDistancesBackward{from.data(), derivative.data(), d_x.data(), rows, columns}, device());
    const auto expected = kernels::reference::squared_distances(rows, columns, to_double(x));
    const auto found = to.host();
    // Summed in double and rounded once.
    for (std::size_t i = 0; i < found.size(); ++i)
      values.check(static_cast<double>(found[i]), expected[i], allowed(1, expected[i], 1), i);
    const auto gradient = kernels::reference::squared_distances_backward(rows, columns, to_double(x), to_double(d));
    const auto found_gradient = d_x.host();
    for (std::size_t i = 0; i < found_gradient.size(); ++i)
      gradients.check(static_cast<double>(found_gradient[i]), gradient[i],
                      allowed(1, std::abs(gradient[i]), 1) + 0x1p-45 * rows, i);
  }
}

// A mean a thousand times the differences, which products of rows would lose.
TEST_P(RelationalLosses, DistancesKeepTheirDigitsBesideALargeMean) {
  Random random("relations mean");
  auto x = random.values(4 * 50);
  for (float& value : x) value += 1000;
  const DeviceBuffer<float> from(device(), x), to(device(), std::vector<float>(16, unknown));
  execute_on(kernels::SquaredDistances{from.data(), to.data(), 4, 50}, device());
  const auto expected = kernels::reference::squared_distances(4, 50, to_double(x));
  const auto found = to.host();
  for (std::size_t i = 0; i < found.size(); ++i)
    EXPECT_NEAR(static_cast<double>(found[i]), expected[i], allowed(1, expected[i], 1));
}

// Both are computed in double from the same floats: they differ by roundings of doubles, 2^-45 of the sum of the terms'
// sizes, and by one of floats.
TEST_P(RelationalLosses, LossesMatchTheReference) {
  Random random("relations");
  for (Relation relation : all_relations) {
    Comparison losses("relation " + text_of(relation) + ", " + name_of(device().kind) + ", loss"),
        gradients("relation " + text_of(relation) + ", gradient");
    for (int rows : {1, 2, 3, 9, 32, 33}) {
      const auto narrow = [](const std::vector<double>& wide) { return std::vector<float>(wide.begin(), wide.end()); };
      const auto student = narrow(relations_of(random, relation, rows, 20)),
                 teacher = narrow(relations_of(random, relation, rows, 20));
      const auto result = run(relation, rows, student, teacher, device());
      const auto expected =
          kernels::reference::relational_loss(relation, rows, to_double(student), to_double(teacher), 2.0);
      double largest = 0;
      for (double value : expected.gradient) largest = std::max(largest, std::abs(value));
      for (std::size_t i = 0; i < result.loss.size(); ++i)
        losses.check(static_cast<double>(result.loss[i]), expected.loss[i],
                     allowed(1, std::abs(expected.loss[i]), 1) + 0x1p-45, i);
      for (std::size_t i = 0; i < result.gradient.size(); ++i)
        gradients.check(static_cast<double>(result.gradient[i]), expected.gradient[i],
                        allowed(1, std::abs(expected.gradient[i]), 1) + 0x1p-45 * largest * rows, i);
    }
  }
}

// Dead features: all images alike, or two of them. Nothing divides by their distance.
TEST_P(RelationalLosses, EqualRowsGiveFiniteLossesAndGradients) {
  Random random("relations equal");
  for (Relation relation : all_relations)
    for (bool all_equal : {true, false}) {
      const auto wide = relations_of(random, relation, 5, 4);
      std::vector<float> student(wide.begin(), wide.end()), teacher = student;
      for (int i = 0; i < 5; ++i)
        for (int j = 0; j < 5; ++j) {
          float& entry = student[static_cast<std::size_t>(i) * 5 + j];
          if (all_equal) entry = 0;
          if (!all_equal && i < 2 && j < 2) entry = relation == Relation::similarities ? 1.0f : 0.0f;
        }
      const auto result = run(relation, 5, student, teacher, device());
      for (float loss : result.loss) EXPECT_TRUE(std::isfinite(loss)) << text_of(relation);
      for (float value : result.gradient) EXPECT_LT(std::abs(value), 1e3f) << text_of(relation);
    }
}

TEST_P(RelationalLosses, TheSameBitsInAnyOrder) {
  Random random("relations bits");
  for (Relation relation : all_relations) {
    const auto wide = relations_of(random, relation, 19, 6), other = relations_of(random, relation, 19, 6);
    const std::vector<float> student(wide.begin(), wide.end()), teacher(other.begin(), other.end());
    const auto first = run(relation, 19, student, teacher, device());
    for (const kernels::Device& variant : five_variants(device()))
      EXPECT_TRUE(run(relation, 19, student, teacher, variant) == first) << text_of(relation);
  }
  const auto x = random.values(11 * 70);
  std::vector<float> first;
  for (const kernels::Device& variant : five_variants(device())) {
    const DeviceBuffer<float> from(variant, x), to(variant, std::vector<float>(121, unknown)), d_x(variant, x);
    execute_on(kernels::SquaredDistances{from.data(), to.data(), 11, 70}, variant);
    execute_on(kernels::SquaredDistancesBackward{from.data(), to.data(), d_x.data(), 11, 70}, variant);
    if (first.empty()) first = d_x.host();
    EXPECT_TRUE(same_bits(d_x.host(), first));
  }
}

INSTANTIATE_ON_ALL_DEVICES(RelationalLosses);

}  // namespace
}  // namespace preceptor::test
