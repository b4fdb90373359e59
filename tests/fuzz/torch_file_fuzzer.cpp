// Any bytes as data.pkl of a valid archive, so that no checksum stops them.
#include "engine/files/torch_file.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/torch_writer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace preceptor;
  const fuzz::MemoryFile file(
      test::torch_archive(fuzz::text_of(data, size), {{"0", std::string(24, '\1')}, {"1", std::string(8, '\2')}}));
  return fuzz::read_or_refuse([&] { load_torch_file(file.path()); });
}
