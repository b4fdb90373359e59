// Names for errors: kernels and source lines from addresses, through addr2line.
#pragma once

#include <string>

namespace preceptor::kernels::emulator {

// The kernel's name with its template arguments, without namespaces; "kernel" if it cannot be found out.
std::string kernel_name(const void* function);

// "x.cu:40" of a return address: the innermost line that is not in kernels/device.
std::string line_of_code(const void* return_address);

// A path from the project's root on, where it lies below it.
std::string short_path(const std::string& path);

}  // namespace preceptor::kernels::emulator
