// oneDNN descriptors for our layouts, and matrix products.
#include "kernels/device/onednn.h"

#include <dnnl.h>

#include "kernels/device/matrix.h"

namespace preceptor::kernels::onednn {
namespace {

using dnnl::memory;
std::int64_t created = 0;

dnnl::primitive_attr attributes(const ConvolutionDescription& description) {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  dnnl::post_ops post;
  if (description.add_to_destination) post.append_sum(1.0f);
#if DNNL_VERSION_MAJOR >= 3
  if (description.relu) post.append_eltwise(dnnl::algorithm::eltwise_relu, 0.0f, 0.0f);
#else
  if (description.relu) post.append_eltwise(1.0f, dnnl::algorithm::eltwise_relu, 0.0f, 0.0f);
#endif
  attributes.set_post_ops(post);
  return attributes;
}

struct Steps {
  memory::dims stride, padding;
  explicit Steps(const ConvolutionGeometry& g) : stride{g.stride, g.stride}, padding{g.padding, g.padding} {}
};

dnnl::algorithm algorithm(const ConvolutionDescription& d) {
  return d.winograd ? dnnl::algorithm::convolution_winograd : dnnl::algorithm::convolution_direct;
}

// oneDNN reports "no such implementation" by an exception; that is an answer here, everything else is an error.
template <class Make>
auto attempt(const Make& make) -> std::optional<decltype(make())> {
  try {
    return make();
  } catch (const dnnl::error& error) {
    if (error.status == dnnl_unimplemented || error.status == dnnl_invalid_arguments) return std::nullopt;
    throw Error(ErrorKind::internal, std::string("oneDNN: ") + error.what());
  }
}

// The gradients need a forward descriptor as a hint; it has neither bias nor post-operations.
Forward::primitive_desc make_forward(const ConvolutionDescription& d, const dnnl::primitive_attr& attributes) {
  const Steps s(d.geometry);
  const auto kind = dnnl::prop_kind::forward_training;
#if DNNL_VERSION_MAJOR >= 3
  return {engine(),      kind,     algorithm(d), d.source,  d.weights, d.bias,
          d.destination, s.stride, s.padding,    s.padding, attributes};
#else
  return {{kind, algorithm(d), d.source, d.weights, d.bias, d.destination, s.stride, s.padding, s.padding},
          attributes,
          engine()};
#endif
}

memory::dims sizes(const memory::desc& desc) {
#if DNNL_VERSION_MAJOR >= 3
  return desc.get_dims();
#else
  return desc.dims();
#endif
}

Forward::primitive_desc hint(const ConvolutionDescription& d) {
  ConvolutionDescription plain = d;
  plain.bias = {};
  plain.winograd = false;
  plain.weights = memory::desc(sizes(d.weights), memory::data_type::f32, memory::format_tag::any);
  return make_forward(plain, dnnl::primitive_attr());
}

}  // namespace

dnnl::engine& engine() {
  static dnnl::engine instance(dnnl::engine::kind::cpu, 0);
  return instance;
}

dnnl::stream& stream() {
  static dnnl::stream instance(engine());
  return instance;
}

std::int64_t primitives_created() { return created; }
void count_primitive() { ++created; }

dnnl::memory memory(const dnnl::memory::desc& desc) { return dnnl::memory(desc, engine(), DNNL_MEMORY_NONE); }

dnnl::memory::desc describe(const FeatureMap<const float>& map) {
  const auto tag = map.block == 16  ? memory::format_tag::nChw16c
                   : map.block == 8 ? memory::format_tag::nChw8c
                                    : memory::format_tag::nchw;
  const memory::dims dims{map.images, map.channels, map.height, map.width};
  if (map.channel_stride == map.channels) return {dims, memory::data_type::f32, tag};
  const memory::desc whole({map.images, map.channel_stride, map.height, map.width}, memory::data_type::f32, tag);
  return whole.submemory_desc(dims, {0, 0, 0, 0});
}

dnnl::memory::desc describe(const WeightOrder& order) {
  using tag = memory::format_tag;
  const int out = order.out_block;
  const bool square = order.in_block == out;
  const tag name = out == 1    ? tag::oihw
                   : out == 16 ? (square ? tag::OIhw16i16o : tag::Ohwi16o)
                               : (square ? tag::OIhw8i8o : tag::Ohwi8o);
  return {{order.out_channels, order.in_channels, order.height, order.width}, memory::data_type::f32, name};
}

std::optional<Forward::primitive_desc> forward(const ConvolutionDescription& d) {
  return attempt([&] { return make_forward(d, attributes(d)); });
}

std::optional<DataGradient::primitive_desc> data_gradient(const ConvolutionDescription& d) {
  const Steps s(d.geometry);
  return attempt([&]() -> DataGradient::primitive_desc {
#if DNNL_VERSION_MAJOR >= 3
    return {engine(), algorithm(d), d.source,  d.weights, d.destination,
            s.stride, s.padding,    s.padding, hint(d),   attributes(d)};
#else
    return {{algorithm(d), d.source, d.weights, d.destination, s.stride, s.padding, s.padding},
            attributes(d),
            engine(),
            hint(d)};
#endif
  });
}

std::optional<WeightGradient::primitive_desc> weight_gradient(const ConvolutionDescription& d) {
  const Steps s(d.geometry);
  return attempt([&]() -> WeightGradient::primitive_desc {
#if DNNL_VERSION_MAJOR >= 3
    return {engine(), algorithm(d), d.source,  d.weights, d.bias,       d.destination,
            s.stride, s.padding,    s.padding, hint(d),   attributes(d)};
#else
    return {{algorithm(d), d.source, d.weights, d.bias, d.destination, s.stride, s.padding, s.padding},
            attributes(d),
            engine(),
            hint(d)};
#endif
  });
}

}  // namespace preceptor::kernels::onednn

namespace preceptor::kernels {

void multiply_on_cpu(bool transpose_a, bool transpose_b, int rows, int columns, int inner, const float* a,
                     const float* b, float beta, float* c) {
  const auto status = dnnl_sgemm(transpose_a ? 'T' : 'N', transpose_b ? 'T' : 'N', rows, columns, inner, 1.0f, a,
                                 transpose_a ? rows : inner, b, transpose_b ? inner : columns, beta, c, columns);
  if (status != dnnl_success) throw Error(ErrorKind::internal, "oneDNN: matrix product failed");
}

}  // namespace preceptor::kernels
