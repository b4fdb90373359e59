// The images of a split, in memory, in files or in a cache, with one function that reads any of them on demand.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace preceptor {

// A list of images of one form, [height, width, channels] bytes each. Reading does not use up memory.
class ImageSource {
 public:
  ImageSource(int count, std::size_t image_bytes) : count_(count), image_bytes_(image_bytes) {}
  virtual ~ImageSource() = default;
  ImageSource(const ImageSource&) = delete;
  ImageSource& operator=(const ImageSource&) = delete;

  int count() const { return count_; }
  std::size_t image_bytes() const { return image_bytes_; }  // height * width * channels

  // Fills pixels (image_bytes of them) with image `position` of 0..count-1. May be called from many threads at once.
  // Errors: data, missing_input, io; the message begins with the file's path.
  virtual void read(int position, std::span<std::uint8_t> pixels) const = 0;

  // The file an image is decoded from; empty for images in memory.
  virtual std::string file(int) const { return {}; }

  // True if reading an image is expensive (decoding, resizing), so that threads pay off.
  virtual bool decodes() const { return false; }

 private:
  int count_;
  std::size_t image_bytes_;
};

using Images = std::shared_ptr<const ImageSource>;

std::vector<std::uint8_t> read_pixels(const ImageSource& images, int position);

// Contiguous images in memory, in blocks of any number of them, so that arrays need not be copied.
class MemoryImages final : public ImageSource {
 public:
  MemoryImages(std::vector<std::vector<std::uint8_t>> blocks, std::size_t image_bytes);
  MemoryImages(std::vector<std::uint8_t> block, std::size_t image_bytes);
  void read(int position, std::span<std::uint8_t> pixels) const override;

 private:
  std::vector<std::vector<std::uint8_t>> blocks_;
};

// Some images of another source, in an order of their own.
class SelectedImages final : public ImageSource {
 public:
  SelectedImages(Images images, std::vector<std::int32_t> positions);
  void read(int position, std::span<std::uint8_t> pixels) const override;
  std::string file(int position) const override;
  bool decodes() const override { return images_->decodes(); }

 private:
  Images images_;
  std::vector<std::int32_t> positions_;
};

}  // namespace preceptor
