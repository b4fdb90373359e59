// Any bytes as an .npz file, whose arrays are all read.
#include "data/storage/npz.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace preceptor;
  if (size == 0) return 0;
  const fuzz::MemoryFile file(fuzz::text_of(data, size));
  return fuzz::read_or_refuse([&] {
    const Npz npz(file.path());
    for (const std::string& name : npz.names()) {
      const Array array = npz.read(name);
      if (array.dtype.size() == 3 && (array.dtype[1] == 'u' || array.dtype[1] == 'i')) integers(array, name);
      if (array.dtype.size() == 3 && array.dtype[1] == 'f') real_numbers(array, name);
    }
  });
}
