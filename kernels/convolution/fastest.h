// A convolution by whatever computes it fastest: our own kernel or, where the build has it, one of cuDNN's engines.
#pragma once

#include <cstddef>

#include "kernels/convolution/convolution.h"

namespace preceptor::kernels {

#ifdef PRECEPTOR_NVIDIA_LIBRARIES  // kernels/convolution/cudnn.cpp

// Runs the choice of tuning(), which is made at the first call for a shape outside of a capture. own: our
// kernel. cuDNN's engines are timed with the launches that a batch norm before them and statistics behind take beside
// them. The gradient of a bias is ours.
template <class Arguments>
void run_fastest(Cuda gpu, const Arguments& arguments, void (*own)(Cuda, const Arguments&));

// Bytes that cuDNN's engines may want: of the chosen one, or of all while none is chosen.
template <class Arguments>
std::size_t cudnn_workspace_bytes(const Arguments& arguments);

#else

template <class Gpu, class Arguments>
void run_fastest(Gpu gpu, const Arguments& arguments, void (*own)(Gpu, const Arguments&)) {
  own(gpu, arguments);
}
template <class Arguments>
std::size_t cudnn_workspace_bytes(const Arguments&) {
  return 0;
}

#endif

}  // namespace preceptor::kernels
