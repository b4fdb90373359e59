// Writes the tables, .npz files and caches that fuzzing starts from: write_data_seeds FOLDER.
#include "data/storage/image_hash.h"
#include "tests/data/npz_writer.h"

namespace {

using namespace preceptor;
using namespace preceptor::test;

// A cache of one image, as data/storage/image_cache.cpp writes it; `file` is the content of the image's file.
std::string cache(const std::string& file) {
  const std::uint64_t hash = content_hash({reinterpret_cast<const std::uint8_t*>(file.data()), file.size()});
  const std::string header =
      R"({"__metadata__":{"form":"2x2x1","format":"preceptor-images-1"},)"
      R"("content":{"data_offsets":[4,12],"dtype":"U64","shape":[1]},"ids":{"data_offsets":[36,38],"dtype":"U8","shape":[2]},)"
      R"("images":{"data_offsets":[0,4],"dtype":"U8","shape":[1,2,2,1]},)"
      R"("stamps":{"data_offsets":[12,36],"dtype":"I64","shape":[1,3]}})";
  return little_endian(header.size(), 8) + header + "wxyz" + little_endian(hash, 8) + std::string(24, '\1') + "b\n";
}

// Two rows of one bfloat16, as data/storage/row_file.cpp writes them.
std::string rows() {
  const std::string header =
      R"({"__metadata__":{"format":"preceptor-rows-1"},"content":{"data_offsets":[0,16],"dtype":"U64","shape":[2]},)"
      R"("logits":{"data_offsets":[16,20],"dtype":"BF16","shape":[2,1]}})";
  return little_endian(header.size(), 8) + header + std::string(20, '\1');
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 64;
  const auto write = [&](const std::string& kind, int number, const std::string& bytes) {
    const std::filesystem::path folder = std::filesystem::path(argv[1]) / kind;
    std::filesystem::create_directories(folder);
    write_bytes((folder / std::to_string(number)).string(), bytes);
  };
  write("table", 0, "\xEF\xBB\xBFid,\"a, b\",c\r\n1,\"x \"\"y\"\"\nz\",\r\n\r\n2,3,4,\r\n");
  write("table", 1, "Path\tEdema\nCheXpert-v1.0-small/train/patient00001/study1/view1_frontal.jpg\t-1.0\n");
  // "a,b\n1,2\n" by gzip.
  write("table", 2,
        std::string("\x1f\x8b\x08\0\0\0\0\0\x02\x03\x4b\xd4\x49\xe2\x32\xd4\x31\xe2\x02\0\x7b\x07\x97\x0a\x08\0\0\0",
                    28));
  const std::string array = npy(npy_header("<i8", "(2, 1)"), std::string(16, '\1'));
  write("npz", 0, stored_zip("train_labels.npy", array, Zip64::none));
  write("npz", 1, stored_zip("train_labels.npy", array, Zip64::everywhere));
  write("image_cache", 0, cache("image"));
  write("row_file", 0, rows());
  return 0;
}
