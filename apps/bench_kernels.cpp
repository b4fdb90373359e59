// The shapes, arguments and table of the kernel measurements.
#include "apps/bench_kernels.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "apps/measure.h"
#include "engine/context.h"
#include "kernels/batch_norm/batch_norm.h"
#include "kernels/convolution/convolution.h"
#include "kernels/cross_entropy/cross_entropy.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/optimizer/optimizer.h"
#include "kernels/pooling/pooling.h"
#include "kernels/softened_kl/softened_kl.h"

namespace preceptor {
namespace {

constexpr std::array families = {kernels::ConvolutionForward<float>::name,
                                 kernels::ConvolutionDataGradient<float>::name,
                                 kernels::ConvolutionWeightGradient<float>::name,
                                 kernels::BatchNormForward<float>::name,
                                 kernels::BatchNormBackward<float>::name,
                                 kernels::ReluForward<float>::name,
                                 kernels::ReluBackward<float>::name,
                                 kernels::Add<float>::name,
                                 kernels::MaxPoolForward<float>::name,
                                 kernels::MaxPoolBackward<float>::name,
                                 kernels::SoftmaxCrossEntropy<float>::name,
                                 kernels::SoftenedKl<float>::name,
                                 kernels::Update::name};

// Runs one family after the other and collects or prints a row for every shape.
class KernelBench {
 public:
  explicit KernelBench(const KernelBenchOptions& options)
      : options_(options),
        context_(std::make_unique<Context>(kernels::open_device(options.device, options.threads), 1)),
        on_cuda_(options.device == "cuda") {}

  void run_all();

 private:
  // A layer of the network: kernel x kernel convolutions of maps with `side` pixels.
  struct Layer {
    int in, out, kernel, stride, side;
    int out_side() const { return (side + stride - 1) / stride; }
  };
  std::vector<Layer> layers() const;

  bool wanted(const char* name) const { return std::string(name).starts_with(options_.family); }
  Tensor normal(const Shape& shape) {
    Tensor tensor = context_->empty(shape);
    tensor.from_host(random_normal(shape.elements(), ++seed_));
    return tensor;
  }
  // Random values on the device, in the storage type of a kernel.
  template <class T>
  std::shared_ptr<Buffer> normal_values(std::size_t count);
  template <class T>
  std::shared_ptr<Buffer> to_device(const std::vector<T>& values);
  template <class Arguments>
  bool possible() const {
    return kernels::runs_on<Arguments>(context_->device().kind);
  }
  double copy_rate();
  void flush();
  template <class Arguments>
  void time(const Arguments& arguments, const std::string& shape);
  template <class Arguments>
  void time_with_workspace(Arguments arguments, const std::string& shape);
  void add_row(const char* name, const std::string& shape, const kernels::Cost& cost, double seconds);

  void time_convolutions();
  template <class T>
  void time_batch_norms();
  void time_pointwise();
  void time_max_pool();
  void time_cross_entropy();
  template <class T>
  void time_softened_kl();
  void time_updates();

