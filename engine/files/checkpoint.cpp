// safetensors: an 8-byte header length, a JSON header, then the values.
#include "engine/files/checkpoint.h"

#include <algorithm>
#include <cmath>

#include "engine/files/check.h"
#include "engine/files/file.h"

namespace preceptor {
namespace {

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
  std::vector<TensorPlan> plan;
  for (const auto& [name, tensor] : tensors)
    plan.push_back({name, "F32", {tensor.shape.sizes().begin(), tensor.shape.sizes().end()}});
  std::string bytes = safetensors_header(plan, metadata, 8);
  if (!plan.empty()) bytes.reserve(plan.back().begin + tensors.rbegin()->second.values.size() * sizeof(float));
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
