// What the convolution family moves and computes, and the workspace it needs.
#include <algorithm>
#include <type_traits>

#include "kernels/convolution/convolution.h"
#include "kernels/convolution/cpu_workspace.h"
#include "kernels/convolution/fastest.h"
#include "kernels/convolution/shapes.h"

namespace preceptor::kernels {
namespace {

// Multiply-adds and least traffic, the same for the three directions: the maps in T, the weights in their own type.
template <class Weight, class Input, class Output>
Cost convolution_cost(const FeatureMap<Input>& in, const FeatureMap<Output>& out, const ConvolutionGeometry& g) {
  const double taps = static_cast<double>(in.channels) * g.kernel_height * g.kernel_width;
  const double weights = taps * out.channels;
  const auto maps = static_cast<double>(in.elements() + out.elements());
  return {sizeof(Input) * maps + sizeof(Weight) * weights, 2.0 * static_cast<double>(out.elements()) * taps};
}

// The gpu's need, or the cpu's, which has float only.
template <class Arguments, class GpuBytes>
std::size_t workspace_on(const Arguments& a, const Device& device, const GpuBytes& gpu_bytes) {
  if (device.kind == DeviceKind::cuda) return std::max<std::size_t>(gpu_bytes(), cudnn_workspace_bytes(a));
  if (device.kind == DeviceKind::emulated) return gpu_bytes();
  if constexpr (requires { cpu_workspace_bytes(a); })
    return cpu_workspace_bytes(a);
  else
    return 0;
}

}  // namespace

bool fuses_batch_norms(const Device& device) { return device.kind != DeviceKind::cpu; }

template <class T>
Cost cost(const ConvolutionForward<T>& a) {
  Cost result = convolution_cost<T>(a.x, a.y, a.geometry);
  if (a.residual.data) result.bytes += sizeof(T) * static_cast<double>(a.y.elements());
  return result;
}
template <class T>
Cost cost(const ConvolutionDataGradient<T>& a) {
  return convolution_cost<T>(a.d_x, a.d_y, a.geometry);
}
template <class T>
Cost cost(const ConvolutionWeightGradient<T>& a) {
  return convolution_cost<float>(a.x, a.d_y, a.geometry);
}
Cost cost(const ReorderWeights& a) { return {8.0 * static_cast<double>(a.from_order.elements()), 0}; }

template <class T>
std::size_t workspace_bytes(const ConvolutionForward<T>& a, const Device& device) {
  return workspace_on(a, device, [&] { return statistics_bytes(a) + split_k(a).workspace_bytes(); });
}
template <class T>
std::size_t workspace_bytes(const ConvolutionDataGradient<T>& a, const Device& device) {
  return workspace_on(a, device, [&] { return split_k(a).workspace_bytes(); });
}
template <class T>
std::size_t workspace_bytes(const ConvolutionWeightGradient<T>& a, const Device& device) {
  return workspace_on(a, device, [&] { return split_k(a).workspace_bytes(); });
}

template Cost cost(const ConvolutionForward<float>&);
template Cost cost(const ConvolutionForward<bfloat16>&);
template Cost cost(const ConvolutionDataGradient<float>&);
template Cost cost(const ConvolutionDataGradient<bfloat16>&);
template Cost cost(const ConvolutionWeightGradient<float>&);
template Cost cost(const ConvolutionWeightGradient<bfloat16>&);
template std::size_t workspace_bytes(const ConvolutionForward<float>&, const Device&);
template std::size_t workspace_bytes(const ConvolutionForward<bfloat16>&, const Device&);
template std::size_t workspace_bytes(const ConvolutionDataGradient<float>&, const Device&);
template std::size_t workspace_bytes(const ConvolutionDataGradient<bfloat16>&, const Device&);
template std::size_t workspace_bytes(const ConvolutionWeightGradient<float>&, const Device&);
template std::size_t workspace_bytes(const ConvolutionWeightGradient<bfloat16>&, const Device&);

}  // namespace preceptor::kernels
