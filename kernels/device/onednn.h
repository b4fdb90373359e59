// The calls to oneDNN, and the only place that knows its two API generations (2.x on Debian 12, 3.x on Ubuntu 24.04).
#pragma once

#include <cstdint>
#include <dnnl.hpp>
#include <optional>

#include "kernels/convolution/convolution.h"
#include "kernels/device/feature_map.h"

namespace preceptor::kernels::onednn {

dnnl::engine& engine();
dnnl::stream& stream();

// Primitives created so far in this process. It stands still once every shape has been met.
std::int64_t primitives_created();
void count_primitive();

// Memory that oneDNN is told to use; the pointer is set before each execution.
dnnl::memory memory(const dnnl::memory::desc& desc);

// Layout of a feature map: nChw16c, nChw8c or nchw by its block, with the images as far apart
// as its channel_stride says.
dnnl::memory::desc describe(const FeatureMap<const float>& map);

// Layout of weights in an order that device_weight_order() gives; oneDNN has a name for each of them.
dnnl::memory::desc describe(const WeightOrder& order);

struct ConvolutionDescription {
  dnnl::memory::desc source, weights, destination;
  dnnl::memory::desc bias;  // empty: none
  ConvolutionGeometry geometry;
  bool winograd = false;
  bool add_to_destination = false;  // forward only: the result is added to what y holds
  bool relu = false;                // forward only
};

using Forward = dnnl::convolution_forward;
using DataGradient = dnnl::convolution_backward_data;
using WeightGradient = dnnl::convolution_backward_weights;

// Empty when oneDNN has no implementation. Scratchpads are the caller's.
std::optional<Forward::primitive_desc> forward(const ConvolutionDescription& description);
std::optional<DataGradient::primitive_desc> data_gradient(const ConvolutionDescription& description);
std::optional<WeightGradient::primitive_desc> weight_gradient(const ConvolutionDescription& description);

}  // namespace preceptor::kernels::onednn
