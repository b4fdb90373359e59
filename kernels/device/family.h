// Declares the functions that every kernel family defines beside its argument struct, so that a header is the struct.
#pragma once

#include "kernels/device/bfloat16.h"
#include "kernels/device/device.h"

// A family that runs on all devices. Its .cpp defines cost() and run_on(Cpu, ...), its .cu run_on(Gpu, ...).
#define KERNEL_FAMILY(Arguments)                 \
  Cost cost(const Arguments& arguments);         \
  void run_on(Cpu, const Arguments& arguments);  \
  void run_on(Cuda, const Arguments& arguments); \
  void run_on(Emulated, const Arguments& arguments)

// The same for a struct with the storage type T: float or bfloat16, on the cpu float alone.
#define KERNEL_FAMILY_OF_T(Arguments)                  \
  template <class T>                                   \
  Cost cost(const Arguments<T>& arguments);            \
  void run_on(Cpu, const Arguments<float>& arguments); \
  template <class T>                                   \
  void run_on(Cuda, const Arguments<T>& arguments);    \
  template <class T>                                   \
  void run_on(Emulated, const Arguments<T>& arguments)

// Explicit instantiations for both storage types: INSTANTIATE_RUN_ON in the .cu, the others in the .cpp.
#define INSTANTIATE_COST(Arguments)                      \
  template Cost cost(const Arguments<float>& arguments); \
  template Cost cost(const Arguments<bfloat16>& arguments)
#define INSTANTIATE_WORKSPACE_BYTES(Arguments)                                                   \
  template std::size_t workspace_bytes(const Arguments<float>& arguments, const Device& device); \
  template std::size_t workspace_bytes(const Arguments<bfloat16>& arguments, const Device& device)
#define INSTANTIATE_RUN_ON(Arguments)                           \
  template void run_on(Gpu, const Arguments<float>& arguments); \
  template void run_on(Gpu, const Arguments<bfloat16>& arguments)
