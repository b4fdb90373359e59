// Timing of single kernels: their inputs, launches with emptied caches, and the table of results.
#pragma once

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <type_traits>
#include <vector>

#include "apps/bench/kernels.h"
#include "apps/bench/measure.h"
#include "engine/context.h"

namespace preceptor {

// Values on the device.
template <class T>
struct DeviceArray {
  std::shared_ptr<Buffer> memory;
  T* data() const { return static_cast<T*>(memory->data()); }
};

class KernelBench {
 public:
  explicit KernelBench(const KernelBenchOptions& options);

  const KernelBenchOptions& options() const { return options_; }
  Context& context() { return *context_; }
  bool on_cuda() const { return on_cuda_; }
  // True if the options ask for the family of this name, or if the device has kernels for such arguments.
  bool wanted(const char* name) const { return std::string(name).starts_with(options_.family); }
  template <class Arguments>
  bool possible() const {
    return kernels::runs_on<Arguments>(context_->device().kind);
  }

  // Random values, standard normal, and given ones, on the device.
  Tensor normal(const Shape& shape) {
    Tensor tensor = context_->empty(shape);
    tensor.from_host(random_normal(shape.elements(), ++seed_));
    return tensor;
  }
  template <class T>
  DeviceArray<T> normal_values(std::size_t count) {
    const std::vector<float> values = random_normal(count, ++seed_);
    return to_device(std::vector<T>(values.begin(), values.end()));
  }
  template <class T>
  DeviceArray<T> to_device(const std::vector<T>& values) {
    const std::size_t bytes = values.size() * sizeof(T);
    const DeviceArray<T> array{context_->scratch(bytes)};
    context_->run(kernels::Copy{array.data(), values.data(), bytes});
    context_->stream().synchronize();
    return array;
  }

  // Times a kernel, with the workspace it may need, and adds a row for it if it is wanted and possible.
  template <class Arguments>
  void time(Arguments arguments, const std::string& shape) {
    if (!wanted(Arguments::name) || !possible<Arguments>()) return;
    std::shared_ptr<Buffer> workspace;
    if constexpr (requires { arguments.workspace; }) {
      workspace = context_->scratch(std::max<std::size_t>(64, workspace_bytes(arguments, context_->device())));
      arguments.workspace = workspace->data();
    }
    const auto launch = [&] { context_->run(arguments); };
    launch();
    std::vector<double> seconds;
    for (int i = 0; i < options_.repeats; ++i) {
      flush();
      seconds.push_back(context_->stream().seconds_of(launch));
    }
    add_row(Arguments::name, shape, cost(arguments), median(seconds));
  }

  void print_head();
  void print_json() const;

 private:
  double copy_rate();
  void flush();
  void add_row(const char* name, const std::string& shape, const kernels::Cost& cost, double seconds);

  KernelBenchOptions options_;
  std::unique_ptr<Context> context_;
  bool on_cuda_;
  std::shared_ptr<Buffer> flush_memory_;  // cuda
  CacheFlush flush_;                      // cpu
  double copy_rate_ = 0, multiply_rate_ = 0;
  std::uint64_t seed_ = 0;
  nlohmann::ordered_json rows_ = nlohmann::ordered_json::array();
};

// Families that share their inputs, and what times them.
struct KernelGroup {
  std::vector<const char*> families;
  void (*time)(KernelBench&);
};
std::vector<KernelGroup> network_kernels();   // network_kernels.cpp: those of every training step
std::vector<KernelGroup> transfer_kernels();  // transfer_kernels.cpp: those of transfer methods and teachers

// The storage of a row's values, for its text.
template <class T>
constexpr const char* storage_text = std::is_same_v<T, float> ? "" : ", bfloat16";

}  // namespace preceptor
