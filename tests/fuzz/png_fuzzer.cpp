// Any bytes as the rows of a PNG of any kind, with valid checksums: random ones would stop nearly every input.
#include "data/images/decode.h"
#include "tests/data/png_writer.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace preceptor;
  if (size < 5) return 0;
  const test::PngKind kind{data[0] % 8, data[1] % 17, data[2] % 2 == 1, 0};
  const std::string rows = fuzz::text_of(data + 5, size - 5);
  const std::string file = test::png_header(data[3], data[4], kind) +
                           test::chunk("PLTE", rows.substr(0, rows.size() % 256 * 3 % (rows.size() + 1) / 3 * 3)) +
                           test::chunk("IDAT", test::deflated(rows)) + test::chunk("IEND", "");
  return fuzz::read_or_refuse([&] { decode_png(file, "fuzz"); });
}
