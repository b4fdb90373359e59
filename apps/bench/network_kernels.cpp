// Augmentation, convolutions, batch norms, pooling, the last layer, loss and update: on the shapes of ResNet-18
// and DenseNet-121.
#include <algorithm>
#include <utility>

#include "apps/bench/kernel_bench.h"
#include "kernels/augment/augment.h"
#include "kernels/batch_norm/batch_norm.h"
#include "kernels/convolution/convolution.h"
#include "kernels/cross_entropy/cross_entropy.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/linear/linear.h"
#include "kernels/optimizer/optimizer.h"
#include "kernels/pooling/pooling.h"

namespace preceptor {
namespace {

// A layer of the network: kernel x kernel convolutions of maps with `side` pixels.
struct Layer {
  int in, out, kernel, stride, side;
  int out_side() const { return (side + stride - 1) / stride; }
};

// Those of ResNet-18, each once, and of DenseNet-121's last block: few pixels and a long depth, and 32 channels.
std::vector<Layer> layers(int size) {
  std::vector<Layer> rows = {{3, 64, 7, 2, size}};
  int side = (size + 3) / 4, in = 64;
  for (const int out : {64, 128, 256, 512}) {
    if (out != in) {
      rows.push_back({in, out, 3, 2, side});
      rows.push_back({in, out, 1, 2, side});
      side = (side + 1) / 2;
    }
    rows.push_back({out, out, 3, 1, side});
    in = out;
  }
  rows.push_back({1024, 128, 1, 1, side});
  rows.push_back({128, 32, 3, 1, side});
  return rows;
}

void time_augment(KernelBench& bench) {
  constexpr int channels = 3;
  const int batch = bench.options().batch, size = bench.options().size;
  std::vector<std::uint8_t> pixels;
  for (float value : random_normal(static_cast<std::size_t>(batch) * size * size * channels, 1))
    pixels.push_back(static_cast<std::uint8_t>(std::clamp(128 + 40 * value, 0.0f, 255.0f)));
  const auto images = bench.to_device(pixels);
  const Tensor out = bench.normal({batch, channels, size, size});
  const std::string shape = message(batch, "x", channels, "x", size, "x", size);
  const auto time = [&](float rotate, float noise, const char* changes) {
    bench.time(kernels::Augment<float>{.images = images.data(),
                                       .out = out.map(),
                                       .state = bench.context().step_state(),
                                       .mean = {0.5f, 0.5f, 0.5f},
                                       .deviation = {0.25f, 0.25f, 0.25f},
                                       .flip = true,
                                       .shift = std::min(4, size - 1),
                                       .rotate = rotate,
                                       .scale = 0,
                                       .crop = 0,
                                       .brightness = 0,
                                       .contrast = 0,
                                       .noise = noise,
                                       .cutout = 0},
               message(shape, " ", changes));
  };
  time(0, 0, "flip, shift");
  time(15, 0, "flip, shift, rotate");
  time(0, 0.02f, "flip, shift, noise");
}

// A feature map of normal values.
template <class T>
struct NormalMap {
  DeviceArray<T> memory;
  kernels::FeatureMap<T> map;

  NormalMap(KernelBench& bench, int channels, int side)
      : memory(bench.normal_values<T>(static_cast<std::size_t>(bench.options().batch) * channels * side * side)),
        map{memory.data(), bench.options().batch,
            channels,      side,
            side,          bench.context().device().channel_block(channels),
            channels} {}
};

// The channel values of a batch norm.
struct Statistics {
  Tensor mean, rstd, scale, offset, rounding_errors, d_gamma, d_beta;
  DeviceArray<kernels::ChannelStatistics> statistics;

