// Gives every file of a saved corpus to its fuzz target: fuzz-replay TARGET CORPUS.zip. Needs no libFuzzer.
#include <zip.h>

#include <cstdint>
#include <cstdio>
#include <functional>
#include <map>
#include <string>
#include <vector>

// The build gives every target's entry point the name of its file (tests/CMakeLists.txt).
#ifdef PRECEPTOR_DICOM
#define DICOM_TARGET(with) with(dicom)
#else
#define DICOM_TARGET(with)
#endif
#define FUZZ_TARGETS(with)                                                                                   \
  with(pickle) with(torch_file) with(zip_archive) with(legacy_torch) with(safetensors) with(image) with(png) \
      with(table) with(npz) with(image_cache) with(row_file) with(predictions) DICOM_TARGET(with)
#define DECLARE_TARGET(name) extern "C" int fuzz_##name(const std::uint8_t* data, std::size_t size);
FUZZ_TARGETS(DECLARE_TARGET)

int main(int argc, char** argv) {
#define NAME_TARGET(name) {#name, fuzz_##name},
  const std::map<std::string, std::function<int(const std::uint8_t*, std::size_t)>> targets = {
      FUZZ_TARGETS(NAME_TARGET)};
  const auto target = argc == 3 ? targets.find(argv[1]) : targets.end();
  if (target == targets.end()) {
    std::fputs("usage: fuzz-replay TARGET CORPUS.zip\n", stderr);
    return 64;
  }
  zip_t* corpus = zip_open(argv[2], ZIP_RDONLY, nullptr);
  const zip_int64_t files = corpus == nullptr ? 0 : zip_get_num_entries(corpus, 0);
  for (zip_int64_t i = 0; i < files; ++i) {
    zip_stat_t entry;
    zip_file_t* file = zip_fopen_index(corpus, static_cast<zip_uint64_t>(i), 0);
    if (file == nullptr || zip_stat_index(corpus, static_cast<zip_uint64_t>(i), 0, &entry) != 0) return 66;
    // A buffer of exactly the file's size, so that reading past its end is detected.
    std::vector<std::uint8_t> bytes(entry.size);
    if (zip_fread(file, bytes.data(), entry.size) != static_cast<zip_int64_t>(entry.size)) return 66;
    zip_fclose(file);
    target->second(bytes.data(), bytes.size());
  }
  if (corpus != nullptr) zip_discard(corpus);
  std::printf("%s: %lld files\n", argv[1], static_cast<long long>(files));
  return files > 0 ? 0 : 66;
}
