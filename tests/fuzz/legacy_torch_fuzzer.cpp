// Any bytes after the number that files of torch.save began with before PyTorch 1.6.
#include "engine/files/torch_file.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/torch_writer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace preceptor;
  std::string bytes = fuzz::text_of(data, size);
  if (!bytes.starts_with(test::legacy_magic)) bytes.insert(0, test::legacy_magic);
  const fuzz::MemoryFile file(bytes);
  return fuzz::read_or_refuse([&] { load_torch_file(file.path()); });
}
