// The table of kernel measurements.
#include "apps/bench/kernels.h"

#include <cstdio>
#include <iostream>

#include "apps/bench/kernel_bench.h"

namespace preceptor {

namespace {

// Bytes that no cache of a card holds.
constexpr std::size_t cuda_flush_bytes = std::size_t{256} << 20;

}  // namespace

KernelBench::KernelBench(const KernelBenchOptions& options)
    : options_(options),
      context_(std::make_unique<Context>(kernels::open_device(options.device, options.threads), 1)),
      on_cuda_(options.device == "cuda"),
      copy_rate_(copy_rate()),
      multiply_rate_(on_cuda_ ? 0 : measure_multiply_rate()) {}

void KernelBench::flush() {
  if (!on_cuda_) return flush_();
  auto* half = static_cast<std::byte*>(flush_memory_->data()) + cuda_flush_bytes;
  context_->run(kernels::Copy{half, flush_memory_->data(), cuda_flush_bytes});
}

double KernelBench::copy_rate() {
  if (!on_cuda_) return measure_copy_rate(*context_, flush_);
  flush_memory_ = context_->scratch(2 * cuda_flush_bytes);
  std::vector<double> seconds;
  for (int i = 0; i < 31; ++i) seconds.push_back(context_->stream().seconds_of([this] { flush(); }));
  return 2.0 * static_cast<double>(cuda_flush_bytes) / quantile(seconds, limit_quantile);
}

void KernelBench::add_row(const char* name, const std::string& shape, const kernels::Cost& cost, double seconds) {
  const double bytes = cost.bytes / seconds, operations = cost.operations / seconds;
  rows_.push_back({{"family", name},
                   {"shape", shape},
                   {"milliseconds", 1e3 * seconds},
                   {"gigabytes_per_second", bytes / 1e9},
                   {"percent_of_copy_rate", 100 * bytes / copy_rate_},
                   {"gigaflops", operations / 1e9},
                   {"percent_of_multiply_rate",
                    on_cuda_ ? nlohmann::ordered_json() : nlohmann::ordered_json(100 * operations / multiply_rate_)}});
  if (options_.json) return;
  std::printf("%-28s %-60s %9.4f %8.2f %6.0f%% %9.2f", name, shape.c_str(), 1e3 * seconds, bytes / 1e9,
              100 * bytes / copy_rate_, operations / 1e9);
  on_cuda_ ? std::puts("") : std::printf(" %7.0f%%\n", 100 * operations / multiply_rate_);
  std::fflush(stdout);
}

void KernelBench::print_head() {
  on_cuda_ ? std::printf("this card: copy %.2f GB/s\n\n", copy_rate_ / 1e9)
           : std::printf("this machine with %d threads: copy %.2f GB/s, multiply %.1f GFLOP/s\n\n",
                         context_->device().threads, copy_rate_ / 1e9, multiply_rate_ / 1e9);
  std::printf("%-28s %-60s %9s %8s %7s %9s %s\n", "family", "shape", "ms", "GB/s", "of copy", "GFLOP/s",
              on_cuda_ ? "" : "of mult.");
}

void KernelBench::print_json() const {
  const nlohmann::ordered_json result{{"device", options_.device},
                                      {"threads", context_->device().threads},
                                      {"copy_bytes_per_second", copy_rate_},
                                      {"multiply_operations_per_second", multiply_rate_},
                                      {"rows", rows_}};
  std::cout << result.dump(1) << '\n';
}

void run_kernel_bench(const KernelBenchOptions& options) {
  std::vector<KernelGroup> groups = network_kernels();
  for (KernelGroup& group : transfer_kernels()) groups.push_back(std::move(group));
  const auto wanted = [&](const char* name) { return std::string(name).starts_with(options.family); };
  std::string names;
  std::erase_if(groups, [&](const KernelGroup& group) {
    for (const char* name : group.families) names += message(names.empty() ? "" : ", ", name);
    return std::none_of(group.families.begin(), group.families.end(), wanted);
  });
  if (groups.empty())
    fail(ErrorKind::usage, "--family ", options.family, ": no family's name starts so; families: ", names);
  KernelBench bench(options);
  if (!options.json) bench.print_head();
  for (const KernelGroup& group : groups) group.time(bench);
  if (options.json) bench.print_json();
}

}  // namespace preceptor
