// Contrast with a bank against its reference on every device: what is drawn, scores, the constant, loss and gradient,
// and how the bank follows.
#include "kernels/nce_loss/nce_loss.h"

#include <gtest/gtest.h>

#include <numeric>
#include <set>

#include "kernels/device/philox.h"
#include "kernels/nce_loss/reference.h"
#include "tests/kernels/losses.h"
#include "tests/support/gradient_check.h"

namespace preceptor::test {
namespace {

namespace reference = kernels::reference;

TEST(NceLossReference, GradientMatchesFiniteDifferences) {
  Random random("contrast gradient");
  const auto scores = to_double(random.values(2 * 5));
  const auto at = [&](const auto& s) { return reference::nce_loss(2, 5, 9, s, 20.0, 0.5); };
  check_gradient(scores, at(scores).gradient, [&](const auto& s) { return total(at(s).loss); });
}

// Images 0 to 8 of classes 0 0 0 1 1 2 2 2 2, or each of its own.
struct Source {
  std::vector<int> order = {0, 1, 2, 3, 4, 5, 6, 7, 8}, first, excluded;
  explicit Source(bool by_class)
      : first(by_class ? std::vector<int>{0, 0, 0, 3, 3, 5, 5, 5, 5} : order),
        excluded(by_class ? std::vector<int>{3, 3, 3, 2, 2, 4, 4, 4, 4} : std::vector<int>(9, 1)) {}
};

class Nce : public DeviceTest {};

TEST_P(Nce, DrawsEveryOtherImageAndNoneThatIsExcluded) {
  const int rows = 4, negatives = 66;
  const std::vector<std::int32_t> positions = {3, 0, 8, 3};
  for (bool by_class : {true, false}) {
    const Source source(by_class);
    std::vector<std::vector<int>> drawn;
    for (std::int64_t step : {std::int64_t{0}, std::int64_t{0}, std::int64_t{1}}) {
      const DeviceBuffer<int> at(device(), positions), order(device(), source.order), first(device(), source.first),
          excluded(device(), source.excluded), index(device(), std::vector<int>(rows * (1 + negatives), -1));
      const DeviceBuffer<kernels::StepState> state(device(), {{0, step, 5}});
      execute_on(kernels::DrawNegatives{at.data(), order.data(), first.data(), excluded.data(), state.data(),
                                        index.data(), rows, negatives, 9},
                 device());
      drawn.push_back(index.host());
    }
    EXPECT_EQ(drawn[0], drawn[1]);
    EXPECT_NE(drawn[0], drawn[2]) << "another step";
    for (int row = 0; row < rows; ++row) {
      const int own = positions[row];
      const int* found = drawn[0].data() + row * (1 + negatives);
      EXPECT_EQ(found[0], own);
      std::set<int> wanted;
      for (int image = 0; image < 9; ++image)
        if (image < source.first[own] || image >= source.first[own] + source.excluded[own]) wanted.insert(image);
      // 66 draws miss one of 8 images once in 800 times; these do not.
      EXPECT_EQ(std::set<int>(found + 1, found + 1 + negatives), wanted) << row;
      const auto random = kernels::philox(5, 0, (std::uint64_t{1} << 62) + static_cast<std::uint64_t>(row) * 17);
      const auto place = static_cast<int>(std::uint64_t{random[1]} * wanted.size() >> 32);
      EXPECT_EQ(found[2], *std::next(wanted.begin(), place));
    }
  }
}

struct Problem {
  int rows, columns, candidates, images;
  std::vector<float> anchors, bank;
  std::vector<int> index;
  static constexpr double temperature = 0.07;

