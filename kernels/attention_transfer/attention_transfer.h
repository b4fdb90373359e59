// Attention transfer (Zagoruyko and Komodakis 2017) as in the authors' released code.
#pragma once

#include "kernels/device/family.h"
#include "kernels/device/feature_map.h"

namespace preceptor::kernels {

// For each image a(map) = mean over channels of map^2, flattened and divided by its L2 norm; the loss is the mean of
// (a(student) - a(teacher))^2 over images and positions. With `root` it is the paper's instead: the L2 norm of
// a(student) - a(teacher), averaged over the images. Channels may differ, heights and widths may not. Maps are
// stored in T, float or bfloat16 (cpu: float): channel-blocked on the cpu, channels-last on cuda and emulated.
template <class T>
struct AttentionTransfer {
  static constexpr const char* name = "attention_transfer";
  FeatureMap<const T> student, teacher;
  float* loss;              // [images] weight / (images * plane) * sum over positions; root: weight / images * norm
  FeatureMap<T> d_student;  // d (sum of loss) / d student
  float weight;
  float epsilon;  // the norm is at least this, so a dead map gives zeros and not NaN; torch's normalize uses 1e-12
  void* workspace = nullptr;  // workspace_bytes(arguments), 64-byte aligned
  bool root = false;

  // Two passes over the student: no derivative can be written before all its image was seen.
  Cost cost() const {
    const double of_student = count_of(student.elements()), of_teacher = count_of(teacher.elements());
    return {(3 * of_student + of_teacher) * sizeof(T) + student.images * sizeof(float),
            4 * of_student + 2 * of_teacher};
  }
};
KERNEL_FAMILY_OF_T(AttentionTransfer);
template <class T>
std::size_t workspace_bytes(const AttentionTransfer<T>& arguments, const Device& device);

}  // namespace preceptor::kernels
