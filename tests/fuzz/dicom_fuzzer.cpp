// Any bytes after the preamble of a DICOM file.
#include "data/images/image.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace preceptor;
  const fuzz::MemoryFile file(std::string(128, '\0') + "DICM" + fuzz::text_of(data, size));
  return fuzz::read_or_refuse([&] { read_image(file.path()); });
}
