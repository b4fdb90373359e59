// Any bytes as a table, plain or gzipped.
#include "data/tables/table.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace preceptor;
  const fuzz::MemoryFile file(fuzz::text_of(data, size));
  return fuzz::read_or_refuse([&] {
    TableReader table(file.path());
    std::size_t bytes = 0;
    while (table.next())
      for (std::size_t i = 0; i < table.header().size(); ++i)
        for (const char letter : table.field(i)) bytes += static_cast<unsigned char>(letter);
    // Every byte must be read; the sum keeps the compiler from removing that.
    if (bytes == SIZE_MAX) std::abort();
  });
}
