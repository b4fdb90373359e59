// safetensors: an 8-byte header length, a JSON header, then the values.
#include "engine/files/checkpoint.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "engine/files/check.h"
#include "engine/files/file.h"

namespace preceptor {
namespace {

using Json = nlohmann::json;

PlainTensor read_values(const InputFile& file, const StoredTensor& stored) {
  const std::uint64_t bytes = stored.end - stored.begin;
  PlainTensor tensor{Shape(stored.sizes), std::vector<float>(bytes / stored.format.bytes)};
  if (stored.format.type == ElementType::f32) {
    file.read(stored.begin, tensor.values.data(), bytes);
    return tensor;
  }
  std::vector<char> raw(bytes);
  file.read(stored.begin, raw.data(), bytes);
  to_floats(stored.format.type, raw.data(), tensor.values.size(), tensor.values.data());
  return tensor;
}

}  // namespace

void save_safetensors(const std::string& path, const StateDict& tensors, const Metadata& metadata) {
  Json header = Json::object();  // nlohmann's objects are ordered by key
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::uint64_t offset = 0;
  for (const auto& [name, tensor] : tensors) {
    const std::uint64_t bytes = tensor.values.size() * sizeof(float);
    header[name] = {{"dtype", "F32"}, {"shape", tensor.shape.sizes()}, {"data_offsets", {offset, offset + bytes}}};
    offset += bytes;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');  // the values start at a multiple of 8 bytes
  const std::uint64_t length = text.size();
  std::string bytes(reinterpret_cast<const char*>(&length), sizeof length);
  bytes.reserve(sizeof length + text.size() + offset);
  bytes += text;
  for (const auto& [name, tensor] : tensors)
    bytes.append(reinterpret_cast<const char*>(tensor.values.data()), tensor.values.size() * sizeof(float));
  write_file_atomically(path, bytes);
}

Checkpoint load_safetensors(const std::string& path, bool finite_only) {
  const InputFile file(path);
  std::uint64_t length = 0;
  file.read(0, &length, std::min<std::uint64_t>(sizeof length, file.size()));
  std::string text(safetensors_header_bytes(path, length, file.size()), '\0');
  file.read(8, text.data(), text.size());
  SafetensorsHeader header = parse_safetensors_header(path, text, file.size());
  Checkpoint checkpoint;
  checkpoint.metadata = std::move(header.metadata);
  for (const StoredTensor& stored : header.tensors) {
    if (stored.format.type == ElementType::whole_number) {
      checkpoint.skipped.push_back(stored.name);
      continue;
    }
    PlainTensor tensor = read_values(file, stored);
    if (finite_only)
      require_data(std::all_of(tensor.values.begin(), tensor.values.end(), [](float v) { return std::isfinite(v); }),
                   path, ": tensor ", stored.name.substr(0, 200), ": holds NaN or infinity");
    checkpoint.tensors.emplace(stored.name, std::move(tensor));
  }
  return checkpoint;
}

}  // namespace preceptor
