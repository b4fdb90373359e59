// Which addresses are device memory of the emulated device.
#pragma once

#include <cstddef>

namespace preceptor::kernels::emulator {

void add_device_memory(const void* address, std::size_t bytes);
void remove_device_memory(const void* address);
bool is_device_memory(const void* address, std::size_t bytes);

}  // namespace preceptor::kernels::emulator
