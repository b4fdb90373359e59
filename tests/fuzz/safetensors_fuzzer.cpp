// Any bytes as a safetensors file.
#include "engine/files/checkpoint.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace preceptor;
  const fuzz::MemoryFile file(fuzz::text_of(data, size));
  return fuzz::read_or_refuse([&] { load_safetensors(file.path(), false); });
}
