// The statistics of a map's channel, all that a batch norm needs of its values.
#pragma once

namespace preceptor::kernels {

// Over all images and pixels. Double: the error of rounding the mean to float is systematic and does not average out in
// gradients: kernels/batch_norm/README.md.
struct ChannelStatistics {
  double mean, m2;  // the latter the sum of squared distances from the mean
};

}  // namespace preceptor::kernels
