// Any bytes as a table of predictions, evaluated if it can be read; cut at the first 0xFF, as two tables to be joined.
#include "data/predictions/predictions.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace preceptor;
  const std::string bytes = fuzz::text_of(data, size);
  const std::size_t cut = bytes.find('\xFF');
  const fuzz::MemoryFile first(bytes.substr(0, cut));
  fuzz::read_or_refuse([&] { read_probabilities(first.path()); });
  return fuzz::read_or_refuse([&] {
    if (cut == std::string::npos) {
      evaluate(read_predictions(first.path()), 2, 0);
    } else {
      const fuzz::MemoryFile labels(bytes.substr(cut + 1));
      evaluate(read_plain_predictions(first.path(), labels.path()), 2, 0);
    }
  });
}
