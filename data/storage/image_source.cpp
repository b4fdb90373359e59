// Images in memory, and selections of other sources.
#include "data/storage/image_source.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "engine/files/check.h"

namespace preceptor {
namespace {

int images_in(const std::vector<std::vector<std::uint8_t>>& blocks, std::size_t image_bytes) {
  require(image_bytes > 0, "images: an image has no pixels");
  std::size_t bytes = 0;
  for (const auto& block : blocks) {
    require(block.size() % image_bytes == 0, "images: ", block.size(), " bytes are not a whole number of images of ",
            image_bytes, " bytes");
    bytes += block.size();
  }
  require(bytes / image_bytes <= std::numeric_limits<std::int32_t>::max(), "images: more than 2^31");
  return static_cast<int>(bytes / image_bytes);
}

void require_position(int position, int count) {
  require(position >= 0 && position < count, "images: position ", position, " of ", count);
}

}  // namespace

std::vector<std::uint8_t> read_pixels(const ImageSource& images, int position) {
  std::vector<std::uint8_t> pixels(images.image_bytes());
  images.read(position, pixels);
  return pixels;
}

MemoryImages::MemoryImages(std::vector<std::vector<std::uint8_t>> blocks, std::size_t image_bytes)
    : ImageSource(images_in(blocks, image_bytes), image_bytes), blocks_(std::move(blocks)) {}

MemoryImages::MemoryImages(std::vector<std::uint8_t> block, std::size_t image_bytes)
    : MemoryImages(std::vector<std::vector<std::uint8_t>>(1, std::move(block)), image_bytes) {}

void MemoryImages::read(int position, std::span<std::uint8_t> pixels) const {
  require_position(position, count());
  require(pixels.size() == image_bytes(), "images: ", pixels.size(), " bytes for an image of ", image_bytes());
  std::size_t first = static_cast<std::size_t>(position) * image_bytes();
  auto block = blocks_.begin();
  for (; first >= block->size(); ++block) first -= block->size();
  std::memcpy(pixels.data(), block->data() + first, image_bytes());
}

SelectedImages::SelectedImages(Images images, std::vector<std::int32_t> positions)
    : ImageSource(static_cast<int>(positions.size()), images->image_bytes()),
      images_(std::move(images)),
      positions_(std::move(positions)) {
  for (const std::int32_t position : positions_) require_position(position, images_->count());
}

void SelectedImages::read(int position, std::span<std::uint8_t> pixels) const {
  require_position(position, count());
  images_->read(positions_[position], pixels);
}

std::string SelectedImages::file(int position) const {
  require_position(position, count());
  return images_->file(positions_[position]);
}

}  // namespace preceptor
