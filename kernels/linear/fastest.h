// The fully connected layer by whatever computes it fastest: our own kernel or, where the build has it, one of
// cuBLASLt's algorithms.
#pragma once

#include <cstddef>

#include "kernels/linear/linear.h"

namespace preceptor::kernels {

#ifdef PRECEPTOR_NVIDIA_LIBRARIES  // kernels/linear/cublaslt.cpp

// Runs the choice of tuning(), which is made at the first call for a shape outside of a capture. own: our kernel.
// Backward, the gradient by x and those by the parameters are two launches with a choice each.
template <class T>
void run_fastest(Cuda gpu, const LinearForward<T>& arguments, void (*own)(Cuda, const LinearForward<T>&));
template <class T>
void run_fastest(Cuda gpu, const LinearBackward<T>& arguments, void (*own)(Cuda, const LinearBackward<T>&));

// Bytes that cuBLASLt's algorithms may want: of the chosen one, or of all while none is chosen.
template <class T>
std::size_t cublaslt_workspace_bytes(const LinearForward<T>& arguments);
template <class T>
std::size_t cublaslt_workspace_bytes(const LinearBackward<T>& arguments);

#else

template <class Gpu, class Arguments>
void run_fastest(Gpu gpu, const Arguments& arguments, void (*own)(Gpu, const Arguments&)) {
  own(gpu, arguments);
}
template <class Arguments>
std::size_t cublaslt_workspace_bytes(const Arguments&) {
  return 0;
}

#endif

}  // namespace preceptor::kernels
