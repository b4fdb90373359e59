// Any bytes as an image file.
#include "data/images/image.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace preceptor;
  const fuzz::MemoryFile file(fuzz::text_of(data, size));
  return fuzz::read_or_refuse([&] { read_image(file.path(), 3, 5, 7); });
}
