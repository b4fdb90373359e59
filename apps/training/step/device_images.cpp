// Reading and copying, some images at a time.
#include "apps/training/step/device_images.h"

#include <algorithm>

#include "data/parallel.h"

namespace preceptor {

DeviceImages::DeviceImages(Context& context, const ImageSource& images, int threads)
    : memory_(context.pool(Lifetime::persistent), bytes_of(images)) {
  constexpr std::size_t block_bytes = std::size_t{32} << 20;
  const std::size_t image_bytes = images.image_bytes();
  const int at_once = static_cast<int>(std::clamp<std::size_t>(block_bytes / image_bytes, 1, 4096));
  std::vector<std::uint8_t> block(static_cast<std::size_t>(at_once) * image_bytes);
  for (int first = 0; first < images.count(); first += at_once) {
    const int count = std::min(at_once, images.count() - first);
    parallel_for(count, threads, [&](int i) {
      images.read(first + i, {block.data() + static_cast<std::size_t>(i) * image_bytes, image_bytes});
    });
    // The block is only refilled after the copy.
    context.copy_and_wait(static_cast<std::byte*>(memory_.data()) + static_cast<std::size_t>(first) * image_bytes,
                          block.data(), static_cast<std::size_t>(count) * image_bytes);
  }
}

}  // namespace preceptor
