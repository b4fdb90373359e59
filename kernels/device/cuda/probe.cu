// An empty kernel, compiled as all others are, to ask for.
#include "kernels/device/cuda/probe.h"

namespace preceptor::kernels::cuda {
namespace {

__global__ void probe() {}

}  // namespace

bool holds_code_for_this_card() {
  cudaFuncAttributes attributes;
  const bool found = cudaFuncGetAttributes(&attributes, probe) == cudaSuccess;
  static_cast<void>(cudaGetLastError());  // or the next launch would report it again
  return found;
}

std::string built_for() {
  const int architectures[] = {__CUDA_ARCH_LIST__};
  std::string text;
  for (const int architecture : architectures)
    text +=
        (text.empty() ? "" : ", ") + std::to_string(architecture / 100) + "." + std::to_string(architecture % 100 / 10);
  return text;
}

}  // namespace preceptor::kernels::cuda
