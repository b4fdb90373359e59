// The workspace that convolutions need on a device.
#include <algorithm>

#include "kernels/convolution/convolution.h"
#include "kernels/convolution/cpu_algorithms.h"
#include "kernels/convolution/fastest.h"
#include "kernels/convolution/shapes.h"

namespace preceptor::kernels {
namespace {

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

INSTANTIATE_WORKSPACE_BYTES(ConvolutionForward);
INSTANTIATE_WORKSPACE_BYTES(ConvolutionDataGradient);
INSTANTIATE_WORKSPACE_BYTES(ConvolutionWeightGradient);

}  // namespace preceptor::kernels
