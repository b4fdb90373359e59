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

constexpr std::array families = {kernels::ConvolutionForward::name,
                                 kernels::ConvolutionDataGradient::name,
                                 kernels::ConvolutionWeightGradient::name,
                                 kernels::BatchNormForward<float>::name,
                                 kernels::BatchNormBackward<float>::name,
                                 kernels::ReluForward::name,
                                 kernels::ReluBackward::name,
                                 kernels::Add::name,
                                 kernels::MaxPoolForward::name,
                                 kernels::MaxPoolBackward::name,
                                 kernels::SoftmaxCrossEntropy::name,
                                 kernels::SoftenedKl<float>::name,
                                 kernels::Update::name};

// Runs one family after the other and collects or prints a row for every shape.
class KernelBench {
 public:
  explicit KernelBench(const KernelBenchOptions& options)
      : options_(options), context_(Context::on_cpu(options.threads, 1)) {}

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
  template <class Arguments>
  void time(const Arguments& arguments, const std::string& shape);
  template <class Arguments>
  void time_with_workspace(Arguments arguments, const std::string& shape);
  void add_row(const char* name, const std::string& shape, const kernels::Cost& cost, double seconds);

  void time_convolutions();
  void time_batch_norms();
  void time_pointwise();
  void time_max_pool();
  void time_losses();
  void time_updates();

  KernelBenchOptions options_;
  std::unique_ptr<Context> context_;
  CacheFlush flush_;
  double copy_rate_ = 0, multiply_rate_ = 0;
  std::uint64_t seed_ = 0;
  nlohmann::ordered_json rows_ = nlohmann::ordered_json::array();
};

template <class Arguments>
void KernelBench::time(const Arguments& arguments, const std::string& shape) {
  if (!wanted(Arguments::name)) return;
  const auto launch = [&] { context_->run(arguments); };
  launch();
  const std::vector<double> seconds = time_repeats({.repeats = options_.repeats}, launch, std::ref(flush_));
  add_row(Arguments::name, shape, cost(arguments), median(seconds));
}

template <class Arguments>
void KernelBench::time_with_workspace(Arguments arguments, const std::string& shape) {
  if (!wanted(Arguments::name)) return;
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
                   {"percent_of_multiply_rate", 100 * operations / multiply_rate_}});
  if (options_.json) return;
  std::printf("%-28s %-34s %9.3f %8.2f %6.0f%% %9.2f %7.0f%%\n", name, shape.c_str(), 1e3 * seconds, bytes / 1e9,
              100 * bytes / copy_rate_, operations / 1e9, 100 * operations / multiply_rate_);
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
    time_with_workspace(kernels::ConvolutionForward{.x = x.map(),
                                                    .weight = weight.data(),
                                                    .bias = nullptr,
                                                    .residual = {},
                                                    .y = y.map(),
                                                    .geometry = geometry,
                                                    .relu = false,
                                                    .workspace = nullptr},
                        shape);
    // Nothing asks for the gradient by an image.
    if (layer.in != 3)
      time_with_workspace(
          kernels::ConvolutionDataGradient{
              .d_y = y.map(), .weight = weight.data(), .d_x = x.map(), .geometry = geometry, .workspace = nullptr},
          shape);
    time_with_workspace(kernels::ConvolutionWeightGradient{.x = x.map(),
                                                           .d_y = y.map(),
                                                           .d_weight = weight.data(),
                                                           .d_bias = nullptr,
                                                           .geometry = geometry,
                                                           .workspace = nullptr},
                        shape);
  }
}

