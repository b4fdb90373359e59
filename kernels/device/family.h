// Declares the functions that every kernel family defines for its argument struct, so that a header is the struct.
#pragma once

#include "kernels/device/bfloat16.h"
#include "kernels/device/device.h"

namespace preceptor::kernels {

// The number of values in an array of these sizes, as the structs' cost() adds them up.
template <class... Sizes>
constexpr double count_of(Sizes... sizes) {
  return (static_cast<double>(sizes) * ...);
}

}  // namespace preceptor::kernels

// A family that runs on all devices. Its .cpp defines run_on(Cpu, ...), its .cu run_on(Gpu, ...).
#define KERNEL_FAMILY(Arguments)                 \
  void run_on(Cpu, const Arguments& arguments);  \
  void run_on(Cuda, const Arguments& arguments); \
  void run_on(Emulated, const Arguments& arguments)

// The same for a struct with the storage type T: float or bfloat16, on the cpu float alone.
#define KERNEL_FAMILY_OF_T(Arguments)                  \
  void run_on(Cpu, const Arguments<float>& arguments); \
  template <class T>                                   \
  void run_on(Cuda, const Arguments<T>& arguments);    \
  template <class T>                                   \
  void run_on(Emulated, const Arguments<T>& arguments)

// Explicit instantiations for both storage types: INSTANTIATE_RUN_ON in the .cu, the other in the .cpp.
#define INSTANTIATE_WORKSPACE_BYTES(Arguments)                                                   \
  template std::size_t workspace_bytes(const Arguments<float>& arguments, const Device& device); \
  template std::size_t workspace_bytes(const Arguments<bfloat16>& arguments, const Device& device)
#define INSTANTIATE_RUN_ON(Arguments)                           \
  template void run_on(Gpu, const Arguments<float>& arguments); \
  template void run_on(Gpu, const Arguments<bfloat16>& arguments)
