// Attention transfer as plain loops over plain-order arrays: the specification that every device is tested against.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/cross_entropy/reference.h"

namespace preceptor::kernels::reference {

// The attention of one image before normalization: mean over channels of map^2, map is [channels, plane].
template <class T>
std::vector<T> attention_energy(const T* map, int channels, int plane) {
  std::vector<T> energy(plane, T(0));
  for (int channel = 0; channel < channels; ++channel)
    for (int i = 0; i < plane; ++i) {
      const T value = map[static_cast<std::size_t>(channel) * plane + i];
      energy[i] += value * value / static_cast<T>(channels);
    }
  return energy;
}

template <class T>
T length(const std::vector<T>& values) {
  T square = 0;
  for (T value : values) square += value * value;
  return std::sqrt(square);
}

// student is [images, student_channels, plane], teacher likewise; loss is [images].
template <class T>
LossAndGradient<T> attention_transfer(int images, int plane, int student_channels, const std::vector<T>& student,
                                      int teacher_channels, const std::vector<T>& teacher, T weight, T epsilon,
                                      bool root = false) {
  LossAndGradient<T> result{std::vector<T>(images, T(0)), std::vector<T>(student.size())};
  const T whole = weight / static_cast<T>(images);
  for (int image = 0; image < images; ++image) {
    const T* map = student.data() + static_cast<std::size_t>(image) * student_channels * plane;
    std::vector<T> s = attention_energy(map, student_channels, plane);
    std::vector<T> t = attention_energy(teacher.data() + static_cast<std::size_t>(image) * teacher_channels * plane,
                                        teacher_channels, plane);
    const T norm = length(s), s_norm = std::max(norm, epsilon), t_norm = std::max(length(t), epsilon);
    T projection = 0, square = 0;
    for (int i = 0; i < plane; ++i) {
      s[i] /= s_norm;
      t[i] /= t_norm;
      square += (s[i] - t[i]) * (s[i] - t[i]);
      projection += (s[i] - t[i]) * s[i];
    }
    result.loss[image] = root ? whole * std::sqrt(square) : whole / static_cast<T>(plane) * square;
    // d loss / d square; a norm of 0 has no direction.
    const T scale = !root ? whole / static_cast<T>(plane) : square > 0 ? whole / (2 * std::sqrt(square)) : T(0);
    if (norm <= epsilon) projection = 0;  // the divisor does not depend on the student then
    for (int channel = 0; channel < student_channels; ++channel)
      for (int i = 0; i < plane; ++i) {
        const T d_energy = 2 * scale * (s[i] - t[i] - projection * s[i]) / s_norm;
        const std::size_t at = static_cast<std::size_t>(channel) * plane + i;
        result.gradient[static_cast<std::size_t>(image) * student_channels * plane + at] =
            d_energy * 2 * map[at] / static_cast<T>(student_channels);
      }
  }
  return result;
}

}  // namespace preceptor::kernels::reference
