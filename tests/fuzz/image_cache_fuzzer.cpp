// Any bytes as a cache of images.
#include "data/storage/image_cache.h"
#include "tests/fuzz/fuzz.h"

namespace {

// Three images of four bytes that the cache may hold, all of the same file.
class Decoded final : public preceptor::ImageSource {
 public:
  explicit Decoded(std::string file) : ImageSource(3, 4), file_(std::move(file)) {}
  void read(int, std::span<std::uint8_t> pixels) const override { pixels[0] = 1; }
  std::string file(int) const override { return file_; }

 private:
  std::string file_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace preceptor;
  static const fuzz::MemoryFile image("image");
  const fuzz::MemoryFile file(fuzz::text_of(data, size));
  return fuzz::read_or_refuse([&] {
    const Images images =
        open_image_cache(file.path(), std::make_shared<Decoded>(image.path()), {"a", "b", "c"}, "2x2x1");
    for (int i = 0; i < 3; ++i) read_pixels(*images, i);
  });
}
