// Any bytes as a file of rows, all of which are read.
#include "data/storage/row_file.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace preceptor;
  const fuzz::MemoryFile file(fuzz::text_of(data, size));
  return fuzz::read_or_refuse([&] {
    const RowFile rows(file.path());
    for (std::uint64_t row = 0; row < rows.layout().rows; ++row) {
      rows.content(row);
      for (std::size_t i = 0; i < rows.layout().tensors.size(); ++i) {
        std::vector<float> values(rows.layout().tensors[i].values());
        rows.read(row, i, values);
      }
    }
  });
}
