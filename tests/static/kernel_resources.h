// What ptxas gives each kernel on each architecture: registers, shared memory, stack, spills; beside what it is known
// to.
#pragma once

#include <istream>
#include <map>
#include <ostream>
#include <string>
#include <tuple>
#include <vector>

namespace preceptor::test {

struct KernelResources {
  int registers = 0;                      // of a thread
  int shared = 0;                         // bytes of a block, without dynamic shared memory
  int stack = 0;                          // bytes of a thread
  int spill_stores = 0, spill_loads = 0;  // bytes of a thread; its functions that are not inlined included
  bool operator==(const KernelResources&) const = default;
};

struct KernelOnCard {
  std::string kernel;        // "batch_norm: sum_statistics<float, Pack<float>>"
  std::string architecture;  // "sm_90"
  // sm_90 before sm_100.
  bool operator<(const KernelOnCard& other) const {
    return std::tuple(kernel, architecture.size(), architecture) <
           std::tuple(other.kernel, other.architecture.size(), other.architecture);
  }
};

struct ResourceTable {
  std::string compiler;  // registers depend on it
  std::map<KernelOnCard, KernelResources> rows;
};

// "sum_statistics<float, Pack<float>>" of a mangled name.
std::string short_kernel_name(const std::string& mangled);

// "batch_norm: " of kernels/batch_norm/batch_norm.cu, "batch_norm/x: " of kernels/batch_norm/x.cu.
std::string kernel_prefix(const std::string& source);

// Adds the kernels of one source file, from the output of ptxas -v. Throws where that is not in order.
void add_ptxas_output(std::istream& output, const std::string& prefix, ResourceTable& table);

ResourceTable read_resource_table(std::istream& in);
void write_resource_table(std::ostream& out, const ResourceTable& table);

// One line for everything that is not as recorded; empty: all is well. Spills are named even if they are recorded.
// Architectures that were not built are left out; of another compiler only spills count.
std::vector<std::string> differences(const ResourceTable& recorded, const ResourceTable& built);

// What to record from now on: what was built, and what was known of architectures that were not.
ResourceTable accepted(const ResourceTable& recorded, const ResourceTable& built);

}  // namespace preceptor::test
