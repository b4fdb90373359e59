// Headers of safetensors files, written with padding and read with checks.
#include "data/storage/mapped_tensors.h"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

namespace preceptor {

std::string padded_header(std::vector<TensorPlan>& tensors, const Metadata& metadata) {
  nlohmann::json header;
  header["__metadata__"] = metadata;
  std::uint64_t offset = 0;
  for (TensorPlan& tensor : tensors) {
    tensor.begin = offset;
    std::uint64_t bytes = element_format(tensor.dtype).value().bytes;
    for (const std::uint64_t size : tensor.shape) bytes *= size;
    offset += bytes;
    header[tensor.name] = {{"dtype", tensor.dtype}, {"shape", tensor.shape}, {"data_offsets", {tensor.begin, offset}}};
  }
  std::string text = header.dump();
  text.resize((text.size() + 8 + 4095) / 4096 * 4096 - 8, ' ');
  const std::uint64_t length = text.size();
  for (TensorPlan& tensor : tensors) tensor.begin += 8 + length;
  return std::string(reinterpret_cast<const char*>(&length), 8) + text;
}

SafetensorsHeader read_header(const MappedFile& file, const std::string& path) {
  const std::span<const std::uint8_t> bytes = file.bytes();
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), std::min<std::size_t>(sizeof length, bytes.size()));
  length = safetensors_header_bytes(path, length, bytes.size());
  return parse_safetensors_header(path, {reinterpret_cast<const char*>(bytes.data()) + 8, length}, bytes.size());
}

}  // namespace preceptor
