// Softened KL over classes on every device: all temperatures, extreme logits, any number of classes, labels.
#include "kernels/softened_kl/softened_kl.h"

#include <gtest/gtest.h>

#include <cmath>
#include <tuple>

#include "kernels/softened_kl/reference.h"
#include "tests/kernels/softened_kl_problem.h"
#include "tests/support/gradient_check.h"

namespace preceptor::test {
namespace {

using namespace kernels;

TEST(SoftenedKlReference, GradientsMatchFiniteDifferences) {
  Random random("softened kl gradient");
  const auto student = to_double(random.values(3 * 5)), teacher = to_double(random.values(3 * 5));
  const std::vector<double> temperatures = {0.5, 1, 4}, labels = {2, static_cast<double>(unknown), 0};
  const auto at = [&](const std::vector<double>& logits) {
    return reference::softened_kl_with_labels(3, 5, logits, teacher, temperatures, 0.3, labels, 0.7);
  };
  check_gradient(student, at(student).gradient, [&](const auto& logits) { return total(at(logits).loss); });
}

class SoftenedKl : public DeviceTest {
 protected:
  std::string label(const char* what, std::size_t bytes) const {
    return "softened kl, " + name_of(device().kind) + (bytes == 4 ? ", float, " : ", bfloat16, ") + what;
  }
};

TEST_P(SoftenedKl, MatchesTheReference) {
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    Random random("softened kl");
    Comparison losses(label("loss", sizeof(T))), gradients(label("gradient", sizeof(T)));
    for (float temperature : {0.05f, 0.5f, 1.0f, 4.0f, 20.0f, 100.0f})
      for (double size : {1e-15, 1.0, 30.0, 1e4})
        for (int repeat = 0; repeat < (watched(device()) ? 1 : 3); ++repeat) {
          Problem<T> problem(random, random.awkward_size(33), random.awkward_size(129), temperature, size);
          if (repeat == 1) problem.add_labels(random);
          SCOPED_TRACE(problem.text() + " size " + std::to_string(size));
          problem.check(problem.run(device()), on_cpu(), losses, gradients);
        }
  });
}

// Around every change of the mapping: powers of two up to a warp, short and long rows (320 floats, 640 bfloat16),
// blocks that grow, rows that do not fit on chip (20480 floats, 40960 bfloat16).
TEST_P(SoftenedKl, AnyNumberOfClasses) {
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    Random random("softened kl classes");
    Comparison losses(label("loss", sizeof(T))), gradients(label("gradient", sizeof(T)));
    for (int classes : {1,   2,   3,   14,  17,  31,  32,   33,   100,  127,   128,  129,
                        319, 320, 321, 639, 640, 641, 1000, 1023, 4099, 30011, 50021}) {
      if (watched(device()) && classes > 1023 && classes != (sizeof(T) == 2 ? 50021 : 30011)) continue;
      Problem<T> problem(random, classes > 256 ? 5 : random.integer(3, 140), classes, 3, 5);
      problem.add_row_temperatures(random);
      problem.add_labels(random);
      SCOPED_TRACE(problem.text());
      problem.check(problem.run(device()), on_cpu(), losses, gradients);
    }
  });
}

// Blocks take several rounds of rows only when there are rows for more than a thousand blocks.
TEST_P(SoftenedKl, ManyRows) {
  Random random("softened kl rows");
  Comparison losses(label("loss", 4)), gradients(label("gradient", 4));
  for (const auto& [rows, classes] : {std::pair{70001, 2}, {17003, 31}, {300007, 1}}) {
    if (watched(device()) && classes != 31) continue;
    Problem<float> problem(random, rows, classes, 2, 3);
    problem.add_labels(random);
    SCOPED_TRACE(problem.text());
    problem.check(problem.run(device()), on_cpu(), losses, gradients);
  }
}

