// Any bytes as a pickle.
#include "engine/files/pickle.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace preceptor;
  return fuzz::read_or_refuse([&] { parse_pickle(fuzz::text_of(data, size), "fuzz"); });
}
