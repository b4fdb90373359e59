// What surrounds a convolution on the cpu and is no part of oneDNN's: its input by channel, and the moments of its
// output.
#pragma once

#include "kernels/convolution/convolution.h"

namespace preceptor::kernels {

// Bytes of x behind its ChannelAffine, a multiple of 64; 0 where there is none.
std::size_t bytes_of_transformed(const FeatureMap<const float>& x, const ChannelAffine& input);

// Writes x behind its ChannelAffine to `to`, in the same blocks, without the channels beside it.
void transform(const FeatureMap<const float>& x, const ChannelAffine& input, float* to);

// Mean, and sum of squared deviations from it, of every channel.
void find_moments(const FeatureMap<const float>& y, float* mean, float* squared_deviations);

}  // namespace preceptor::kernels