  KernelBenchOptions options_;
  std::unique_ptr<Context> context_;
  bool on_cuda_;
  std::shared_ptr<Buffer> flush_memory_;  // cuda
  CacheFlush flush_;                      // cpu
  double copy_rate_ = 0, multiply_rate_ = 0;
  std::uint64_t seed_ = 0;
  nlohmann::ordered_json rows_ = nlohmann::ordered_json::array();
};

template <class T>
std::shared_ptr<Buffer> KernelBench::to_device(const std::vector<T>& values) {
  const std::size_t bytes = values.size() * sizeof(T);
  const auto buffer = context_->scratch(bytes);
  context_->run(kernels::Copy{buffer->data(), values.data(), bytes});
  context_->stream().synchronize();
  return buffer;
}

template <class T>
std::shared_ptr<Buffer> KernelBench::normal_values(std::size_t count) {
  const std::vector<float> values = random_normal(count, ++seed_);
  return to_device(std::vector<T>(values.begin(), values.end()));
}

// Bytes that no cache of a card holds.
constexpr std::size_t cuda_flush_bytes = std::size_t{256} << 20;

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

template <class Arguments>
void KernelBench::time(const Arguments& arguments, const std::string& shape) {
  if (!wanted(Arguments::name)) return;
  if (!possible<Arguments>()) return;
  const auto launch = [&] { context_->run(arguments); };
  launch();
  std::vector<double> seconds;
  for (int i = 0; i < options_.repeats; ++i) {
    flush();
    seconds.push_back(context_->stream().seconds_of(launch));
  }
  add_row(Arguments::name, shape, cost(arguments), median(seconds));
}

template <class Arguments>
void KernelBench::time_with_workspace(Arguments arguments, const std::string& shape) {
  if (!wanted(Arguments::name) || !possible<Arguments>()) return;
  const auto workspace = context_->scratch(std::max<std::size_t>(64, workspace_bytes(arguments, context_->device())));
  arguments.workspace = workspace->data();
  time(arguments, shape);
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
  std::printf("%-28s %-44s %9.4f %8.2f %6.0f%% %9.2f", name, shape.c_str(), 1e3 * seconds, bytes / 1e9,
              100 * bytes / copy_rate_, operations / 1e9);
  on_cuda_ ? std::puts("") : std::printf(" %7.0f%%\n", 100 * operations / multiply_rate_);
  std::fflush(stdout);
}

std::vector<KernelBench::Layer> KernelBench::layers() const {
  std::vector<Layer> rows = {{3, 64, 7, 2, options_.size}};
  int side = (options_.size + 3) / 4, in = 64;
  for (const int out : {64, 128, 256, 512}) {
    if (out != in) {
      rows.push_back({in, out, 3, 2, side});
      rows.push_back({in, out, 1, 2, side});
      side = (side + 1) / 2;
    }
    rows.push_back({out, out, 3, 1, side});
    in = out;
  }
  return rows;
}

void KernelBench::time_convolutions() {
  for (const Layer& layer : layers()) {
    const int batch = options_.batch;
    const Tensor x = normal({batch, layer.in, layer.side, layer.side});
    const Tensor y = normal({batch, layer.out, layer.out_side(), layer.out_side()});
    const kernels::WeightOrder order =
        kernels::device_weight_order(context_->device(), layer.out, layer.in, layer.kernel, layer.kernel);
    const Tensor weight = normal({static_cast<int>(order.elements())});
    const kernels::ConvolutionGeometry geometry{layer.kernel, layer.kernel, layer.stride, layer.kernel / 2};
    const std::string shape = message(batch, "x", layer.in, "x", layer.side, "x", layer.side, " ", layer.kernel, "x",
                                      layer.kernel, " /", layer.stride, " to ", layer.out);
    time_with_workspace(kernels::ConvolutionForward<float>{.x = x.map(),
                                                           .weight = weight.data(),
                                                           .bias = nullptr,
                                                           .residual = {},
                                                           .y = y.map(),
                                                           .geometry = geometry,
                                                           .relu = false},
                        shape);
    // Nothing asks for the gradient by an image.
    if (layer.in != 3)
      time_with_workspace(
          kernels::ConvolutionDataGradient<float>{
              .d_y = y.map(), .weight = weight.data(), .d_x = x.map(), .geometry = geometry},
          shape);
    time_with_workspace(
        kernels::ConvolutionWeightGradient<float>{
            .x = x.map(), .d_y = y.map(), .d_weight = weight.data(), .d_bias = nullptr, .geometry = geometry},
        shape);
  }
}

template <class T>
constexpr const char* storage = std::is_same_v<T, float> ? "" : ", bfloat16";

template <class T>
void KernelBench::time_batch_norms() {
  if (!possible<kernels::BatchNormForward<T>>()) return;
  for (const Layer& layer : layers()) {
    if (layer.kernel == 1 || (layer.kernel == 3 && layer.stride == 2)) continue;  // the same map as the next layer's
    const int side = layer.out_side(), block = context_->device().channel_block(layer.out);
    const std::size_t count = static_cast<std::size_t>(options_.batch) * layer.out * side * side;
    std::vector<std::shared_ptr<Buffer>> maps;
    const auto map = [&] {
      maps.push_back(normal_values<T>(count));
      return kernels::FeatureMap<T>{
          static_cast<T*>(maps.back()->data()), options_.batch, layer.out, side, side, block, layer.out};
    };
    const auto x = map(), residual = map(), y = map(), d_y = map();
    const Tensor gamma = normal({layer.out}), beta = normal({layer.out}), mean = normal({layer.out});
    const Tensor deviation = normal({layer.out}), offset = normal({layer.out});
    const Tensor d_gamma = normal({layer.out}), d_beta = normal({layer.out});
    const std::string text =
        message(options_.batch, "x", layer.out, "x", side, "x", side, " + residual, ReLU", storage<T>);
    time_with_workspace(kernels::BatchNormForward<T>{.x = x,
                                                     .residual = residual,
                                                     .y = y,
                                                     .gamma = gamma.data(),
                                                     .beta = beta.data(),
                                                     .running_mean = nullptr,
                                                     .running_variance = nullptr,
                                                     .mean = mean.data(),
                                                     .inverse_deviation = deviation.data(),
                                                     .offset = offset.data(),
                                                     .epsilon = 1e-5f,
                                                     .momentum = 0.1f,
                                                     .relu = true,
                                                     .workspace = nullptr},
                        text);
    time_with_workspace(kernels::BatchNormBackward<T>{.x = x,
                                                      .y = y,
                                                      .d_y = d_y,
                                                      .d_x = x,
                                                      .d_residual = d_y,
                                                      .gamma = gamma.data(),
                                                      .mean = mean.data(),
                                                      .inverse_deviation = deviation.data(),
                                                      .offset = offset.data(),
                                                      .d_gamma = d_gamma.data(),
                                                      .d_beta = d_beta.data(),
                                                      .relu = true,
                                                      .batch_statistics = true,
                                                      .workspace = nullptr},
                        text);
  }
}

void KernelBench::time_pointwise() {
  const int side = (options_.size + 3) / 4;
  const Shape shape{options_.batch, 64, side, side};
  const std::string text = message(options_.batch, "x64x", side, "x", side);
  const Tensor a = normal(shape), b = normal(shape), out = normal(shape);
  time(kernels::ReluForward<float>{.x = a.map(), .y = out.map()}, text);
  time(kernels::ReluBackward<float>{.y = a.map(), .d_y = b.map(), .d_x = out.map()}, text);
  time(kernels::Add<float>{.a = a.map(), .b = b.map(), .out = out.map()}, text);
}

void KernelBench::time_max_pool() {
  const int side = (options_.size + 1) / 2, out_side = (side - 1) / 2 + 1;
  const Tensor x = normal({options_.batch, 64, side, side});
  const Tensor y = normal({options_.batch, 64, out_side, out_side});
  const auto winner = context_->scratch(y.shape().elements());
  auto* positions = static_cast<std::uint8_t*>(winner->data());
  const std::string text = message(options_.batch, "x64x", side, "x", side, " 3x3 /2");
  const kernels::MaxPoolForward<float> forward{
      .x = x.map(), .y = y.map(), .winner = positions, .window = 3, .stride = 2, .padding = 1};
  context_->run(forward);  // the gradient needs true positions
  time(forward, text);
  time(
      kernels::MaxPoolBackward<float>{
          .d_y = y.map(), .winner = positions, .d_x = x.map(), .window = 3, .stride = 2, .padding = 1},
      text);
}

void KernelBench::time_cross_entropy() {
  constexpr int classes = 1000;
  const int rows = options_.batch;
  const Tensor logits = normal({rows, classes}), gradient = normal({rows, classes}), loss = normal({rows});
  const auto labels = to_device(std::vector<float>(static_cast<std::size_t>(rows)));
  time(kernels::SoftmaxCrossEntropy<float>{.logits = logits.data(),
                                           .labels = static_cast<const float*>(labels->data()),
                                           .loss = loss.data(),
                                           .d_logits = gradient.data(),
                                           .rows = rows,
                                           .classes = classes,
                                           .weight = 1},
       message(rows, "x", classes));
}

template <class T>
void KernelBench::time_softened_kl() {
  if (!possible<kernels::SoftenedKl<T>>()) return;
  // On a card a batch is too small to measure: 2^23 logits.
  const std::vector<int> all_classes = on_cuda_ ? std::vector{2, 14, 100, 1000, 32768, 262144} : std::vector{14, 1000};
  for (const int classes : all_classes) {
    const int rows = on_cuda_ ? std::max(options_.batch, (1 << 23) / classes) : options_.batch;
    const std::size_t count = static_cast<std::size_t>(rows) * classes;
    const auto student = normal_values<T>(count), teacher = normal_values<T>(count), gradient = normal_values<T>(count);
    const Tensor loss = normal({rows});
    time(kernels::SoftenedKl<T>{.student = static_cast<const T*>(student->data()),
                                .teacher = static_cast<const T*>(teacher->data()),
                                .loss = loss.data(),
                                .d_student = static_cast<T*>(gradient->data()),
                                .rows = rows,
                                .classes = classes,
                                .temperature = 4,
                                .scale = 1.0f / static_cast<float>(rows)},
         message(rows, "x", classes, storage<T>));
  }
}

void KernelBench::time_updates() {
  constexpr int count = 11'689'512;  // the parameters of ResNet-18
  const Tensor value = normal({count}), gradient = normal({count}), first = normal({count});
  const Tensor second = context_->empty({count});
  std::vector<float> squares = random_normal(count, ++seed_);
  for (float& square : squares) square *= square;
  second.from_host(squares);
  for (const bool adam : {false, true}) {
    const auto segments = to_device(std::vector{kernels::UpdateSegment{.value = value.data(),
                                                                       .gradient = gradient.data(),
                                                                       .first = first.data(),
                                                                       .second = adam ? second.data() : nullptr,
                                                                       .rounded = nullptr,
                                                                       .origin = nullptr,
                                                                       .count = count,
                                                                       .first_chunk = 0,
                                                                       .start = 0,
                                                                       .learning_rate_scale = 1,
                                                                       .weight_decay = 0}});
    const kernels::Update update{.segments = static_cast<const kernels::UpdateSegment*>(segments->data()),
                                 .segment_count = 1,
                                 .chunks = kernels::update_chunks(count),
                                 .elements = count,
                                 .rounded_elements = 0,
                                 .origin_elements = 0,
                                 .state = context_->step_state(),
                                 .gradient_scale = nullptr,
                                 .rule = adam ? kernels::UpdateRule::adam : kernels::UpdateRule::sgd,
                                 .momentum = 0.9f,
                                 .nesterov = false,
                                 .beta1 = 0.9f,
                                 .beta2 = 0.999f,
                                 .epsilon = 1e-8f,
                                 .clip_value = 0};
    time(update, message(count, adam ? " adam" : " sgd, momentum"));
  }
}

void KernelBench::run_all() {
  const auto family_wanted = [this](const char* name) { return wanted(name); };
  if (std::none_of(families.begin(), families.end(), family_wanted)) {
    std::string names;
    for (const char* name : families) names += message(names.empty() ? "" : ", ", name);
    fail(ErrorKind::usage, "--family ", options_.family, ": no family's name starts so; families: ", names);
  }
  copy_rate_ = copy_rate();
  if (!on_cuda_) multiply_rate_ = measure_multiply_rate();
  if (!options_.json) {
    on_cuda_ ? std::printf("this card: copy %.2f GB/s\n\n", copy_rate_ / 1e9)
             : std::printf("this machine with %d threads: copy %.2f GB/s, multiply %.1f GFLOP/s\n\n",
                           context_->device().threads, copy_rate_ / 1e9, multiply_rate_ / 1e9);
    std::printf("%-28s %-44s %9s %8s %7s %9s %s\n", "family", "shape", "ms", "GB/s", "of copy", "GFLOP/s",
                on_cuda_ ? "" : "of mult.");
  }
  if (!on_cuda_) {
    if (wanted("convolution_forward") || wanted("convolution_data_gradient") || wanted("convolution_weight_gradient"))
      time_convolutions();
    if (wanted("relu_forward") || wanted("relu_backward") || wanted("add")) time_pointwise();
    if (wanted("max_pool_forward") || wanted("max_pool_backward")) time_max_pool();
  }
  if (wanted("batch_norm_forward") || wanted("batch_norm_backward")) {
    time_batch_norms<float>();
    time_batch_norms<kernels::bfloat16>();
  }
  if (wanted("softmax_cross_entropy")) time_cross_entropy();
  if (wanted("softened_kl")) {
    time_softened_kl<float>();
    time_softened_kl<kernels::bfloat16>();
  }
  if (wanted("update")) time_updates();
  if (!options_.json) return;
  const nlohmann::ordered_json result{{"device", options_.device},
                                      {"threads", context_->device().threads},
                                      {"copy_bytes_per_second", copy_rate_},
                                      {"multiply_operations_per_second", multiply_rate_},
                                      {"rows", rows_}};
  std::cout << result.dump(1) << '\n';
}

}  // namespace

void run_kernel_bench(const KernelBenchOptions& options) { KernelBench(options).run_all(); }

}  // namespace preceptor
