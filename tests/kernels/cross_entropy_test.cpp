// Losses on labels on every device: unknown labels, extreme logits, any number of classes, probabilities.
#include "kernels/cross_entropy/cross_entropy.h"

#include <gtest/gtest.h>

#include <cmath>
#include <tuple>

#include "kernels/cross_entropy/reference.h"
#include "tests/kernels/losses.h"
#include "tests/kernels/softened_kl_error.h"
#include "tests/support/gradient_check.h"

namespace preceptor::test {
namespace {

using namespace kernels;

std::vector<float> random_labels(Random& random, int rows, int classes) {
  std::vector<float> labels(rows);
  for (float& label : labels) {
    const int kind = random.integer(0, 4), any = random.integer(0, classes - 1);
    label = kind == 0 ? unknown : static_cast<float>(kind == 1 ? 0 : kind == 2 ? classes - 1 : any);
  }
  return labels;
}

std::vector<float> random_targets(Random& random, std::size_t count) {
  std::vector<float> targets(count);
  for (float& target : targets) {
    const int choice = random.integer(0, 4);
    target = choice == 0   ? unknown
             : choice == 1 ? static_cast<float>(random.uniform(0, 1))
                           : static_cast<float>(choice & 1);
  }
  return targets;
}

TEST(CrossEntropyReference, GradientsMatchFiniteDifferences) {
  Random random("cross entropy gradient");
  const auto logits = to_double(random.values(4 * 5));
  const auto labels = std::vector<double>{2, static_cast<double>(unknown), 0, 4};
  const auto softmax = reference::softmax_cross_entropy(4, 5, logits, labels, 0.7);
  check_gradient(logits, softmax.gradient,
                 [&](const auto& at) { return total(reference::softmax_cross_entropy(4, 5, at, labels, 0.7).loss); });
  const auto targets = to_double(random_targets(random, logits.size()));
  const auto binary = reference::binary_cross_entropy(4, 5, logits, targets, 0.7);
  check_gradient(logits, binary.gradient,
                 [&](const auto& at) { return total(reference::binary_cross_entropy(4, 5, at, targets, 0.7).loss); });
}

constexpr float weight = 0.5f;

// Logits of rows with a class each, or of rows with a target for every entry.
template <class T>
struct Problem {
  int rows, columns;
  std::vector<T> logits;
  std::vector<float> labels, targets, row_weights;  // shares may be empty
  int offset = 0, result_offset = 0, labels_offset = 0;

  Problem(Random& random, int row_count, int column_count, double size) : rows(row_count), columns(column_count) {
    logits = stored<T>(random.values(static_cast<std::size_t>(rows) * columns, Kind::normal, size));
    labels = random_labels(random, rows, columns);
    targets = random_targets(random, logits.size());
  }
  std::string text() const { return std::to_string(rows) + "x" + std::to_string(columns); }

  // Each calls launch(arguments), which runs them on the device.
  template <class Launch>
  LossAndGradient<T> softmax_loss(const Device& device, const Launch& launch) const {
    return run(device, labels, [&](const T* z, const float* y, float* loss, T* d_z) {
      const DeviceBuffer<float> counts(device, row_weights.empty() ? std::vector<float>(1) : row_weights);
      launch(SoftmaxCrossEntropy<T>{z, y, loss, d_z, rows, columns, weight,
                                    row_weights.empty() ? nullptr : counts.data()});
    });
  }
  template <class Launch>
  LossAndGradient<T> binary_loss(const Device& device, const Launch& launch) const {
    return run(device, targets, [&](const T* z, const float* y, float* loss, T* d_z) {
      launch(BinaryCrossEntropy<T>{z, y, loss, d_z, rows, columns, weight});
    });
  }
  template <class Launch>
  std::vector<T> softmax(const Device& device, const Launch& launch) const {
    return run(device, targets,
               [&](const T* z, const float*, float*, T* p) {
                 launch(Softmax<T>{z, p, rows, columns});
               })
        .gradient;
  }
  template <class Launch>
  std::vector<T> sigmoid(const Device& device, const Launch& launch) const {
    return run(device, targets,
               [&](const T* z, const float*, float*, T* p) {
                 launch(Sigmoid<T>{z, p, static_cast<std::int64_t>(logits.size())});
               })
        .gradient;
  }

