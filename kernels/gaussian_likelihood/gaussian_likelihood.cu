// Gaussian likelihood on cuda and on the emulated device: a block takes 32 channels.
#include "kernels/gaussian_likelihood/gaussian_likelihood.h"

#include "kernels/device/gpu.h"
#include "kernels/gaussian_likelihood/channel.h"

namespace preceptor::kernels {
namespace {

constexpr int warps = 16, threads = warps * warp_size;  // of a block

// mapping: a block takes 32 neighboring channels, a lane each, its warps take turns with the positions of all images;
// bytes: prediction and target read, d_prediction written, once; operations: 5 per value; hazard: few channels are few
// blocks: a channel's sum would need another launch to be shared among more.
template <class T>
__global__ void __launch_bounds__(threads) likelihood_of_channels(GaussianLikelihood<T> a) {
  SHARED(double, squares, [warps][warp_size]);
  const int lane = static_cast<int>(threadIdx.x) % warp_size, warp = static_cast<int>(threadIdx.x) / warp_size;
  const int channels = a.prediction.channels, channel = static_cast<int>(blockIdx.x) * warp_size + lane;
  const int rows = a.prediction.images * a.prediction.height * a.prediction.width;
  const bool present = channel < channels;
  const ChannelLikelihood likelihood(a, present ? channel : 0);
  const double factor = likelihood.scale / likelihood.variance;
  double square = 0;
  if (present)
    for (int row = warp; row < rows; row += warps) {
      const std::int64_t at = static_cast<std::int64_t>(row) * channels + channel;
      const double x =
          static_cast<double>(to_float(a.prediction.data[at])) - static_cast<double>(to_float(a.target.data[at]));
      square += x * x;
      a.d_prediction.data[at] = from_float<T>(static_cast<float>(factor * x));
    }
  squares[warp][lane] = square;
  __syncthreads();
  if (warp != 0 || !present) return;
  square = 0;
  for (int w = 0; w < warps; ++w) square += squares[w][lane];
  a.loss[channel] = static_cast<float>(likelihood.loss(square, rows));
  a.d_raw[channel] = static_cast<float>(likelihood.d_raw(square, rows));
}

}  // namespace

template <class T>
void run_on(Gpu gpu, const GaussianLikelihood<T>& a) {
  launch(gpu, likelihood_of_channels<T>, steps(a.prediction.channels, warp_size), threads, 0, a);
}
template void run_on(Gpu, const GaussianLikelihood<float>&);
template void run_on(Gpu, const GaussianLikelihood<bfloat16>&);

}  // namespace preceptor::kernels