TEST_P(SoftenedKl, ArraysMayBeginAnywhere) {
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    Random random("softened kl offsets");
    Comparison losses(label("loss", sizeof(T))), gradients(label("gradient", sizeof(T)));
    for (int classes : {1, 3, 14, 129, 258, 1027})
      for (const auto& [s, t, d_s] : {std::tuple{1, 1, 1},
                                      {3, 3, 3},
                                      {4, 4, 4},
                                      {7, 7, 7},
                                      {15, 15, 15},
                                      {8, 0, 8},
                                      {1, 0, 0},
                                      {0, 2, 0},
                                      {0, 0, 5}}) {
        Problem<T> problem(random, 5, classes, 4, 2);
        problem.student_offset = s;
        problem.teacher_offset = t;
        problem.d_student_offset = d_s;
        problem.add_labels(random);
        SCOPED_TRACE(problem.text() + " offsets " + std::to_string(s) + " " + std::to_string(t) + " " +
                     std::to_string(d_s));
        problem.check(problem.run(device()), on_cpu(), losses, gradients);
      }
    // Not in pieces, and not all of it on chip.
    Problem<T> problem(random, 1, 41003, 4, 2);
    problem.teacher_offset = 1;
    problem.check(problem.run(device()), on_cpu(), losses, gradients);
  });
}

// Softmax sees differences only: logits that are all far below or above 0 change nothing.
TEST_P(SoftenedKl, AllLogitsFarFromZero) {
  Random random("softened kl far");
  Comparison losses(label("loss", 4)), gradients(label("gradient", 4));
  for (int classes : {3, 40, 1001})
    for (float shift : {-9000.0f, 9000.0f}) {
      Problem<float> problem(random, 7, classes, 2, 2);
      for (auto* logits : {&problem.student, &problem.teacher})
        for (float& logit : *logits) logit += shift;
      problem.add_labels(random);
      SCOPED_TRACE(problem.text());
      problem.check(problem.run(device()), on_cpu(), losses, gradients);
    }
}

// Of a confident row's loss and of its label's derivative only the other classes' digits are left.
TEST_P(SoftenedKl, LabelsAlone) {
  Random random("softened kl labels");
  Comparison losses(label("loss", 4)), gradients(label("gradient", 4));
  for (int classes : {2, 17, 500})
    for (double size : {1.0, 10.0, 1e4}) {
      Problem<float> problem(random, 60, classes, 1, size);
      problem.scale = 0;
      for (int row = 0; row < 60; ++row) {
        const auto first = problem.student.begin() + row * classes;
        problem.labels.push_back(static_cast<float>(std::max_element(first, first + classes) - first));
      }
      SCOPED_TRACE(problem.text());
      problem.check(problem.run(device()), on_cpu(), losses, gradients);
    }
}

TEST_P(SoftenedKl, FiniteForEveryTemperatureAndLogit) {
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    for (int classes : {2, 258, 1301}) {
      std::vector<float> student, teacher;
      for (float s : {-1e4f, -1.0f, 0.0f, 1e4f})
        for (float t : {-1e4f, 0.0f, 1.0f, 1e4f}) {
          student.push_back(s);
          teacher.push_back(t);
          student.insert(student.end(), classes - 1, 0);
          teacher.insert(teacher.end(), classes - 1, 0);
        }
      Random random("softened kl finite");
      Problem<T> problem(random, 16, classes, 1, 1);
      problem.student = stored<T>(student);
      problem.teacher = stored<T>(teacher);
      problem.labels.assign(16, 0);
      problem.labels[3] = unknown;
      for (float temperature : {0.05f, 0.1f, 1.0f, 10.0f, 100.0f}) {
        problem.temperature = temperature;
        SCOPED_TRACE(problem.text());
        const auto result = problem.run(device());
        for (float value : result.loss) EXPECT_TRUE(std::isfinite(value) && value >= 0) << value;
        for (T value : result.gradient) EXPECT_TRUE(std::isfinite(static_cast<float>(value)));
      }
    }
  });
}