 private:
  template <class Launch>
  LossAndGradient<T> run(const Device& device, const std::vector<float>& known, const Launch& launch) const {
    const OffsetBuffer<T> z(device, offset, logits);
    const OffsetBuffer<T> result(device, result_offset, std::vector<T>(logits.size(), static_cast<T>(unknown)));
    const OffsetBuffer<float> y(device, labels_offset, known);
    const DeviceBuffer<float> loss(device, std::vector<float>(static_cast<std::size_t>(rows), unknown));
    launch(z.data(), y.data(), loss.data(), result.data());
    return {loss.host(), result.host()};
  }
};

// The roundings of one row: of its loss per weight, of its derivatives per weight, or of its probabilities (label -1).
// The cpu adds in double, so that exp() of a rounded difference d remains, with the relative error |d| eps: the c of
// every exponential is 4 + |d|. The others add in float: softened_kl_error.h.
RowError row_error(const double* z, const double* p, int classes, int label, bool on_cpu) {
  if (!on_cpu) return hard_loss_error(z, classes, label);
  const double maximum = *std::max_element(z, z + classes);
  double row_weights = 0;  // sum of p (1 + |d|): the error of the sum of exponentials
  for (int i = 0; i < classes; ++i) row_weights += p[i] * (1 + maximum - z[i]);
  RowError error;
  error.loss = allowed(classes, row_weights);
  for (int i = 0; i < classes; ++i)
    error.gradient.push_back(i == label ? error.loss
                                        : p[i] * (error.loss + allowed(1, 1 + maximum - z[i])) + allowed(1, 0));
  return error;
}

class CrossEntropy : public DeviceTest {
 protected:
  // The comparisons of a test, with the device and the storage type in their names.
  struct Comparisons {
    Comparison losses, gradients, probabilities;
    explicit Comparisons(const std::string& where)
        : losses(where + "loss"), gradients(where + "gradient"), probabilities(where + "probability") {}
  };
  template <class T>
  Comparisons comparisons(const std::string& what) const {
    return Comparisons(what + ", " + name_of(device().kind) + ", " + name_of_storage<T>() + ", ");
  }
  // Launches on the device of the test.
  auto launch() const {
    return [this](const auto& arguments) { execute_on(arguments, device()); };
  }

  template <class T>
  void check_softmax(const Problem<T>& problem, Comparisons& compare) const {
    SCOPED_TRACE(problem.text() + " " + name_of_storage<T>());
    const int rows = problem.rows, classes = problem.columns;
    const auto actual = problem.softmax_loss(device(), launch());
    const auto p_actual = widened(problem.softmax(device(), launch())), gradient = widened(actual.gradient);
    const auto z = widened(problem.logits), labels = to_double(problem.labels);
    const auto expected = reference::softmax_cross_entropy(rows, classes, z, labels, static_cast<double>(weight),
                                                           to_double(problem.row_weights));
    const auto p = reference::softmax(rows, classes, z);
    const double mean = static_cast<double>(weight) / std::max(1, reference::count_known(labels));
    for (int row = 0; row < rows; ++row) {
      const double scale =
          mean * (problem.row_weights.empty() ? 1 : double{problem.row_weights[static_cast<std::size_t>(row)]});
      const auto first = static_cast<std::size_t>(row) * classes;
      // The reference's own roundings: its sum of a confident row is 1 and little more, and its p - 1 little less than
      // 0.
      const double of_double = scale * 0x1p-53 * (8 + std::sqrt(classes)) * (1 + std::log(classes));
      const bool known = !std::isnan(labels[row]);
      const RowError of_p = row_error(&z[first], &p[first], classes, -1, on_cpu());
      const RowError error =
          known ? row_error(&z[first], &p[first], classes, static_cast<int>(labels[row]), on_cpu()) : of_p;
      compare.losses.check(static_cast<double>(actual.loss[row]), expected.loss[row],
                           known ? scale * error.loss + allowed(1, expected.loss[row]) + of_double : 0, row);
      for (int i = 0; i < classes; ++i) {
        const std::size_t at = first + i;
        const double d = expected.gradient[at];
        compare.probabilities.check(p_actual[at], p[at], with_storage<T>(of_p.gradient[i], p[at]), at);
        const double of_gradient = scale * error.gradient[i] + allowed(2, std::abs(d)) + of_double;
        compare.gradients.check(gradient[at], d, known ? with_storage<T>(of_gradient, d) : 0, at);
      }
    }
  }