  Problem(Random& random, int row_count, int column_count, int candidate_count, int image_count)
      : rows(row_count),
        columns(column_count),
        candidates(candidate_count),
        images(image_count),
        anchors(unit(random, rows)),
        bank(unit(random, images)) {
    for (int i = 0; i < rows * candidates; ++i) index.push_back(random.integer(0, images - 1));
  }
  std::vector<float> unit(Random& random, int count) const {
    std::vector<float> values = random.values(static_cast<std::size_t>(count) * columns);
    for (int row = 0; row < count; ++row) {
      float* x = values.data() + static_cast<std::ptrdiff_t>(row) * columns;
      const float norm = std::sqrt(std::inner_product(x, x + columns, x, 0.0f));
      for (int c = 0; c < columns; ++c) x[c] /= norm;
    }
    return values;
  }
  struct Result {
    std::vector<float> scores, constant, loss, d_anchors;
  };
  Result run(const kernels::Device& device, float known_constant) const {
    const auto of = [&](std::size_t count) { return std::vector<float>(count, unknown); };
    const DeviceBuffer<float> x(device, anchors), all(device, bank), scores(device, of(index.size())),
        constant(device, {known_constant}), loss(device, of(static_cast<std::size_t>(rows))),
        d_x(device, of(anchors.size()));
    const DeviceBuffer<int> at(device, index);
    execute_on(
        kernels::NceScores{x.data(), all.data(), at.data(), scores.data(), rows, columns, candidates, temperature},
        device);
    execute_on(kernels::NceConstant{scores.data(), rows * candidates, images, constant.data()}, device);
    execute_on(kernels::NceLoss{scores.data(), at.data(), all.data(), constant.data(), loss.data(), d_x.data(), rows,
                                columns, candidates, images, temperature, 0.5},
               device);
    return {scores.host(), constant.host(), loss.host(), d_x.host()};
  }
};

// All sums are taken in double: a score is rounded once, and what follows has the rounding of the score, eps |s|, in
// the argument of exp(), so relative, and its own.
TEST_P(Nce, MatchesTheReference) {
  Random random("contrast");
  const std::string label = "contrast, " + name_of(device().kind);
  Comparison scores(label + ", scores"), losses(label + ", loss"), gradients(label + ", gradient");
  for (const auto& [rows, columns, candidates, images] :
       {std::tuple{3, 128, 70, 50}, {1, 1, 2, 2}, {2, 33, 9, 5}, {2, 256, 20, 30}})
    for (float known : {0.0f, 3.0f}) {
      const Problem problem(random, rows, columns, candidates, images);
      const Problem::Result result = problem.run(device(), known);
      const auto wide = to_double(problem.anchors), bank = to_double(problem.bank);
      const auto expected =
          reference::nce_scores(rows, columns, candidates, wide, bank, problem.index, Problem::temperature);
      double largest = 0;
      for (std::size_t i = 0; i < expected.size(); ++i) {
        scores.check(static_cast<double>(result.scores[i]), expected[i], allowed(1, std::abs(expected[i]), 1) + 0x1p-45,
                     i);
        largest = std::max(largest, std::abs(expected[i]));
      }
      const double constant = known != 0 ? static_cast<double>(known) : reference::nce_constant(expected, images);
      EXPECT_NEAR(static_cast<double>(result.constant[0]), constant, allowed(1, constant * (1 + largest), 2));
      const auto loss = reference::nce_loss(rows, candidates, images, expected, constant, 0.5);
      for (int row = 0; row < rows; ++row) {
        // An error of e in every score and in log Z moves a candidate's loss by 2 e at most.
        losses.check(static_cast<double>(result.loss[row]), loss.loss[row],
                     allowed(1, std::abs(loss.loss[row]), 1) + 0.5 * candidates * allowed(1, 1 + largest, 3), row);
        for (int c = 0; c < columns; ++c) {
          double sum = 0, terms = 0;
          for (int k = 0; k < candidates; ++k) {
            const std::size_t at = static_cast<std::size_t>(row) * candidates + k;
            const double other = bank[static_cast<std::size_t>(problem.index[at]) * columns + c] / Problem::temperature;
            sum += loss.gradient[at] * other;
            terms += std::abs(loss.gradient[at] * other);
          }
          gradients.check(static_cast<double>(result.d_anchors[static_cast<std::size_t>(row) * columns + c]), sum,
                          allowed(1, terms * (1 + largest), 5), static_cast<std::size_t>(c));
        }
      }
    }
}

TEST_P(Nce, TheBankFollowsTheLastOfARow) {
  Random random("contrast bank");
  for (int columns : {1, 24, 128, 300}) {
    const auto bank = random.values(5 * static_cast<std::size_t>(columns));
    auto embeddings = random.values(4 * static_cast<std::size_t>(columns));
    // Two rows are image 3; row 3 has no length, nor has image 4 then: it stays 0 and nothing becomes a NaN.
    auto start = bank;
    std::fill(start.begin() + 4 * columns, start.end(), 0.0f);
    std::fill(embeddings.begin() + 3 * columns, embeddings.end(), 0.0f);
    const std::vector<int> positions = {3, 0, 3, 4};
    std::vector<std::vector<float>> results;
    for (const kernels::Device& variant : five_variants(device())) {
      const DeviceBuffer<float> memory(variant, start), values(variant, embeddings);
      const DeviceBuffer<int> at(variant, positions);
      execute_on(kernels::UpdateBank{memory.data(), values.data(), at.data(), 4, columns, 0.25f}, variant);
      results.push_back(memory.host());
      EXPECT_TRUE(same_bits(results.back(), results.front()));
    }
    auto expected = to_double(start);
    reference::update_bank(columns, expected, to_double(embeddings), positions, 0.25);
    for (std::size_t i = 0; i < expected.size(); ++i)
      EXPECT_NEAR(static_cast<double>(results[0][i]), expected[i], allowed(1, std::abs(expected[i]), 1) + 0x1p-45);
  }
}

TEST_P(Nce, TheSameBitsInAnyOrder) {
  Random random("contrast bits");
  const Problem problem(random, 5, 100, 41, 30);
  const auto first = problem.run(device(), 0);
  for (const kernels::Device& variant : five_variants(device())) {
    const auto result = problem.run(variant, 0);
    EXPECT_TRUE(same_bits(result.scores, first.scores) && same_bits(result.loss, first.loss) &&
                same_bits(result.d_anchors, first.d_anchors) && same_bits(result.constant, first.constant));
  }
}

INSTANTIATE_ON_ALL_DEVICES(Nce);

}  // namespace
}  // namespace preceptor::test
