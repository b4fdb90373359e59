// Random problems for softened KL, on any device and in any storage type, and the comparison with the reference.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "kernels/softened_kl/reference.h"
#include "kernels/softened_kl/softened_kl.h"
#include "tests/kernels/losses.h"
#include "tests/kernels/softened_kl_error.h"

namespace preceptor::test {

template <class T>
struct Problem {
  int rows, classes;
  float temperature;
  std::vector<T> student, teacher;
  std::vector<float> row_temperature, labels;  // empty: none
  float scale = 0.5f, hard_scale = 0.75f;
  int student_offset = 0, teacher_offset = 0, d_student_offset = 0;

  Problem(Random& random, int row_count, int class_count, float t, double size)
      : rows(row_count), classes(class_count), temperature(t) {
    const auto entries = static_cast<std::size_t>(rows) * classes;
    student = stored<T>(random.values(entries, Kind::normal, size));
    teacher = stored<T>(random.values(entries, Kind::normal, size));
  }
  void add_row_temperatures(Random& random) {
    for (int row = 0; row < rows; ++row)
      row_temperature.push_back(static_cast<float>(std::exp(random.uniform(std::log(0.05), std::log(100.0)))));
  }
  // A fifth of the rows has no label, a fifth the first class, a fifth the last.
  void add_labels(Random& random) {
    for (int row = 0; row < rows; ++row) {
      const int kind = random.integer(0, 4), any = random.integer(0, classes - 1);
      labels.push_back(kind == 0 ? unknown : static_cast<float>(kind == 1 ? 0 : kind == 2 ? classes - 1 : any));
    }
  }
  std::string text() const {
    return std::to_string(rows) + "x" + std::to_string(classes) + " T " + std::to_string(temperature) +
           (row_temperature.empty() ? "" : ", row temperatures") + (labels.empty() ? "" : ", labels");
  }

  // launch(arguments) runs them on the device.
  template <class Launch>
  LossAndGradient<T> run(const kernels::Device& device, const Launch& launch) const {
    const OffsetBuffer<T> s(device, student_offset, student), t(device, teacher_offset, teacher);
    const OffsetBuffer<T> d_student(device, d_student_offset, std::vector<T>(student.size(), static_cast<T>(unknown)));
    const DeviceBuffer<float> loss(device, std::vector<float>(static_cast<std::size_t>(rows), unknown));
    const DeviceBuffer<float> temperatures(device, or_one(row_temperature)), classes_of_rows(device, or_one(labels));
    launch(kernels::SoftenedKl<T>{.student = s.data(),
                                  .teacher = t.data(),
                                  .loss = loss.data(),
                                  .d_student = d_student.data(),
                                  .rows = rows,
                                  .classes = classes,
                                  .temperature = temperature,
                                  .scale = scale,
                                  .row_temperature = row_temperature.empty() ? nullptr : temperatures.data(),
                                  .labels = labels.empty() ? nullptr : classes_of_rows.data(),
                                  .hard_scale = hard_scale});
    return {loss.host(), d_student.host()};
  }
  LossAndGradient<T> run(const kernels::Device& device) const {
    return run(device, [&](const auto& arguments) { execute_on(arguments, device); });
  }

  // The cpu computes in double and rounds once; what double leaves is relative to the largest logarithm, times T^2 in
  // the loss and T in the gradient. The others compute in float: softened_kl_error.h.
  void check(const LossAndGradient<T>& actual, bool in_double, Comparison& losses, Comparison& gradients) const {
    const auto s = widened(student), t = widened(teacher);
    std::vector<double> temperatures(static_cast<std::size_t>(rows), static_cast<double>(temperature));
    if (!row_temperature.empty()) temperatures = to_double(row_temperature);
    const std::vector<double> known =
        labels.empty() ? std::vector<double>(temperatures.size(), NAN) : to_double(labels);
    const auto expected = kernels::reference::softened_kl_with_labels(
        rows, classes, s, t, temperatures, static_cast<double>(scale), known, static_cast<double>(hard_scale));
    double largest = 0;
    for (const auto* values : {&s, &t})
      for (double value : *values) largest = std::max(largest, std::abs(value));

    for (int row = 0; row < rows; ++row) {
      const auto first = static_cast<std::size_t>(row) * classes;
      const double temperature_here = temperatures[row], coldest = std::min(1.0, temperature_here);
      const double logarithms = 1 + std::log(classes) + 2 * largest / coldest;
      const double of_double = 0x1p-53 * (8 + std::sqrt(classes)) * logarithms *
                               std::max(temperature_here, temperature_here * temperature_here);
      RowError soft, hard;
      soft.gradient.resize(classes, 0.0);
      hard.gradient.resize(classes, 0.0);
      if (!in_double) {
        soft = softened_kl_error(&s[first], &t[first], classes, temperature_here);
        if (!std::isnan(known[row])) hard = hard_loss_error(&s[first], classes, static_cast<int>(known[row]));
      }
      const auto allowed_here = [&](double value, double soft_error, double hard_error) {
        return allowed(0, std::abs(value), 2) + of_double + static_cast<double>(scale) * soft_error +
               static_cast<double>(hard_scale) * hard_error;
      };
      losses.check(static_cast<double>(actual.loss[row]), expected.loss[row],
                   allowed_here(expected.loss[row], soft.loss, hard.loss), row);
      for (int i = 0; i < classes; ++i) {
        const double value = expected.gradient[first + i];
        const double error = with_storage<T>(allowed_here(value, soft.gradient[i], hard.gradient[i]), value);
        gradients.check(static_cast<double>(static_cast<float>(actual.gradient[first + i])), value, error, first + i);
      }
    }
  }
};

}  // namespace preceptor::test