  template <class T>
  void check_binary(const Problem<T>& problem, Comparisons& compare) const {
    SCOPED_TRACE(problem.text() + " " + name_of_storage<T>());
    const auto actual = problem.binary_loss(device(), launch());
    const auto p_actual = widened(problem.sigmoid(device(), launch())), gradient = widened(actual.gradient);
    const auto z = widened(problem.logits), targets = to_double(problem.targets);
    const auto expected =
        reference::binary_cross_entropy(problem.rows, problem.columns, z, targets, static_cast<double>(weight));
    const double scale = static_cast<double>(weight) / std::max(1, reference::count_known(targets));
    for (int row = 0; row < problem.rows; ++row)  // all terms are positive, so their sum is the loss
      compare.losses.check(static_cast<double>(actual.loss[row]), expected.loss[row],
                           allowed(problem.columns, expected.loss[row], 8), row);
    for (std::size_t i = 0; i < z.size(); ++i) {
      const double p = reference::sigmoid(z[i]), complement = reference::sigmoid(-z[i]), d = expected.gradient[i];
      compare.probabilities.check(p_actual[i], p, with_storage<T>(allowed(1, p), p), i);
      // The gradient is a difference of (1 - t) p and t (1 - p).
      const double terms = std::isnan(targets[i]) ? 0 : scale * ((1 - targets[i]) * p + targets[i] * complement);
      compare.gradients.check(gradient[i], d, terms == 0 ? 0 : with_storage<T>(allowed(2, terms, 8), d), i);
    }
  }
};

TEST_P(CrossEntropy, RowsCountByTheirShares) {
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    Random random("shares of rows");
    auto compare = comparisons<T>("shares");
    for (const auto& [rows, classes] : {std::pair{1, 2}, {7, 5}, {64, 3}, {33, 200}, {5, 1500}, {700, 10}}) {
      if (watched(device()) && rows * classes > 5000) continue;
      Problem<T> problem(random, rows, classes, 3);
      for (int row = 0; row < rows; ++row)
        problem.row_weights.push_back(row == 0 ? 0.0f : static_cast<float>(random.uniform(0, 1)));
      check_softmax(problem, compare);
    }
  });
}

TEST_P(CrossEntropy, SoftmaxMatchesTheReference) {
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    Random random("softmax cross entropy");
    auto compare = comparisons<T>("softmax");
    for (double size : {1e-15, 1.0, 30.0, 1e4})
      for (int repeat = 0; repeat < (on_cpu() ? 12 : watched(device()) ? 2 : 5); ++repeat)
        check_softmax(Problem<T>(random, random.awkward_size(129), random.awkward_size(129), size), compare);
  });
}

// Around every change of the mapping: powers of two up to a warp, one block and several (4096 logits), short and long
// rows (320 floats, 640 bfloat16), blocks that grow, rows that do not fit on chip (40960 floats, 81920 bfloat16).
TEST_P(CrossEntropy, AnyNumberOfClasses) {
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    Random random("softmax classes");
    auto compare = comparisons<T>("softmax classes");
    for (int classes :
         {1, 2, 3, 14, 17, 31, 32, 33, 127, 128, 129, 319, 320, 321, 639, 640, 641, 1000, 1023, 4099, 100000}) {
      if (watched(device()) && classes > 1023 && (sizeof(T) == 4 || classes < 100000)) continue;
      const int rows = classes == 100000 ? 2 : classes > 256 ? 5 : random.integer(3, 260);
      check_softmax(Problem<T>(random, rows, classes, 5), compare);
    }
  });
}

// More tiles than blocks, rounds of several rows, more long rows than blocks.
TEST_P(CrossEntropy, ManyRows) {
  Random random("softmax rows");
  auto compare = comparisons<float>("softmax rows");
  for (const auto& [rows, classes] : {std::pair{70001, 2}, {3001, 31}, {4097, 1}, {4096, 1}, {523, 323}}) {
    if (watched(device()) && rows != 3001) continue;
    check_softmax(Problem<float>(random, rows, classes, 3), compare);
  }
}

