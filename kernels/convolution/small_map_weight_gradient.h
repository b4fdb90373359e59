// Weight gradient of a convolution on maps of a few pixels, where the direct algorithms of oneDNN starve.
#pragma once

#include "kernels/convolution/convolution.h"

namespace preceptor::kernels {

// True for blocked maps of at most 16 output pixels without a bias.
bool small_map_weight_gradient_pays(const ConvolutionWeightGradient<float>& arguments);

// d_weight by outer products of channel blocks; arguments as accepted by small_map_weight_gradient_pays().
void small_map_weight_gradient(const ConvolutionWeightGradient<float>& arguments);

}  // namespace preceptor::kernels
