// Data gradient of a convolution on maps of a few pixels, from the weights in the order the optimizer keeps them.
#pragma once

#include "kernels/convolution/convolution.h"

namespace preceptor::kernels {

// True for blocked maps of at most 4 output pixels: there oneDNN spends most of its time transposing weight blocks, of
// which on 1x1 maps a 3x3 kernel uses one tap in nine.
bool small_map_data_gradient_pays(const ConvolutionDataGradient<float>& arguments);

// Arguments as accepted by small_map_data_gradient_pays().
void small_map_data_gradient(const ConvolutionDataGradient<float>& arguments);

}  // namespace preceptor::kernels