TEST_P(SoftenedKl, EqualLogitsCostNothing) {
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    Random random("softened kl equal");
    for (int classes : {1, 7, 40, 300, 1031}) {
      Problem<T> problem(random, 31, classes, 4, 10);
      problem.teacher = problem.student;
      problem.add_row_temperatures(random);
      const auto result = problem.run(device());
      EXPECT_EQ(result.loss, std::vector<float>(31, 0.0f)) << classes;
      EXPECT_EQ(widened(result.gradient), std::vector<double>(problem.student.size(), 0.0)) << classes;
    }
  });
}

// A row that has diverged must show, and must not reach its neighbors in the block.
TEST_P(SoftenedKl, NanStaysInItsRow) {
  Random random("softened kl nan");
  for (int classes : {5, 40, 1001}) {
    Problem<float> problem(random, 9, classes, 2, 1);
    problem.add_labels(random);
    const auto clean = problem.run(device());
    problem.student[static_cast<std::size_t>(4) * classes + 2] = unknown;
    const auto result = problem.run(device());
    EXPECT_TRUE(std::isnan(result.loss[4])) << classes;
    for (int row = 0; row < 9; ++row) {
      if (row == 4) continue;
      EXPECT_EQ(result.loss[row], clean.loss[row]) << classes << " " << row;
      const auto first = static_cast<std::size_t>(row) * classes;
      for (std::size_t i = first; i < first + classes; ++i) EXPECT_EQ(result.gradient[i], clean.gradient[i]) << i;
    }
  }
}

TEST_P(SoftenedKl, TheSameBitsInEveryOrder) {
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    Random random("softened kl bits");
    for (int classes : {3, 61, 200, 1000}) {
      Problem<T> problem(random, classes == 3 ? 129 : 9, classes, 4, 3);
      problem.add_labels(random);
      const auto first = problem.run(device());
      for (const Device& order : five_variants(device())) EXPECT_TRUE(problem.run(order) == first) << classes;
      // How many rows share a block changes nothing for a row.
      Problem<T> fewer = problem;
      fewer.rows = 2;
      fewer.student.resize(static_cast<std::size_t>(2) * classes);
      fewer.teacher.resize(fewer.student.size());
      const auto of_fewer = fewer.run(device());
      for (int row = 0; row < 2; ++row) EXPECT_EQ(of_fewer.loss[row], first.loss[row]) << classes;
    }
  });
}

TEST_P(SoftenedKl, MovesWhatCostSays) {
  if (device().kind != DeviceKind::emulated || !emulator::counters_available())
    GTEST_SKIP() << "the emulated device counts accesses where it watches them";
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    Random random("softened kl counters");
    const std::pair<int, int> shapes[] = {{1024, 2}, {256, 14}, {64, 100}, {33, 1000},
                                          {5, 1001}, {2, 8192}, {1, 30011}};
    for (auto [rows, classes] : shapes)
      for (bool with_labels : {false, true}) {
        Problem<T> problem(random, rows, classes, 4, 3);
        if (with_labels) problem.add_labels(random);
        problem.run(device(), [&](const auto& arguments) {
          expect_moves_what_cost_says(arguments, device(), problem.text() + ", " + name_of_storage<T>());
        });
      }
  });
}

TEST(SoftenedKlCost, CountsWhatIsReadTwice) {
  kernels::SoftenedKl<float> a{};
  a.rows = 3;
  a.classes = 20480;
  EXPECT_EQ(cost(a).bytes, 3.0 * (3 * 20480 + 1) * 4);
  a.classes = 20481;
  EXPECT_EQ(cost(a).bytes, 3.0 * (3 * 20481 + 2 + 1) * 4);
  const float present = 0;
  a.classes = 10;
  a.labels = a.row_temperature = &present;
  EXPECT_EQ(cost(a).bytes, 3.0 * (3 * 10 + 3) * 4);
}

INSTANTIATE_ON_ALL_DEVICES(SoftenedKl);

}  // namespace
}  // namespace preceptor::test
