// The CUDA runtime calls behind Device, Stream and memory; included only where the build has CUDA.
#pragma once

#include <cstddef>

namespace preceptor::kernels::cuda {

void* create_stream();
void destroy_stream(void* stream);
void synchronize(void* stream);

void* allocate(std::size_t bytes);
void release(void* memory);

}  // namespace preceptor::kernels::cuda
