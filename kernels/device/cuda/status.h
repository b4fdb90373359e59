// Checks the status of a CUDA call and says what failed, where and why.
#pragma once

#include <cuda_runtime.h>

namespace preceptor::kernels {

// Throws Error(internal) with call, file, line and CUDA's own words unless status is cudaSuccess.
void check_cuda(cudaError_t status, const char* call, const char* file, int line);

}  // namespace preceptor::kernels

#define CUDA_CHECK(call) ::preceptor::kernels::check_cuda((call), #call, __FILE__, __LINE__)
