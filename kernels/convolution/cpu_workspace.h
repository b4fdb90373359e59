// Workspace of the cpu's convolutions, which their plans and algorithms decide.
#pragma once

#include "kernels/convolution/convolution.h"

namespace preceptor::kernels {

std::size_t cpu_workspace_bytes(const ConvolutionForward<float>& arguments);
std::size_t cpu_workspace_bytes(const ConvolutionDataGradient<float>& arguments);
std::size_t cpu_workspace_bytes(const ConvolutionWeightGradient<float>& arguments);

}  // namespace preceptor::kernels
