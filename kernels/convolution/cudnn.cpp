// Convolutions by cuDNN 9: graphs over channels-last maps as they lie in memory, and the choice among its engines and
// our own kernel.
#include <cuda_runtime.h>
#include <cudnn_frontend.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <sstream>
#include <unordered_map>

#include "kernels/convolution/batch_norm_prologue.h"
#include "kernels/convolution/fastest.h"
#include "kernels/device/card.h"
#include "kernels/device/cuda/fastest.h"
#include "kernels/device/cuda/status.h"
#include "kernels/device/memory.h"
#include "kernels/device/tuning.h"

namespace preceptor::kernels {
namespace {

namespace fe = cudnn_frontend;
using Attributes = fe::graph::Tensor_attributes;
using Node = std::shared_ptr<Attributes>;
using Pointers = std::unordered_map<std::int64_t, void*>;

constexpr std::int64_t most_workspace = std::int64_t{1} << 28;  // bytes that an engine may want
constexpr int most_engines = 8;                                 // that are measured, in the order of cuDNN's own guess

enum Uid : std::int64_t { input = 1, weights, output, bias, residual };

template <class T>
constexpr fe::DataType_t data_type = std::is_same_v<T, float> ? fe::DataType_t::FLOAT : fe::DataType_t::BFLOAT16;

cudnnHandle_t handle_on(void* stream) {
  static cudnnHandle_t handle = [] {
    cudnnHandle_t made = nullptr;
    const cudnnStatus_t status = cudnnCreate(&made);
    if (status != CUDNN_STATUS_SUCCESS)
      throw Error(ErrorKind::internal, std::string("cudnn: ") + cudnnGetErrorString(status) + " in cudnnCreate");
    return made;
  }();
  if (cudnnSetStream(handle, static_cast<cudaStream_t>(stream)) != CUDNN_STATUS_SUCCESS)
    throw Error(ErrorKind::internal, "cudnn: cudnnSetStream failed");
  return handle;
}

// A map's sizes and strides, in the order that cuDNN names them: images, channels, rows, columns.
template <class T>
Attributes& describe(Attributes& tensor, const FeatureMap<T>& map, std::int64_t uid) {
  const std::int64_t channel_stride = map.channel_stride, row = channel_stride * map.width;
  return tensor.set_uid(uid)
      .set_data_type(data_type<std::remove_const_t<T>>)
      .set_dim({map.images, map.channels, map.height, map.width})
      .set_stride({row * map.height, 1, row, channel_stride});
}
template <class T>
Attributes described(const FeatureMap<T>& map, std::int64_t uid) {
  Attributes tensor;
  return describe(tensor, map, uid);
}

// Weights [out][height][width][in].
Attributes described_weights(int out, int in, const ConvolutionGeometry& g, fe::DataType_t type) {
  const std::int64_t row = std::int64_t{in} * g.kernel_width;
  return Attributes()
      .set_uid(weights)
      .set_data_type(type)
      .set_dim({out, in, g.kernel_height, g.kernel_width})
      .set_stride({row * g.kernel_height, 1, row, in});
}

template <class Operation>
Operation with_geometry(const ConvolutionGeometry& g) {
  Operation operation;
  operation.set_padding({g.padding, g.padding}).set_stride({g.stride, g.stride}).set_dilation({1, 1});
  return operation;
}

fe::graph::Pointwise_attributes pointwise(fe::PointwiseMode_t mode) {
  return fe::graph::Pointwise_attributes().set_mode(mode).set_compute_data_type(fe::DataType_t::FLOAT);
}

// True if cuDNN is asked at all.
template <class Arguments>
bool has_graph(const Arguments& a) {
  if constexpr (requires { a.d_bias; }) return a.d_bias == nullptr;
  return true;
}

// The part that an engine computes; launches before and after it are ours.
template <class Arguments>
Arguments engine_part(const Arguments& a) {
  if constexpr (requires { a.input; })
    return without_prologue(a);
  else
    return a;
}
template <class T>
FindStatistics<T> statistics_after(const ConvolutionForward<T>& a) {
  return {a.y, a.statistics, engine_part(a).workspace};
}
// Bytes of the workspace for that: what lies before the engine's own, and what is wanted once that has run.
template <class Arguments>
std::size_t bytes_before(const Arguments& a) {
  if constexpr (requires { a.input; }) return prologue_bytes(a.x, a.input);
  return 0;
}
template <class Arguments>
std::size_t bytes_behind(const Arguments& a) {
  if constexpr (requires { a.statistics; })
    if (a.statistics) return workspace_bytes(statistics_after(a), {DeviceKind::cuda});
  return 0;
}

template <class T>
void fill(fe::graph::Graph& graph, const ConvolutionForward<T>& a) {
  Node y = graph.conv_fprop(graph.tensor(described(a.x, input)),
                            graph.tensor(described_weights(a.y.channels, a.x.channels, a.geometry, data_type<T>)),
                            with_geometry<fe::graph::Conv_fprop_attributes>(a.geometry));
  if (a.bias) {
    Attributes by_channel;
    by_channel.set_uid(bias).set_data_type(fe::DataType_t::FLOAT).set_dim({1, a.y.channels, 1, 1});
    by_channel.set_stride({a.y.channels, 1, a.y.channels, a.y.channels});
    y = graph.pointwise(y, graph.tensor(by_channel), pointwise(fe::PointwiseMode_t::ADD));
  }
  if (a.residual.data)
    y = graph.pointwise(y, graph.tensor(described(a.residual, residual)), pointwise(fe::PointwiseMode_t::ADD));
  if (a.relu) y = graph.pointwise(y, pointwise(fe::PointwiseMode_t::RELU_FWD));
  describe(*y, a.y, output).set_output(true);
}
template <class T>
void fill(fe::graph::Graph& graph, const ConvolutionDataGradient<T>& a) {
  const Node d_x =
      graph.conv_dgrad(graph.tensor(described(a.d_y, input)),
                       graph.tensor(described_weights(a.d_y.channels, a.d_x.channels, a.geometry, data_type<T>)),
                       with_geometry<fe::graph::Conv_dgrad_attributes>(a.geometry));
  describe(*d_x, a.d_x, output).set_output(true);
}
template <class T>
void fill(fe::graph::Graph& graph, const ConvolutionWeightGradient<T>& a) {
  const Node d_weight = graph.conv_wgrad(graph.tensor(described(a.d_y, output)), graph.tensor(described(a.x, input)),
                                         with_geometry<fe::graph::Conv_wgrad_attributes>(a.geometry));
  *d_weight = described_weights(a.d_y.channels, a.x.channels, a.geometry, fe::DataType_t::FLOAT);
  d_weight->set_output(true);
}

void* writable(const void* pointer) { return const_cast<void*>(pointer); }

template <class T>
Pointers pointers_of(const ConvolutionForward<T>& a) {
  Pointers pointers = {{input, writable(a.x.data)}, {weights, writable(a.weight)}, {output, a.y.data}};
  if (a.bias) pointers[bias] = writable(a.bias);
  if (a.residual.data) pointers[residual] = writable(a.residual.data);
  return pointers;
}
template <class T>
Pointers pointers_of(const ConvolutionDataGradient<T>& a) {
  return {{input, writable(a.d_y.data)}, {weights, writable(a.weight)}, {output, a.d_x.data}};
}
template <class T>
Pointers pointers_of(const ConvolutionWeightGradient<T>& a) {
  return {{input, writable(a.x.data)}, {output, writable(a.d_y.data)}, {weights, a.d_weight}};
}

// Describes the computation in one line: the name under which a choice is kept.
template <class T>
std::string text_of(const FeatureMap<T>& map) {
  std::ostringstream text;
  text << map.images << 'x' << map.channels << 'x' << map.height << 'x' << map.width << " of " << map.channel_stride;
  return text.str();
}
std::string text_of(const ConvolutionGeometry& g) {
  std::ostringstream text;
  text << g.kernel_height << 'x' << g.kernel_width << " stride " << g.stride << " padding " << g.padding;
  return text.str();
}
std::string text_of(const ChannelAffine& input) {
  return input.scale ? input.relu ? ", after a batch norm and relu" : ", after a batch norm" : "";
}
template <class T>
std::string text_of(const ConvolutionForward<T>& a) {
  return text_of(a.x) + " to " + text_of(a.y) + ", " + text_of(a.geometry) + (a.bias ? ", bias" : "") +
         (a.residual.data ? ", residual of " + std::to_string(a.residual.channel_stride) : "") +
         (a.relu ? ", relu" : "") + text_of(a.input) + (a.statistics ? ", moments" : "");
}
template <class T>
std::string text_of(const ConvolutionDataGradient<T>& a) {
  return text_of(a.d_y) + " to " + text_of(a.d_x) + ", " + text_of(a.geometry);
}
template <class T>
std::string text_of(const ConvolutionWeightGradient<T>& a) {
  return text_of(a.x) + " and " + text_of(a.d_y) + ", " + text_of(a.geometry) + (a.d_bias ? ", bias" : "") +
         text_of(a.input);
}
template <template <class> class Family, class T>
std::string line_of(const Family<T>& a) {
  static const std::string first = card_name({DeviceKind::cuda}) + ", cuDNN " + std::to_string(cudnnGetVersion());
  const char* const operands = data_type<T> != fe::DataType_t::FLOAT ? " bfloat16 " : a.tf32 ? " tf32 " : " float ";
  return first + ", " + Family<T>::name + operands + (a.direct ? "direct " : "") + text_of(a);
}

// A graph, and its engines that can be run.
struct Plans {
  fe::graph::Graph graph;
  std::vector<std::string> candidates = {"own"};
  std::vector<std::int64_t> engines = {-1};  // their places in the graph's list
  std::vector<std::size_t> workspaces = {0};
};

// Sums in float. The same numbers every time: engines that add up in any order are left out, and for floats those that
// drop bits of them, but for tensor cores where tf32 is asked for: what they are given of floats are tf32. No Winograd
// where sums are to be direct.
template <class Arguments>
std::unique_ptr<Plans> make_plans(const Arguments& a, bool is_float) {
  auto plans = std::make_unique<Plans>();
  if (!has_graph(a)) return plans;
  fe::graph::Graph& graph = plans->graph;
  graph.set_intermediate_data_type(fe::DataType_t::FLOAT).set_compute_data_type(fe::DataType_t::FLOAT);
  fill(graph, engine_part(a));
  std::vector<fe::NumericalNote_t> unwanted = {fe::NumericalNote_t::NONDETERMINISTIC};
  if (is_float) unwanted.push_back(fe::NumericalNote_t::DOWN_CONVERT_INPUTS);
  if (is_float && !a.tf32) unwanted.push_back(fe::NumericalNote_t::TENSOR_CORE);
  if (a.direct) unwanted.push_back(fe::NumericalNote_t::WINOGRAD);
  const cudnnHandle_t handle = handle_on(nullptr);
  if (graph.validate().is_bad() || graph.build_operation_graph(handle).is_bad() ||
      graph.create_execution_plans({fe::HeurMode_t::A, fe::HeurMode_t::FALLBACK}).is_bad())
    return plans;
  graph.deselect_numeric_notes(unwanted).deselect_workspace_greater_than(most_workspace);
  if (graph.check_support().is_bad()) return plans;
  for (std::int64_t i = 0; i < graph.get_execution_plan_count() && plans->engines.size() <= most_engines; ++i) {
    std::string name;
    if (graph.build_plan_at_index(i).is_bad() || graph.get_plan_name_at_index(i, name).is_bad()) continue;
    plans->candidates.push_back(name);
    plans->engines.push_back(i);
    const auto wanted = static_cast<std::size_t>(graph.get_workspace_size_plan_at_index(i));
    plans->workspaces.push_back(bytes_before(a) + std::max(wanted, bytes_behind(a)));
  }
  return plans;
}

template <template <class> class Family, class T>
Plans& plans_of(const Family<T>& a) {
  static std::unordered_map<std::string, std::unique_ptr<Plans>> known;
  std::unique_ptr<Plans>& plans = known[line_of(a)];
  if (!plans) plans = make_plans(a, std::is_same_v<T, float>);
  return *plans;
}

template <class Arguments>
bool run_candidate(Cuda gpu, Plans& plans, int candidate, const Arguments& a, void (*own)(Cuda, const Arguments&)) {
  if (candidate == 0) {
    own(gpu, a);
    return true;
  }
  if constexpr (requires { a.input; })
    if (a.input.scale) run_on(gpu, prologue(a));
  const Arguments plain = engine_part(a);
  Pointers pointers = pointers_of(plain);
  const std::int64_t engine = plans.engines[static_cast<std::size_t>(candidate)];
  if (plans.graph.execute_plan_at_index(handle_on(gpu.stream), pointers, plain.workspace, engine).is_bad())
    return false;
  if constexpr (requires { a.statistics; })
    if (a.statistics) run_on(gpu, statistics_after(a));
  return true;
}

// True if it may be run several times without changing what it reads: not a sum into its own residual.
template <class Arguments>
Arguments repeatable(const Arguments& a, std::shared_ptr<void>&) {
  return a;
}
template <class T>
ConvolutionForward<T> repeatable(ConvolutionForward<T> a, std::shared_ptr<void>& memory) {
  if (a.residual.data != a.y.data) return a;
  const std::size_t values = static_cast<std::size_t>(a.y.images) * a.y.plane() * a.y.channel_stride;
  const Device device{DeviceKind::cuda};
  memory = {allocate(device, values * sizeof(T)), [device](void* released) { release(device, released); }};
  a.y.data = static_cast<T*>(memory.get());
  return a;
}

}  // namespace

template <class Arguments>
void run_fastest(Cuda gpu, const Arguments& arguments, void (*own)(Cuda, const Arguments&)) {
  Plans& plans = plans_of(arguments);
  const std::string line = line_of(arguments);
  std::shared_ptr<void> memory;
  std::optional<Arguments> measured;
  const int choice = cuda::fastest(gpu, line, plans.candidates, [&](int candidate) {
    if (!measured) measured = repeatable(arguments, memory);
    return run_candidate(gpu, plans, candidate, *measured, own);
  });
  if (!run_candidate(gpu, plans, choice, arguments, own))
    throw Error(ErrorKind::internal, "cudnn: the engine chosen for " + line + " failed");
}

template <class Arguments>
std::size_t cudnn_workspace_bytes(const Arguments& arguments) {
  const Plans& plans = plans_of(arguments);
  if (const std::optional<int> choice = tuning().chosen(line_of(arguments), plans.candidates))
    return plans.workspaces[static_cast<std::size_t>(*choice)];
  return *std::max_element(plans.workspaces.begin(), plans.workspaces.end());
}

#define FOR_EVERY_CONVOLUTION(family)                                                                \
  template void run_fastest(Cuda, const family<float>&, void (*)(Cuda, const family<float>&));       \
  template void run_fastest(Cuda, const family<bfloat16>&, void (*)(Cuda, const family<bfloat16>&)); \
  template std::size_t cudnn_workspace_bytes(const family<float>&);                                  \
  template std::size_t cudnn_workspace_bytes(const family<bfloat16>&);
FOR_EVERY_CONVOLUTION(ConvolutionForward)
FOR_EVERY_CONVOLUTION(ConvolutionDataGradient)
FOR_EVERY_CONVOLUTION(ConvolutionWeightGradient)

}  // namespace preceptor::kernels