TEST_P(CrossEntropy, ArraysMayBeginAnywhere) {
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    Random random("cross entropy offsets");
    auto softmax = comparisons<T>("softmax offsets"), binary = comparisons<T>("binary offsets");
    for (int columns : {1, 3, 14, 129, 1027})
      for (const auto& [z, d_z, y] : {std::tuple{1, 1, 1}, {4, 4, 3}, {7, 7, 0}, {8, 0, 1}, {0, 2, 0}, {5, 0, 4}}) {
        if (watched(device()) && z > 4) continue;
        Problem<T> problem(random, 5, columns, 2);
        problem.offset = z;
        problem.result_offset = d_z;
        problem.labels_offset = y;
        SCOPED_TRACE("offsets " + std::to_string(z) + " " + std::to_string(d_z) + " " + std::to_string(y));
        check_softmax(problem, softmax);
        check_binary(problem, binary);
      }
  });
}

TEST_P(CrossEntropy, BinaryMatchesTheReference) {
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    Random random("binary cross entropy");
    auto compare = comparisons<T>("binary");
    for (double size : {1e-15, 1.0, 30.0, 1e4})
      for (int repeat = 0; repeat < (on_cpu() ? 12 : watched(device()) ? 2 : 5); ++repeat)
        check_binary(Problem<T>(random, random.awkward_size(129), random.awkward_size(33), size), compare);
  });
}

// Several rows to a tile of 1024 values, one, and rows of several tiles; one block and several.
TEST_P(CrossEntropy, AnyNumberOfLabels) {
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    Random random("binary labels");
    auto compare = comparisons<T>("binary labels");
    for (const auto& [rows, labels] :
         {std::pair{1, 1}, {4097, 1}, {4001, 7}, {17, 600}, {5, 1023}, {5, 1025}, {2, 4099}})
      if (!watched(device()) || rows * labels < 11000) check_binary(Problem<T>(random, rows, labels, 3), compare);
  });
}

TEST_P(CrossEntropy, WithoutKnownLabelsLossAndGradientAreZero) {
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    Random random("cross entropy unknown");
    for (int columns : {3, 1025}) {
      Problem<T> problem(random, 5, columns, 3);
      problem.labels.assign(problem.labels.size(), unknown);
      problem.targets.assign(problem.targets.size(), unknown);
      for (const auto& result : {problem.softmax_loss(device(), launch()), problem.binary_loss(device(), launch())}) {
        EXPECT_EQ(result.loss, std::vector<float>(5, 0.0f));
        EXPECT_EQ(widened(result.gradient), std::vector<double>(problem.logits.size(), 0.0));
      }
    }
  });
}

// What 1 - p and log(sum) of plain float code cannot say: a confident row still has a loss and a gradient.
TEST_P(CrossEntropy, ConfidentRowsKeepTheirDigits) {
  Random random("cross entropy confident");
  Problem<float> problem(random, 1, 3, 1);
  problem.logits = {40, 0, 0};
  problem.labels = {0};
  const auto result = problem.softmax_loss(device(), launch());
  const double small = static_cast<double>(weight) * 2 * std::exp(-40.0);
  // exp2 of 40 log2(e) in float, on devices that compute so, has an error of 3 * 40 + 4 roundings.
  const double error = 128 * float_roundoff * small;
  EXPECT_NEAR(static_cast<double>(result.loss[0]), small, error);
  EXPECT_NEAR(static_cast<double>(result.gradient[0]), -small, error);
}

TEST_P(CrossEntropy, SoftmaxMayOverwriteTheLogits) {
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    Random random("probabilities in place");
    for (int columns : {7, 1003}) {
      const Problem<T> problem(random, 33, columns, 1);
      const DeviceBuffer<T> softmax(device(), problem.logits), sigmoid(device(), problem.logits);
      execute_on(Softmax<T>{softmax.data(), softmax.data(), 33, columns}, device());
      execute_on(Sigmoid<T>{sigmoid.data(), sigmoid.data(), 33 * columns}, device());
      EXPECT_TRUE(same_bits(softmax.host(), problem.softmax(device(), launch())));
      EXPECT_TRUE(same_bits(sigmoid.host(), problem.sigmoid(device(), launch())));
    }
  });
}

