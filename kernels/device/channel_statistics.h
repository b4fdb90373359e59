// What is known of the values of a map's channel, all that a batch norm needs of them.
#pragma once

namespace preceptor::kernels {

// Over all images and pixels. Doubles, because what rounding them to float would take does not average out in
// gradients: kernels/batch_norm/README.md.
struct ChannelStatistics {
  double mean, m2;  // the latter the sum of squared distances from the mean
};

}  // namespace preceptor::kernels
