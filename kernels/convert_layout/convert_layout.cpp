// Copies of maps on the cpu: by whole blocks of channels where both maps have the same, else channel by channel.
#include "kernels/convert_layout/convert_layout.h"

#include <algorithm>

#include "kernels/device/cpu_loops.h"

namespace preceptor::kernels {
namespace {

// One channel of an image: its values are a block apart in either map.
void copy_channel(const ConvertLayout<float, float>& a, int image, int channel) {
  const float* from = a.from.data + a.from.offset(image, channel, 0, 0);
  float* to = a.to.data + a.to.offset(image, channel, 0, 0);
  const std::ptrdiff_t from_step = a.from.block, to_step = a.to.block;
  for (int pixel = 0; pixel < a.to.plane(); ++pixel) to[pixel * to_step] = from[pixel * from_step];
}

}  // namespace

// mapping: a thread per (image, channel block), or per (image, channel) where the blocks differ; bytes: from read, to
// written; operations: none; hazard: the gaps of a map whose channels are not a multiple of its block belong to
// another map.
void run_on(Cpu, const ConvertLayout<float, float>& a) {
  const int block = a.to.block;
  const bool whole_blocks = a.from.block == block && a.to.channels % block == 0;
  const int parts = whole_blocks ? a.to.channels / block : a.to.channels;
#pragma omp parallel for schedule(static) if (worth_threads(static_cast <std::int64_t>(a.to.elements())))
  for (int task = 0; task < a.to.images * parts; ++task) {
    const int image = task / parts, part = task % parts;
    if (whole_blocks)
      std::copy_n(a.from.block_data(image, part), static_cast<std::size_t>(a.to.plane()) * block,
                  a.to.block_data(image, part));
    else
      copy_channel(a, image, part);
  }
}

}  // namespace preceptor::kernels
