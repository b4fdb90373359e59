// Convolution on the cpu: oneDNN plans, made once per shape and kept, beside our own weight gradient for small maps.
#include "kernels/convolution/convolution.h"

#include <omp.h>

#include <cassert>
#include <cstring>
#include <memory>
#include <string_view>
#include <unordered_map>

#include "kernels/convolution/batch_norm_prologue.h"
#include "kernels/convolution/cpu_algorithms.h"
#include "kernels/device/onednn.h"

namespace preceptor::kernels {
namespace {

enum class Direction : int { forward, data_gradient, weight_gradient };

// Everything a plan depends on, compared as bytes: no member may leave padding between them.
struct PlanKey {
  Direction direction;
  int threads;
  FeatureMap<const float> in, out;  // without data
  ConvolutionGeometry geometry;
  int bias = 0, residual = 0, relu = 0, direct = 0;

  bool operator==(const PlanKey& other) const { return std::memcmp(this, &other, sizeof *this) == 0; }
};
static_assert(std::has_unique_object_representations_v<PlanKey>);

struct PlanHash {
  std::size_t operator()(const PlanKey& key) const {
    return std::hash<std::string_view>()({reinterpret_cast<const char*>(&key), sizeof key});
  }
};

// A oneDNN primitive with its memory objects, and the weight reorder it may need. Scratchpad first in the workspace,
// then the reordered weights.
struct Plan {
  dnnl::primitive primitive;
  std::unordered_map<int, dnnl::memory> memory;
  std::optional<dnnl::reorder> reorder;  // between our weight order and the primitive's
  dnnl::memory ours, theirs;
  std::size_t scratch_bytes = 0, weight_bytes = 0;

