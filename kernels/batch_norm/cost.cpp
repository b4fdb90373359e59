// What the batch norm family moves and computes, and the workspace it needs.
#include <algorithm>

#include "kernels/batch_norm/batch_norm.h"
#include "kernels/batch_norm/tiling.h"

namespace preceptor::kernels {
namespace {

template <class T>
std::size_t gpu_workspace_bytes(const FeatureMap<const T>& x, const Device& device) {
  if (device.kind == DeviceKind::cpu) return 0;
  // Alignment decides between two tilings; the larger need covers both.
  const auto bytes = [&](int width) { return Tiling(x.images * x.plane(), x.channels, width).workspace_bytes(); };
  return std::max(bytes(1), bytes(16 / sizeof(T)));
}

// A map's bytes, passed over so many times.
template <class T>
double map_bytes(const FeatureMap<const T>& x, int times) {
  return static_cast<double>(x.elements()) * sizeof(T) * times;
}

}  // namespace

template <class T>
std::size_t workspace_bytes(const FindStatistics<T>& a, const Device& device) {
  return gpu_workspace_bytes(a.x, device);
}
template <class T>
std::size_t workspace_bytes(const BatchNormForward<T>& a, const Device& device) {
  return a.statistics ? 0 : gpu_workspace_bytes(a.x, device);
}
template <class T>
std::size_t workspace_bytes(const BatchNormBackward<T>& a, const Device& device) {
  return a.needs_sums() ? gpu_workspace_bytes(a.x, device) : 0;
}

// No y can be written before the statistics of all x are known, and no d_x before the sums over all d_y: every device
// passes over the inputs twice, and cost() counts both. A cache that keeps a map in between shows as a rate above that
// of memory.
template <class T>
Cost cost(const FindStatistics<T>& a) {
  return {map_bytes(a.x, 1), static_cast<double>(a.x.elements()) * 5};
}
template <class T>
Cost cost(const BatchNormForward<T>& a) {
  const int sums = a.statistics ? 0 : 1, residual = a.residual.data ? 1 : 0, apply = a.y.data ? 2 + residual : 0;
  const int operations = 5 * sums + (a.y.data ? 3 + residual : 0);
  return {map_bytes(a.x, sums + apply), static_cast<double>(a.x.elements()) * operations};
}
template <class T>
Cost cost(const BatchNormInference<T>& a) {
  const double elements = static_cast<double>(a.x.elements());
  return {map_bytes(a.x, a.residual.data ? 3 : 2), elements * (a.residual.data ? 4 : 3)};
}
template <class T>
Cost cost(const BatchNormBackward<T>& a) {
  const int mask = a.relu && a.y.data ? 1 : 0;
  const int sums = a.needs_sums() ? 2 + mask : 0;
  const int x = a.batch_statistics || a.recomputes_y() ? 1 : 0;
  const int apply = 2 + mask + x + (a.d_residual.data ? 1 : 0) + (a.d_x_so_far.data ? 1 : 0);
  return {map_bytes(a.x, sums + apply), static_cast<double>(a.x.elements()) * (a.recomputes_y() ? 13 : 9)};
}
Cost cost(const FoldBatchNorm& a) {
  const double weights = static_cast<double>(a.out_channels) * a.inner;
  return {weights * 2 * sizeof(float), weights};
}

template std::size_t workspace_bytes(const FindStatistics<float>&, const Device&);
template std::size_t workspace_bytes(const FindStatistics<bfloat16>&, const Device&);
template std::size_t workspace_bytes(const BatchNormForward<float>&, const Device&);
template std::size_t workspace_bytes(const BatchNormForward<bfloat16>&, const Device&);
template std::size_t workspace_bytes(const BatchNormBackward<float>&, const Device&);
template std::size_t workspace_bytes(const BatchNormBackward<bfloat16>&, const Device&);
template Cost cost(const FindStatistics<float>&);
template Cost cost(const FindStatistics<bfloat16>&);
template Cost cost(const BatchNormForward<float>&);
template Cost cost(const BatchNormForward<bfloat16>&);
template Cost cost(const BatchNormInference<float>&);
template Cost cost(const BatchNormInference<bfloat16>&);
template Cost cost(const BatchNormBackward<float>&);
template Cost cost(const BatchNormBackward<bfloat16>&);

}  // namespace preceptor::kernels
