// Convolutions of 1x1 to a few channels, such as the two attention maps of a fusion, for which oneDNN has no fast code.
#pragma once

#include "kernels/convolution/convolution.h"

namespace preceptor::kernels {

// True for 1x1 convolutions of stride 1 from blocked maps to at most 8 channels that form no block, without residual,
// ReLU or input affine.
bool has_few_outputs(const ConvolutionForward<float>& arguments);
bool has_few_outputs(const ConvolutionDataGradient<float>& arguments);
bool has_few_outputs(const ConvolutionWeightGradient<float>& arguments);

// Arguments as accepted by has_few_outputs(); statistics of y are the caller's. No workspace.
void few_outputs(const ConvolutionForward<float>& arguments);
void few_outputs(const ConvolutionDataGradient<float>& arguments);
void few_outputs(const ConvolutionWeightGradient<float>& arguments);

}  // namespace preceptor::kernels