  Statistics(KernelBench& bench, int channels)
      : mean(bench.normal({channels})),
        rstd(bench.normal({channels})),
        scale(bench.normal({channels})),
        offset(bench.normal({channels})),
        rounding_errors(bench.normal({2, channels})),
        d_gamma(bench.normal({channels})),
        d_beta(bench.normal({channels})),
        statistics(bench.to_device(
            std::vector<kernels::ChannelStatistics>(static_cast<std::size_t>(channels), {.mean = 0, .m2 = 1}))) {}
};

template <class T>
void time_convolutions(KernelBench& bench) {
  if (!bench.possible<kernels::ConvolutionForward<T>>()) return;
  for (const Layer& layer : layers(bench.options().size)) {
    const int batch = bench.options().batch;
    const NormalMap<T> x(bench, layer.in, layer.side), y(bench, layer.out, layer.out_side());
    const kernels::WeightOrder order =
        kernels::device_weight_order(bench.context().device(), layer.out, layer.in, layer.kernel, layer.kernel);
    const auto weight = bench.normal_values<T>(order.elements());
    const Tensor d_weight = bench.normal({static_cast<int>(order.elements())});
    const Statistics before(bench, layer.in), after(bench, layer.out);
    kernels::ConvolutionForward<T> forward{.x = x.map,
                                           .weight = weight.data(),
                                           .bias = nullptr,
                                           .residual = {},
                                           .y = y.map,
                                           .geometry = {layer.kernel, layer.kernel, layer.stride, layer.kernel / 2},
                                           .relu = false};
    kernels::ConvolutionWeightGradient<T> weight_gradient{
        .x = x.map, .d_y = y.map, .d_weight = d_weight.data(), .d_bias = nullptr, .geometry = forward.geometry};
    const std::string shape = message(batch, "x", layer.in, "x", layer.side, "x", layer.side, " ", layer.kernel, "x",
                                      layer.kernel, " /", layer.stride, " to ", layer.out, storage_text<T>);
    bench.time(forward, shape);
    bench.time(weight_gradient, shape);
    if (layer.in == 3) continue;  // an image: nothing asks for its gradient, and no batch norm is before it
    bench.time(
        kernels::ConvolutionDataGradient<T>{
            .d_y = y.map, .weight = forward.weight, .d_x = x.map, .geometry = forward.geometry},
        shape);
    forward.input = weight_gradient.input = {before.mean.data(), before.scale.data(), before.offset.data(), true};
    if (kernels::fuses_batch_norms(bench.context().device())) forward.statistics = after.statistics.data();
    bench.time(forward, shape + (forward.statistics ? ", between batch norms" : ", after a batch norm"));
    bench.time(weight_gradient, shape + ", after a batch norm");
  }
}

template <class T>
void time_batch_norms(KernelBench& bench) {
  if (!bench.possible<kernels::BatchNormForward<T>>()) return;
  for (const Layer& layer : layers(bench.options().size)) {
    if (layer.kernel == 1 || (layer.kernel == 3 && layer.stride == 2)) continue;  // the same map as the next layer's
    const int side = layer.out_side();
    const NormalMap<T> x(bench, layer.out, side), residual(bench, layer.out, side), y(bench, layer.out, side),
        d_y(bench, layer.out, side), so_far(bench, layer.out, side);
    const Statistics statistics(bench, layer.out);
    const Tensor gamma = bench.normal({layer.out}), beta = bench.normal({layer.out});
    const auto text = [&](const char* what) {
      return message(bench.options().batch, "x", layer.out, "x", side, "x", side, what, storage_text<T>);
    };
    kernels::BatchNormForward<T> forward{.x = x.map,
                                         .statistics = nullptr,
                                         .residual = residual.map,
                                         .y = y.map,
                                         .gamma = gamma.data(),
                                         .beta = beta.data(),
                                         .running_mean = nullptr,
                                         .running_variance = nullptr,
                                         .mean = statistics.mean.data(),
                                         .rstd = statistics.rstd.data(),
                                         .scale = statistics.scale.data(),
                                         .offset = statistics.offset.data(),
                                         .rounding_errors = statistics.rounding_errors.data(),
                                         .epsilon = 1e-5f,
                                         .momentum = 0.1f,
                                         .relu = true,
                                         .workspace = nullptr};
    bench.time(forward, text(" + residual, ReLU"));
    forward.residual = {};
    forward.statistics = statistics.statistics.data();
    bench.time(forward, text(" ReLU, moments given"));
    bench.time(kernels::FindStatistics<T>{x.map, statistics.statistics.data(), nullptr}, text(""));
    kernels::BatchNormBackward<T> backward{.x = x.map,
                                           .y = y.map,
                                           .d_y = d_y.map,
                                           .d_x_so_far = {},
                                           .d_x = x.map,
                                           .d_residual = d_y.map,
                                           .mean = statistics.mean.data(),
                                           .rstd = statistics.rstd.data(),
                                           .scale = statistics.scale.data(),
                                           .offset = statistics.offset.data(),
                                           .rounding_errors = statistics.rounding_errors.data(),
                                           .d_gamma = statistics.d_gamma.data(),
                                           .d_beta = statistics.d_beta.data(),
                                           .relu = true,
                                           .batch_statistics = true,
                                           .workspace = nullptr};
    bench.time(backward, text(" + residual, ReLU"));
    backward.y = backward.d_residual = {};
    backward.d_x = d_y.map;
    bench.time(backward, text(" ReLU, y recomputed"));
    backward.d_x = so_far.map;
    backward.d_x_so_far = so_far.map;
    bench.time(backward, text(" ReLU, y recomputed, added to what there is"));
  }
}

void time_pointwise(KernelBench& bench) {
  const int side = (bench.options().size + 3) / 4;
  const Shape shape{bench.options().batch, 64, side, side};
  const std::string text = message(bench.options().batch, "x64x", side, "x", side);
  const Tensor a = bench.normal(shape), b = bench.normal(shape), out = bench.normal(shape);
  bench.time(kernels::ReluForward<float>{.x = a.map(), .y = out.map()}, text);
  bench.time(kernels::ReluBackward<float>{.y = a.map(), .d_y = b.map(), .d_x = out.map()}, text);
  bench.time(kernels::Add<float>{.a = a.map(), .b = b.map(), .out = out.map()}, text);
}

void time_max_pool(KernelBench& bench) {
  const int side = (bench.options().size + 1) / 2, out_side = (side - 1) / 2 + 1;
  const Tensor x = bench.normal({bench.options().batch, 64, side, side});
  const Tensor y = bench.normal({bench.options().batch, 64, out_side, out_side});
  const DeviceArray<std::uint8_t> winner{bench.context().scratch(y.shape().elements())};
  const std::string text = message(bench.options().batch, "x64x", side, "x", side, " 3x3 /2");
  const kernels::MaxPoolForward<float> forward{
      .x = x.map(), .y = y.map(), .winner = winner.data(), .window = 3, .stride = 2, .padding = 1};
  bench.context().run(forward);  // the gradient needs true positions
  bench.time(forward, text);
  bench.time(
      kernels::MaxPoolBackward<float>{
          .d_y = y.map(), .winner = winner.data(), .d_x = x.map(), .window = 3, .stride = 2, .padding = 1},
      text);
}

void time_linear(KernelBench& bench) {
  const int rows = bench.options().batch;
  for (const auto& [in, out] : {std::pair{512, 14}, {512, 1000}, {1024, 14}}) {
    const Tensor x = bench.normal({rows, in}), y = bench.normal({rows, out}), weight = bench.normal({out, in});
    const Tensor bias = bench.normal({out}), d_x = bench.normal({rows, in}), d_weight = bench.normal({out, in});
    const std::string shape = message(rows, "x", in, " to ", out);
    bench.time(kernels::LinearForward<float>{.x = x.data(),
                                             .weight = weight.data(),
                                             .bias = bias.data(),
                                             .y = y.data(),
                                             .rows = rows,
                                             .in = in,
                                             .out = out},
               shape);
    bench.time(kernels::LinearBackward<float>{.x = x.data(),
                                              .weight = weight.data(),
                                              .d_y = y.data(),
                                              .d_x = d_x.data(),
                                              .d_weight = d_weight.data(),
                                              .d_bias = bias.data(),
                                              .rows = rows,
                                              .in = in,
                                              .out = out},
               shape);
  }
}

void time_cross_entropy(KernelBench& bench) {
  constexpr int classes = 1000;
  const int rows = bench.options().batch;
  const Tensor logits = bench.normal({rows, classes}), gradient = bench.normal({rows, classes}),
               loss = bench.normal({rows});
  const auto labels = bench.to_device(std::vector<float>(static_cast<std::size_t>(rows)));
  bench.time(kernels::SoftmaxCrossEntropy<float>{.logits = logits.data(),
                                                 .labels = labels.data(),
                                                 .loss = loss.data(),
                                                 .d_logits = gradient.data(),
                                                 .rows = rows,
                                                 .classes = classes,
                                                 .weight = 1},
             message(rows, "x", classes));
}

void time_updates(KernelBench& bench) {
  constexpr int count = 11'689'512;  // the parameters of ResNet-18
  const Tensor value = bench.normal({count}), gradient = bench.normal({count}), first = bench.normal({count});
  const Tensor second = bench.context().empty({count});
  std::vector<float> squares = random_normal(count, 1);
  for (float& square : squares) square *= square;
  second.from_host(squares);
  for (const bool adam : {false, true}) {
    const auto segments = bench.to_device(std::vector{kernels::UpdateSegment{.value = value.data(),
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
    const kernels::Update update{.segments = segments.data(),
                                 .segment_count = 1,
                                 .chunks = kernels::update_chunks(count),
                                 .elements = count,
                                 .rounded_elements = 0,
                                 .origin_elements = 0,
                                 .state = bench.context().step_state(),
                                 .gradient_scale = nullptr,
                                 .rule = adam ? kernels::UpdateRule::adam : kernels::UpdateRule::sgd,
                                 .momentum = 0.9f,
                                 .nesterov = false,
                                 .beta1 = 0.9f,
                                 .beta2 = 0.999f,
                                 .epsilon = 1e-8f,
                                 .clip_value = 0};
    bench.time(update, message(count, adam ? " adam" : " sgd, momentum"));
  }
}

}  // namespace

std::vector<KernelGroup> network_kernels() {
  using namespace kernels;
  return {
      {{Augment<float>::name}, time_augment},
      {{ConvolutionForward<float>::name, ConvolutionDataGradient<float>::name, ConvolutionWeightGradient<float>::name},
       [](KernelBench& bench) {
         time_convolutions<float>(bench);
         time_convolutions<bfloat16>(bench);
       }},
      {{BatchNormForward<float>::name, BatchNormBackward<float>::name, FindStatistics<float>::name},
       [](KernelBench& bench) {
         time_batch_norms<float>(bench);
         time_batch_norms<bfloat16>(bench);
       }},
      {{ReluForward<float>::name, ReluBackward<float>::name, Add<float>::name}, time_pointwise},
      {{MaxPoolForward<float>::name, MaxPoolBackward<float>::name}, time_max_pool},
      {{LinearForward<float>::name, LinearBackward<float>::name}, time_linear},
      {{SoftmaxCrossEntropy<float>::name}, time_cross_entropy},
      {{Update::name}, time_updates}};
}

}  // namespace preceptor
