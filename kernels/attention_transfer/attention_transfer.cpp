// Attention transfer on the cpu: one thread per image, energies of the channels summed tile by tile.
#include "kernels/attention_transfer/attention_transfer.h"

#include <algorithm>
#include <cmath>

#include "kernels/attention_transfer/tiling.h"
#include "kernels/device/cpu_loops.h"

namespace preceptor::kernels {
namespace {

constexpr int tile = 64;  // positions whose sums are in registers and L1 while all channels pass by

// attention[position] = mean over channels of map^2; returns its L2 norm.
template <int block>
double energy(const FeatureMap<const float>& map, int image, float* attention) {
  double square = 0;
  for (int first = 0; first < map.plane(); first += tile) {
    const int positions = std::min(tile, map.plane() - first);
    float sums[tile * block] = {};
    for (int channel_block = 0; channel_block < map.channel_blocks(); ++channel_block) {
      const float* x = map.block_data(image, channel_block) + static_cast<std::ptrdiff_t>(first) * block;
#pragma omp simd
      for (int i = 0; i < positions * block; ++i) sums[i] += x[i] * x[i];
    }
    for (int i = 0; i < positions; ++i) {
      double sum = 0;
      for (int channel = 0; channel < block; ++channel) sum += static_cast<double>(sums[i * block + channel]);
      sum /= map.channels;
      attention[first + i] = static_cast<float>(sum);
      square += sum * sum;
    }
  }
  return std::sqrt(square);
}

double energy(const FeatureMap<const float>& map, int image, float* attention) {
  double norm = 0;
  specialize_block(map.block, [&](auto block) { norm = energy<block()>(map, image, attention); });
  return norm;
}

// d_student = 2 / channels * student * d_attention.
template <int block>
void write_gradient(const AttentionTransfer<float>& a, int image, const float* d_attention) {
  const float factor = 2 / static_cast<float>(a.student.channels);
  for (int channel_block = 0; channel_block < a.student.channel_blocks(); ++channel_block) {
    const float* x = a.student.block_data(image, channel_block);
    float* d_x = a.d_student.block_data(image, channel_block);
    for (int i = 0; i < a.student.plane(); ++i)
      for (int channel = 0; channel < block; ++channel)
        d_x[i * block + channel] = factor * d_attention[i] * x[i * block + channel];
  }
}

void transfer_image(const AttentionTransfer<float>& a, int image, float* student, float* teacher) {
  const int plane = a.student.plane();
  const double epsilon = static_cast<double>(a.epsilon);
  const double student_norm = energy(a.student, image, student), teacher_norm = energy(a.teacher, image, teacher);
  const double by_student = 1 / std::max(student_norm, epsilon), by_teacher = 1 / std::max(teacher_norm, epsilon);
  double square = 0, projection = 0;  // the difference squared, and on the student's normalized attention
  for (int i = 0; i < plane; ++i) {
    const double attention = static_cast<double>(student[i]) * by_student;
    const double difference = attention - static_cast<double>(teacher[i]) * by_teacher;
    square += difference * difference;
    projection += difference * attention;
  }
  const AttentionScale scale(a, square);
  a.loss[image] = static_cast<float>(scale.loss);
  // A norm held at epsilon is a constant, without a gradient of its own.
  if (!(student_norm > epsilon)) projection = 0;
  for (int i = 0; i < plane; ++i) {
    const double attention = static_cast<double>(student[i]) * by_student;
    const double difference = attention - static_cast<double>(teacher[i]) * by_teacher;
    student[i] = static_cast<float>(2 * scale.slope * by_student * (difference - projection * attention));
  }
  specialize_block(a.student.block, [&](auto block) { write_gradient<block()>(a, image, student); });
}

}  // namespace

// mapping: a thread per image; bytes: both maps read, d_student written, the student read again where an image does not
// stay in the cache; operations: 2 per element, and 2 per element of the student; hazard: a dead map has norm 0.
void run_on(Cpu, const AttentionTransfer<float>& a) {
#pragma omp parallel for schedule(static) if (worth_threads(a.student.elements() + a.teacher.elements()))
  for (int image = 0; image < a.student.images; ++image) {
    const int plane = a.student.plane();
    float* attention = scratch<float>(static_cast<std::size_t>(plane) * 2);
    transfer_image(a, image, attention, attention + plane);
  }
}

template <class T>
std::size_t workspace_bytes(const AttentionTransfer<T>& a, const Device& device) {
  if (device.kind == DeviceKind::cpu) return 0;
  return AttentionWorkspace::bytes(tiling_of(a));
}
INSTANTIATE_WORKSPACE_BYTES(AttentionTransfer);

}  // namespace preceptor::kernels
