// Attention transfer on the cpu: an image per thread at a time, its maps stay in cache between the passes.
#include "kernels/attention_transfer/attention_transfer.h"

#include <algorithm>
#include <cmath>

#include "kernels/device/lanes.h"

namespace preceptor::kernels {
namespace {

// attention[position] = mean over channels of map^2.
void attention_of(const FeatureMap<const float>& map, int image, double* attention) {
  std::fill_n(attention, map.plane(), 0.0);
  for (int block = 0; block < map.channel_blocks(); ++block) {
    const float* values = map.block_data(image, block);
    for (int position = 0; position < map.plane(); ++position) {
      float sum = 0;
      for (int lane = 0; lane < map.block; ++lane)
        sum += values[position * map.block + lane] * values[position * map.block + lane];
      attention[position] += static_cast<double>(sum);
    }
  }
  for (int position = 0; position < map.plane(); ++position) attention[position] /= map.channels;
}

// Divides by the L2 norm and returns it. Below epsilon the divisor is the constant epsilon, as in torch's normalize.
double normalise(double* attention, int plane, double epsilon) {
  double sum = 0;
  for (int i = 0; i < plane; ++i) sum += attention[i] * attention[i];
  const double norm = std::sqrt(sum);
  for (int i = 0; i < plane; ++i) attention[i] /= std::max(norm, epsilon);
  return norm;
}

// Mapping: one image. Bytes: the student's map twice (the second time from cache), the teacher's once, d_student once.
// With q the student's normalised attention, e = 2 weight / (images plane) (q - teacher's), and d the derivative by the
// attention before normalisation: d = (e - q (q . e)) / norm, and d_student = d * 2 student / channels.
void transfer_image(const AttentionTransfer& a, int image, double* student, double* teacher) {
  const int plane = a.student.plane();
  attention_of(a.student, image, student);
  attention_of(a.teacher, image, teacher);
  const double epsilon = static_cast<double>(a.epsilon);
  const double norm = normalise(student, plane, epsilon);
  normalise(teacher, plane, epsilon);
  const double scale = static_cast<double>(a.weight) / (static_cast<double>(a.student.images) * plane);
  double loss = 0, along = 0;
  for (int i = 0; i < plane; ++i) {
    const double difference = student[i] - teacher[i];
    loss += difference * difference;
    teacher[i] = 2 * scale * difference;
    along += student[i] * teacher[i];
  }
  a.loss[image] = static_cast<float>(scale * loss);
  if (norm <= epsilon) along = 0;  // the divisor is a constant there
  const double factor = 2.0 / (a.student.channels * std::max(norm, epsilon));
  for (int i = 0; i < plane; ++i) teacher[i] = factor * (teacher[i] - student[i] * along);
  for (int block = 0; block < a.student.channel_blocks(); ++block) {
    const float* values = a.student.block_data(image, block);
    float* d_values = a.d_student.block_data(image, block);
    for (int position = 0; position < plane; ++position) {
      const auto d = static_cast<float>(teacher[position]);
      for (int lane = 0; lane < a.student.block; ++lane)
        d_values[position * a.student.block + lane] = d * values[position * a.student.block + lane];
    }
  }
}

}  // namespace

Cost cost(const AttentionTransfer& a) {
  const auto student = static_cast<double>(a.student.elements()), teacher = static_cast<double>(a.teacher.elements());
  return {4 * (2 * student + teacher), 3 * student + 2 * teacher};
}

void run_on(Cpu, const AttentionTransfer& a) {
#pragma omp parallel for schedule(static) if (a.student.elements() >= parallel_from)
  for (int image = 0; image < a.student.images; ++image) {
    double* memory = scratch<double>(2 * static_cast<std::size_t>(a.student.plane()));
    transfer_image(a, image, memory, memory + a.student.plane());
  }
}

}  // namespace preceptor::kernels
