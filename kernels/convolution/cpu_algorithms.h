// The cpu's own algorithms beside oneDNN's, each for shapes where those are slow, and the workspace of all.
#pragma once

#include "kernels/convolution/convolution.h"

namespace preceptor::kernels {

// As plans and algorithms decide.
std::size_t cpu_workspace_bytes(const ConvolutionForward<float>& arguments);
std::size_t cpu_workspace_bytes(const ConvolutionDataGradient<float>& arguments);
std::size_t cpu_workspace_bytes(const ConvolutionWeightGradient<float>& arguments);

// True for 1x1 convolutions of stride 1 from blocked maps to at most 8 channels that form no block, without residual,
// ReLU or input affine: such as the two attention maps of a fusion.
bool has_few_outputs(const ConvolutionForward<float>& arguments);
bool has_few_outputs(const ConvolutionDataGradient<float>& arguments);
bool has_few_outputs(const ConvolutionWeightGradient<float>& arguments);

// Arguments as accepted by has_few_outputs(); statistics of y are the caller's. No workspace.
void few_outputs(const ConvolutionForward<float>& arguments);
void few_outputs(const ConvolutionDataGradient<float>& arguments);
void few_outputs(const ConvolutionWeightGradient<float>& arguments);

// True for blocked maps of at most 4 output pixels: there oneDNN spends most of its time transposing weight blocks, of
// which on 1x1 maps a 3x3 kernel uses one tap in nine.
bool small_map_data_gradient_pays(const ConvolutionDataGradient<float>& arguments);

// From the weights in the order the optimizer keeps them; arguments as accepted by small_map_data_gradient_pays().
void small_map_data_gradient(const ConvolutionDataGradient<float>& arguments);

// True for blocked maps of at most 16 output pixels without a bias, where the direct algorithms of oneDNN starve.
bool small_map_weight_gradient_pays(const ConvolutionWeightGradient<float>& arguments);

// d_weight by outer products of channel blocks; arguments as accepted by small_map_weight_gradient_pays().
void small_map_weight_gradient(const ConvolutionWeightGradient<float>& arguments);

}  // namespace preceptor::kernels