  std::size_t workspace_bytes() const { return scratch_bytes + weight_bytes; }
};

constexpr std::size_t aligned(std::size_t bytes) { return (bytes + 63) / 64 * 64; }

FeatureMap<const float> without_data(FeatureMap<const float> map) {
  map.data = nullptr;
  return map;
}

PlanKey make_key(Direction direction, const FeatureMap<const float>& in, const FeatureMap<const float>& out,
                 const ConvolutionGeometry& g) {
  return {direction, omp_get_max_threads(), without_data(in), without_data(out), g};
}

WeightOrder order_of(const PlanKey& key) {
  const Device device{DeviceKind::cpu, key.threads};
  const ConvolutionGeometry& g = key.geometry;
  return device_weight_order(device, key.out.channels, key.in.channels, g.kernel_height, g.kernel_width);
}

// Winograd F(4x4, 3x3) does a quarter of the multiplications; measured 1.3 to 2.2 times faster than the direct
// algorithm in all three directions on maps of 4x4 and more, slower below (most of each tile is padding there).
// If oneDNN has none (AVX2, and every version from 3.0), the direct algorithm is used.
bool winograd_pays(const PlanKey& key) {
  const ConvolutionGeometry& g = key.geometry;
  const auto fits = [](const FeatureMap<const float>& map) {
    return map.block == 16 && map.channel_stride == map.channels && map.channels >= 32;
  };
  return !key.direct && g.kernel_height == 3 && g.kernel_width == 3 && g.stride == 1 && g.padding == 1 &&
         fits(key.in) && fits(key.out) && key.out.height >= 4 && key.out.width >= 4;
}

onednn::ConvolutionDescription describe(const PlanKey& key) {
  onednn::ConvolutionDescription d;
  d.source = onednn::describe(key.in);
  d.destination = onednn::describe(key.out);
  if (key.bias)
    d.bias = dnnl::memory::desc({key.out.channels}, dnnl::memory::data_type::f32, dnnl::memory::format_tag::x);
  d.geometry = key.geometry;
  d.add_to_destination = key.residual != 0;
  d.relu = key.relu != 0;
  return d;
}

dnnl::memory::desc any_weights(const PlanKey& key) {
  return {{key.out.channels, key.in.channels, key.geometry.kernel_height, key.geometry.kernel_width},
          dnnl::memory::data_type::f32,
          dnnl::memory::format_tag::any};
}

// A descriptor for the direct or Winograd algorithm with our weight order, or with oneDNN's choice and a reorder.
template <class Make>
auto choose(const PlanKey& key, const Make& make) {
  onednn::ConvolutionDescription d = describe(key);
  const dnnl::memory::desc ours = onednn::describe(order_of(key));
  // The data gradient multiplies by transposed blocks, so its weights are oneDNN's choice and reordered each time:
  // 2 bytes moved per byte of weights, under 3 % of a step.
  d.weights = key.direction == Direction::data_gradient ? any_weights(key) : ours;
  d.winograd = winograd_pays(key);
  auto found = make(d);
  if (!found && d.winograd) {
    d.winograd = false;
    found = make(d);
  }
  if (!found) {
    d.weights = any_weights(key);
    found = make(d);
  }
  if (!found) throw Error(ErrorKind::internal, "convolution: oneDNN has no implementation for this shape");
  return *found;
}

// The primitive of a descriptor, and the weights as it wants them.
template <class Primitive, class Descriptor>
void add_primitive(Plan& plan, const PlanKey& key, const Descriptor& descriptor, int weights,
                   const dnnl::memory::desc& wanted) {
  plan.primitive = Primitive(descriptor);
  const dnnl::memory::desc ours = onednn::describe(order_of(key)), scratch = descriptor.scratchpad_desc();
  plan.memory[DNNL_ARG_SCRATCHPAD] = onednn::memory(scratch);
  plan.scratch_bytes = aligned(scratch.get_size());
  onednn::count_primitive();
  plan.ours = onednn::memory(ours);
  plan.theirs = onednn::memory(wanted);
  plan.memory[weights] = wanted == ours ? plan.ours : plan.theirs;
  if (wanted == ours) return;
  plan.weight_bytes = aligned(wanted.get_size());
  if (key.direction == Direction::weight_gradient)
    plan.reorder = dnnl::reorder(plan.theirs, plan.ours);
  else
    plan.reorder = dnnl::reorder(plan.ours, plan.theirs);
  onednn::count_primitive();
}

Plan make_plan(const PlanKey& key) {
  Plan plan;
  const onednn::ConvolutionDescription d = describe(key);
  const auto add_maps = [&](int source, int destination, int bias) {
    plan.memory[source] = onednn::memory(d.source);
    plan.memory[destination] = onednn::memory(d.destination);
    if (key.bias) plan.memory[bias] = onednn::memory(d.bias);
  };
  switch (key.direction) {
    case Direction::forward: {
      const auto descriptor = choose(key, onednn::forward);
      add_primitive<onednn::Forward>(plan, key, descriptor, DNNL_ARG_WEIGHTS, descriptor.weights_desc());
      add_maps(DNNL_ARG_SRC, DNNL_ARG_DST, DNNL_ARG_BIAS);
      break;
    }
    case Direction::data_gradient: {
      const auto descriptor = choose(key, onednn::data_gradient);
      add_primitive<onednn::DataGradient>(plan, key, descriptor, DNNL_ARG_WEIGHTS, descriptor.weights_desc());
      add_maps(DNNL_ARG_DIFF_SRC, DNNL_ARG_DIFF_DST, DNNL_ARG_DIFF_BIAS);
      break;
    }
    case Direction::weight_gradient: {
      const auto descriptor = choose(key, onednn::weight_gradient);
      add_primitive<onednn::WeightGradient>(plan, key, descriptor, DNNL_ARG_DIFF_WEIGHTS,
                                            descriptor.diff_weights_desc());
      add_maps(DNNL_ARG_SRC, DNNL_ARG_DIFF_DST, DNNL_ARG_DIFF_BIAS);
      break;
    }
  }
  return plan;
}

// Plans live as long as the process: there are as many as distinct layers, a few hundred at most.
Plan& plan_for(const PlanKey& key) {
  static std::unordered_map<PlanKey, std::unique_ptr<Plan>, PlanHash> plans;
  std::unique_ptr<Plan>& plan = plans[key];
  if (!plan) plan = std::make_unique<Plan>(make_plan(key));
  return *plan;
}

void set(Plan& plan, int argument, const void* data) {
  plan.memory.at(argument).set_data_handle(const_cast<void*>(data));
}

void execute(Plan& plan, void* workspace) {
  set(plan, DNNL_ARG_SCRATCHPAD, workspace);
  plan.primitive.execute(onednn::stream(), plan.memory);
  onednn::stream().wait();
}

// Points the plan at our weights, through the reorder if there is one.
void read_weights(Plan& plan, const float* weight, void* workspace) {
  plan.ours.set_data_handle(const_cast<float*>(weight));
  if (!plan.reorder) return;
  plan.theirs.set_data_handle(static_cast<std::byte*>(workspace) + plan.scratch_bytes);
  plan.reorder->execute(onednn::stream(), plan.ours, plan.theirs);
}

PlanKey key_of(const ConvolutionForward<float>& a) {
  PlanKey key = make_key(Direction::forward, a.x, a.y, a.geometry);
  key.bias = a.bias != nullptr;
  key.residual = a.residual.data != nullptr;
  key.relu = a.relu;
  key.direct = a.direct;
  return key;
}
PlanKey key_of(const ConvolutionDataGradient<float>& a) {
  PlanKey key = make_key(Direction::data_gradient, a.d_x, a.d_y, a.geometry);
  key.direct = a.direct;
  return key;
}
PlanKey key_of(const ConvolutionWeightGradient<float>& a) {
  PlanKey key = make_key(Direction::weight_gradient, a.x, a.d_y, a.geometry);
  key.bias = a.d_bias != nullptr;
  key.direct = a.direct;
  return key;
}

// The direct weight gradient adds up images of at least this many pixels together. A float sum over all
// of a batch would round like a walk of that many steps.
constexpr int pixels_at_once = 512;

// The weight gradient of some of the images.
ConvolutionWeightGradient<float> of_images(ConvolutionWeightGradient<float> a, int first, int count) {
  a.x.data = a.x.block_data(first, 0);
  a.d_y.data = a.d_y.block_data(first, 0);
  a.x.images = a.d_y.images = count;
  return a;
}
int images_at_once(const ConvolutionWeightGradient<float>& a) {
  return std::min(a.x.images, (pixels_at_once + a.d_y.plane() - 1) / a.d_y.plane());
}

std::size_t bytes_of_weights(const ConvolutionWeightGradient<float>& a) {
  return sizeof(float) * a.d_y.channels * a.x.channels * a.geometry.kernel_height * a.geometry.kernel_width;
}

std::size_t bytes_at_once(const ConvolutionWeightGradient<float>& a) {
  return small_map_weight_gradient_pays(a) ? 0 : plan_for(key_of(a)).workspace_bytes();
}
void gradient_at_once(const ConvolutionWeightGradient<float>& a) {
  if (small_map_weight_gradient_pays(a)) return small_map_weight_gradient(a);
  Plan& plan = plan_for(key_of(a));
  plan.ours.set_data_handle(a.d_weight);
  if (plan.reorder) plan.theirs.set_data_handle(static_cast<std::byte*>(a.workspace) + plan.scratch_bytes);
  set(plan, DNNL_ARG_SRC, a.x.data);
  set(plan, DNNL_ARG_DIFF_DST, a.d_y.data);
  if (a.d_bias) set(plan, DNNL_ARG_DIFF_BIAS, a.d_bias);
  execute(plan, a.workspace);
  if (plan.reorder) plan.reorder->execute(onednn::stream(), plan.theirs, plan.ours);
}

// Workspace: gradients of weights and bias by a group of images, then what computes them.
std::size_t bytes_in_groups(const ConvolutionWeightGradient<float>& a) {
  const int together = images_at_once(a), rest = a.x.images % together;
  std::size_t bytes = bytes_at_once(of_images(a, 0, together));
  if (rest > 0) bytes = std::max(bytes, bytes_at_once(of_images(a, 0, rest)));
  return aligned(bytes_of_weights(a)) + aligned(sizeof(float) * a.d_y.channels) + bytes;
}
void gradient_in_groups(const ConvolutionWeightGradient<float>& a) {
  const int together = images_at_once(a);
  const std::size_t weights = bytes_of_weights(a);
  auto* workspace = static_cast<std::byte*>(a.workspace);
  auto* d_weight = reinterpret_cast<float*>(workspace);
  auto* d_bias = reinterpret_cast<float*>(workspace + aligned(weights));
  workspace += aligned(weights) + aligned(sizeof(float) * a.d_y.channels);
  for (int first = 0; first < a.x.images; first += together) {
    ConvolutionWeightGradient<float> group = of_images(a, first, std::min(together, a.x.images - first));
    group.workspace = workspace;
    if (first > 0) {
      group.d_weight = d_weight;
      group.d_bias = a.d_bias ? d_bias : nullptr;
    }
    gradient_at_once(group);
    if (first == 0) continue;
#pragma omp parallel for simd schedule(static)
    for (std::size_t i = 0; i < weights / sizeof(float); ++i) a.d_weight[i] += d_weight[i];
    for (int i = 0; a.d_bias && i < a.d_y.channels; ++i) a.d_bias[i] += d_bias[i];
  }
}

}  // namespace

WeightOrder device_weight_order(const Device& device, int out_channels, int in_channels, int height, int width) {
  if (device.kind != DeviceKind::cpu) return {out_channels, in_channels, height, width, 1, in_channels};
  const int out_block = device.channel_block(out_channels);
  int in_block = device.channel_block(in_channels);
  if (out_block == 1)
    in_block = 1;
  else if (in_block != out_block)
    in_block = in_channels;
  return {out_channels, in_channels, height, width, out_block, in_block};
}

std::size_t cpu_workspace_bytes(const ConvolutionForward<float>& a) {
  if (has_few_outputs(a)) return 0;
  return plan_for(key_of(without_prologue(a))).workspace_bytes() + prologue_bytes(a.x, a.input);
}
std::size_t cpu_workspace_bytes(const ConvolutionDataGradient<float>& a) {
  return has_few_outputs(a) || small_map_data_gradient_pays(a) ? 0 : plan_for(key_of(a)).workspace_bytes();
}
std::size_t cpu_workspace_bytes(const ConvolutionWeightGradient<float>& a) {
  if (has_few_outputs(a)) return 0;
  const ConvolutionWeightGradient<float> product = without_prologue(a);
  return (a.direct ? bytes_in_groups(product) : bytes_at_once(product)) + prologue_bytes(a.x, a.input);
}

// oneDNN adds to what y holds, so a residual elsewhere is copied there first; callers let y take over the residual's
// memory where they can.
void run_on(Cpu, const ConvolutionForward<float>& a) {
  assert(!a.statistics);
  if (a.input.scale) {
    run_on(Cpu{}, prologue(a));
    return run_on(Cpu{}, without_prologue(a));
  }
  if (has_few_outputs(a)) return few_outputs(a);
  Plan& plan = plan_for(key_of(a));
  if (a.residual.data && a.residual.data != a.y.data) {
#pragma omp parallel for schedule(static)
    for (int image = 0; image < a.y.images; ++image)
      std::memcpy(a.y.block_data(image, 0), a.residual.block_data(image, 0),
                  sizeof(float) * static_cast<std::size_t>(a.y.channels) * a.y.plane());
  }
  read_weights(plan, a.weight, a.workspace);
  set(plan, DNNL_ARG_SRC, a.x.data);
  set(plan, DNNL_ARG_DST, a.y.data);
  if (a.bias) set(plan, DNNL_ARG_BIAS, a.bias);
  execute(plan, a.workspace);
}

void run_on(Cpu, const ConvolutionDataGradient<float>& a) {
  if (has_few_outputs(a)) return few_outputs(a);
  if (small_map_data_gradient_pays(a)) return small_map_data_gradient(a);
  Plan& plan = plan_for(key_of(a));
  read_weights(plan, a.weight, a.workspace);
  set(plan, DNNL_ARG_DIFF_DST, a.d_y.data);
  set(plan, DNNL_ARG_DIFF_SRC, a.d_x.data);
  execute(plan, a.workspace);
}

void run_on(Cpu, const ConvolutionWeightGradient<float>& a) {
  if (a.input.scale) {
    run_on(Cpu{}, prologue(a));
    return run_on(Cpu{}, without_prologue(a));
  }
  if (has_few_outputs(a)) return few_outputs(a);
  return a.direct ? gradient_in_groups(a) : gradient_at_once(a);
}

void run_on(Cpu, const ReorderWeights& a) {
  const WeightOrder& order = a.from_order;
#pragma omp parallel for schedule(static)
  for (int out = 0; out < order.out_channels; ++out)
    for (int in = 0; in < order.in_channels; ++in)
      for (int y = 0; y < order.height; ++y)
        for (int x = 0; x < order.width; ++x)
          a.to[a.to_order.offset(out, in, y, x)] = a.from[order.offset(out, in, y, x)];
}

}  // namespace preceptor::kernels
