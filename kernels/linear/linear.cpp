// The fully connected layer on the cpu: three matrix products of oneDNN, and the bias.
#include "kernels/linear/linear.h"

#include <algorithm>

#include "kernels/device/cpu_loops.h"
#include "kernels/device/matrix.h"
#include "kernels/linear/fastest.h"
#include "kernels/linear/shapes.h"

namespace preceptor::kernels {

// mapping: one product, then rows over threads for the bias; bytes: x, weight, y once; operations: 2 rows in out.
void run_on(Cpu, const LinearForward<float>& a) {
  multiply_on_cpu(false, true, a.rows, a.out, a.in, a.x, a.weight, 0.0f, a.y);
  if (!a.bias) return;
#pragma omp parallel for schedule(static) if (worth_threads(a.rows, a.out))
  for (int row = 0; row < a.rows; ++row) {
    float* y = a.y + static_cast<std::size_t>(row) * a.out;
#pragma omp simd
    for (int i = 0; i < a.out; ++i) y[i] += a.bias[i];
  }
}

// mapping: one product per wanted gradient; d_bias: 64 columns per task, rows in order, so the sum does not depend on
// the threads; bytes: x, weight, d_y read, the gradients written; operations: 2 rows in out per product.
void run_on(Cpu, const LinearBackward<float>& a) {
  if (a.d_x) multiply_on_cpu(false, false, a.rows, a.in, a.out, a.d_y, a.weight, 0.0f, a.d_x);
  if (a.d_weight) multiply_on_cpu(true, false, a.out, a.in, a.rows, a.d_y, a.x, 0.0f, a.d_weight);
  if (!a.d_bias) return;
#pragma omp parallel for schedule(static) if (worth_threads(a.rows, a.out))
  for (int first = 0; first < a.out; first += chunk_size) {
    const int columns = std::min(chunk_size, a.out - first);
    double sums[chunk_size] = {};
    for (int row = 0; row < a.rows; ++row) {
      const float* d_y = a.d_y + static_cast<std::size_t>(row) * a.out + first;
      for (int i = 0; i < columns; ++i) sums[i] += static_cast<double>(d_y[i]);
    }
    for (int i = 0; i < columns; ++i) a.d_bias[first + i] = static_cast<float>(sums[i]);
  }
}

template <class T>
std::size_t workspace_bytes(const LinearForward<T>& a, const Device& device) {
  const std::size_t own = device.kind == DeviceKind::cpu ? 0 : split_of_y(a).workspace_bytes();
  return device.kind == DeviceKind::cuda ? std::max(own, cublaslt_workspace_bytes(a)) : own;
}
template <class T>
std::size_t workspace_bytes(const LinearBackward<T>& a, const Device& device) {
  std::size_t own = 0;  // the products follow each other in one memory
  if (device.kind != DeviceKind::cpu && a.d_x) own = split_of_d_x(a).workspace_bytes();
  if (device.kind != DeviceKind::cpu && (a.d_weight || a.d_bias))
    own = std::max(own, split_of_weights(a).workspace_bytes());
  return device.kind == DeviceKind::cuda ? std::max(own, cublaslt_workspace_bytes(a)) : own;
}

INSTANTIATE_WORKSPACE_BYTES(LinearForward);
INSTANTIATE_WORKSPACE_BYTES(LinearBackward);

}  // namespace preceptor::kernels