void KernelBench::time_batch_norms() {
  for (const Layer& layer : layers()) {
    if (layer.kernel == 1 || (layer.kernel == 3 && layer.stride == 2)) continue;  // the same map as the next layer's
    const int side = layer.out_side();
    const Shape shape{options_.batch, layer.out, side, side};
    const Tensor x = normal(shape), residual = normal(shape), y = normal(shape), d_y = normal(shape);
    const Tensor gamma = normal({layer.out}), beta = normal({layer.out}), mean = normal({layer.out});
    const Tensor deviation = normal({layer.out}), offset = normal({layer.out});
    const Tensor d_gamma = normal({layer.out}), d_beta = normal({layer.out});
    const std::string text = message(options_.batch, "x", layer.out, "x", side, "x", side, " + residual, ReLU");
    time_with_workspace(kernels::BatchNormForward<float>{.x = x.map(),
                                                         .residual = residual.map(),
                                                         .y = y.map(),
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
    time_with_workspace(kernels::BatchNormBackward<float>{.x = x.map(),
                                                          .y = y.map(),
                                                          .d_y = d_y.map(),
                                                          .d_x = x.map(),
                                                          .d_residual = d_y.map(),
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
  time(kernels::ReluForward{.x = a.map(), .y = out.map()}, text);
  time(kernels::ReluBackward{.y = a.map(), .d_y = b.map(), .d_x = out.map()}, text);
  time(kernels::Add{.a = a.map(), .b = b.map(), .out = out.map()}, text);
}

void KernelBench::time_max_pool() {
  const int side = (options_.size + 1) / 2, out_side = (side - 1) / 2 + 1;
  const Tensor x = normal({options_.batch, 64, side, side});
  const Tensor y = normal({options_.batch, 64, out_side, out_side});
  const auto winner = context_->scratch(y.shape().elements());
  auto* positions = static_cast<std::uint8_t*>(winner->data());
  const std::string text = message(options_.batch, "x64x", side, "x", side, " 3x3 /2");
  const kernels::MaxPoolForward forward{
      .x = x.map(), .y = y.map(), .winner = positions, .window = 3, .stride = 2, .padding = 1};
  context_->run(forward);  // the gradient needs true positions
  time(forward, text);
  time(
      kernels::MaxPoolBackward{
          .d_y = y.map(), .winner = positions, .d_x = x.map(), .window = 3, .stride = 2, .padding = 1},
      text);
}

void KernelBench::time_losses() {
  constexpr int classes = 1000;
  const int rows = options_.batch;
  const Tensor student = normal({rows, classes}), teacher = normal({rows, classes}), gradient = normal({rows, classes});
  const Tensor loss = normal({rows}), labels = context_->zeros({rows});
  const std::string text = message(rows, "x", classes);
  time(kernels::SoftmaxCrossEntropy{.logits = student.data(),
                                    .labels = labels.data(),
                                    .loss = loss.data(),
                                    .d_logits = gradient.data(),
                                    .rows = rows,
                                    .classes = classes,
                                    .weight = 1},
       text);
  time(kernels::SoftenedKl<float>{.student = student.data(),
                                  .teacher = teacher.data(),
                                  .loss = loss.data(),
                                  .d_student = gradient.data(),
                                  .rows = rows,
                                  .classes = classes,
                                  .temperature = 4,
                                  .scale = 1.0f / static_cast<float>(rows)},
       text);
}

void KernelBench::time_updates() {
  constexpr int count = 11'689'512;  // the parameters of ResNet-18
  const Tensor value = normal({count}), gradient = normal({count}), first = normal({count});
  const Tensor second = context_->empty({count});
  std::vector<float> squares = random_normal(count, ++seed_);
  for (float& square : squares) square *= square;
  second.from_host(squares);
  for (const bool adam : {false, true}) {
    // Segments live in device memory, which is the host's on a cpu.
    const kernels::UpdateSegment segment{.value = value.data(),
                                         .gradient = gradient.data(),
                                         .first = first.data(),
                                         .second = adam ? second.data() : nullptr,
                                         .rounded = nullptr,
                                         .count = count,
                                         .first_chunk = 0,
                                         .learning_rate_scale = 1,
                                         .weight_decay = 0};
    const kernels::Update update{.segments = &segment,
                                 .segment_count = 1,
                                 .chunks = kernels::update_chunks(count),
                                 .elements = count,
                                 .rounded_elements = 0,
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
  copy_rate_ = measure_copy_rate(*context_, flush_);
  multiply_rate_ = measure_multiply_rate();
  if (!options_.json) {
    std::printf("this machine with %d threads: copy %.2f GB/s, multiply %.1f GFLOP/s\n\n", context_->device().threads,
                copy_rate_ / 1e9, multiply_rate_ / 1e9);
    std::printf("%-28s %-34s %9s %8s %7s %9s %8s\n", "family", "shape", "ms", "GB/s", "of copy", "GFLOP/s", "of mult.");
  }
  if (wanted("convolution_forward") || wanted("convolution_data_gradient") || wanted("convolution_weight_gradient"))
    time_convolutions();
  if (wanted("batch_norm_forward") || wanted("batch_norm_backward")) time_batch_norms();
  if (wanted("relu_forward") || wanted("relu_backward") || wanted("add")) time_pointwise();
  if (wanted("max_pool_forward") || wanted("max_pool_backward")) time_max_pool();
  if (wanted("softmax_cross_entropy") || wanted("softened_kl")) time_losses();
  if (wanted("update")) time_updates();
  if (!options_.json) return;
  const nlohmann::ordered_json result{{"threads", context_->device().threads},
                                      {"copy_bytes_per_second", copy_rate_},
                                      {"multiply_operations_per_second", multiply_rate_},
                                      {"rows", rows_}};
  std::cout << result.dump(1) << '\n';
}

}  // namespace

void run_kernel_bench(const KernelBenchOptions& options) { KernelBench(options).run_all(); }

}  // namespace preceptor