// A row that has diverged must show, and must not reach its neighbors in the block.
TEST_P(CrossEntropy, NanStaysInItsRow) {
  Random random("cross entropy nan");
  for (int columns : {5, 40, 1001}) {
    Problem<float> problem(random, 9, columns, 1);
    problem.labels[4] = problem.targets[static_cast<std::size_t>(4) * columns + 2] = 1;
    const auto clean = problem.softmax_loss(device(), launch()), clean_binary = problem.binary_loss(device(), launch());
    problem.logits[static_cast<std::size_t>(4) * columns + 2] = unknown;
    const auto result = problem.softmax_loss(device(), launch()), binary = problem.binary_loss(device(), launch());
    for (int row = 0; row < 9; ++row) {
      const auto first = static_cast<std::size_t>(row) * columns;
      EXPECT_EQ(std::isnan(result.loss[row]), row == 4) << columns << " " << row;
      EXPECT_EQ(std::isnan(binary.loss[row]), row == 4) << columns << " " << row;
      if (row == 4) continue;
      EXPECT_EQ(result.loss[row], clean.loss[row]) << columns << " " << row;
      EXPECT_EQ(binary.loss[row], clean_binary.loss[row]) << columns << " " << row;
      for (std::size_t i = first; i < first + columns; ++i) EXPECT_EQ(result.gradient[i], clean.gradient[i]) << i;
    }
  }
}

TEST_P(CrossEntropy, TheSameBitsInEveryOrder) {
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    Random random("cross entropy bits");
    for (int columns : {3, 61, 1000}) {
      const Problem<T> problem(random, columns == 61 ? 129 : 9, columns, 3);
      const auto run_all = [&](const Device& on) {
        const auto run = [&](const auto& arguments) { execute_on(arguments, on); };
        return std::tuple{problem.softmax_loss(on, run), problem.binary_loss(on, run),
                          widened(problem.softmax(on, run)), widened(problem.sigmoid(on, run))};
      };
      const auto first = run_all(device());
      for (const Device& variant : five_variants(device())) EXPECT_TRUE(run_all(variant) == first) << columns;
    }
  });
}

// Up to 4096 entries; above, and in long rows, blocks read all labels again, from L2 (kernels/cross_entropy/README.md).
TEST_P(CrossEntropy, MovesWhatCostSays) {
  if (device().kind != DeviceKind::emulated || !emulator::counters_available())
    GTEST_SKIP() << "the emulated device counts accesses where it watches them";
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    Random random("cross entropy counters");
    for (const auto& [rows, columns] : {std::pair{1024, 2}, {256, 14}, {32, 100}, {17, 1000}, {1, 50021}}) {
      Problem<T> problem(random, rows, columns, 3);
      // All known: where lanes skip entries, the counters no longer pair their accesses as a warp does.
      problem.targets.assign(problem.targets.size(), 1.0f);
      const auto count = [&](const char* what) {
        return [&, what](const auto& arguments) {
          expect_moves_what_cost_says(arguments, device(), problem.text() + " " + name_of_storage<T>() + ", " + what);
        };
      };
      problem.softmax_loss(device(), count("softmax cross entropy"));
      problem.softmax(device(), count("softmax"));
      problem.sigmoid(device(), count("sigmoid"));
      if (rows * columns <= 4096) problem.binary_loss(device(), count("binary cross entropy"));
    }
  });
}

TEST(CrossEntropyCost, CountsWhatIsReadTwice) {
  SoftmaxCrossEntropy<float> a{};
  a.rows = 3;
  a.classes = 40960;
  EXPECT_EQ(cost(a).bytes, 3.0 * (2 * 40960 + 2) * 4);
  a.classes = 40961;
  EXPECT_EQ(cost(a).bytes, 3.0 * (2 * 40961 + 1 + 2) * 4);
}

INSTANTIATE_ON_ALL_DEVICES(CrossEntropy);

}  // namespace
}  // namespace preceptor::test
