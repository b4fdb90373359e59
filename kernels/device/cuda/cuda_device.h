// The CUDA runtime calls behind Device, Stream and memory; included only where the build has CUDA.
#pragma once

#include <cstddef>
#include <functional>

namespace preceptor::kernels::cuda {

void* create_stream();
void destroy_stream(void* stream);
void synchronize(void* stream);

// Between two events around the launches.
double seconds_of(void* stream, const std::function<void()>& launches);

std::size_t free_bytes();
void* allocate(std::size_t bytes);
void release(void* memory);

}  // namespace preceptor::kernels::cuda
