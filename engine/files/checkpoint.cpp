// safetensors: an 8-byte header length, a JSON header, then the values. The file is not trusted.
#include "engine/files/checkpoint.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "engine/files/check.h"
#include "engine/files/file.h"

namespace preceptor {
namespace {

using Json = nlohmann::json;
constexpr std::uint64_t largest_header = 100'000'000;  // the format's own limit

// `where` opens each message; positions in the file count from `data`.
StoredTensor parse_tensor(const std::string& where, const std::string& name, const Json& json, std::uint64_t data,
                          std::uint64_t data_bytes) {
  const auto check = [&](bool good, const char* reason) {
    require_data(good, where, "tensor ", name.substr(0, 200), ": ", reason);
  };
  check(json.is_object() && json.contains("dtype") && json.contains("shape") && json.contains("data_offsets"),
        "dtype, shape or data_offsets is missing");
  const Json &type = json["dtype"], &shape = json["shape"], &offsets = json["data_offsets"];
  const auto format = type.is_string() ? element_format(type.get<std::string>()) : std::nullopt;
  check(format.has_value(), "the dtype is none of F64, F32, F16, BF16, or of whole numbers");
  check(shape.is_array() && shape.size() <= 8, "the shape is no list of at most 8 sizes");
  check(offsets.is_array() && offsets.size() == 2 && offsets[0].is_number_unsigned() && offsets[1].is_number_unsigned(),
        "data_offsets are not two positions");
  const auto begin = offsets[0].get<std::uint64_t>(), end = offsets[1].get<std::uint64_t>();
  check(begin <= end && end <= data_bytes, "data_offsets lie outside the file");
  StoredTensor tensor{name, type.get<std::string>(), *format, {}, data + begin, data + end};
  std::uint64_t bytes = format->bytes;
  for (const Json& size : shape) {
    check(size.is_number_unsigned() && size.get<std::uint64_t>() <= 0x7fffffffu, "a size is no count");
    tensor.sizes.push_back(size.get<int>());
    // bytes stays below 2^63: it was at most the size of the file before this multiplication by less than 2^31.
    bytes *= size.get<std::uint64_t>();
    check(bytes <= data_bytes, "the shape is larger than the file");
  }
  check(bytes == end - begin, "shape and data_offsets disagree");
  return tensor;
}

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

std::string safetensors_header(std::vector<TensorPlan>& tensors, const Metadata& metadata, std::size_t alignment) {
  Json header = Json::object();  // nlohmann's objects are ordered by key
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::uint64_t offset = 0;
  for (TensorPlan& tensor : tensors) {
    tensor.begin = offset;
    std::uint64_t bytes = element_format(tensor.dtype).value().bytes;
    for (const std::uint64_t size : tensor.shape) bytes *= size;
    offset += bytes;
    header[tensor.name] = {{"dtype", tensor.dtype}, {"shape", tensor.shape}, {"data_offsets", {tensor.begin, offset}}};
  }
  std::string text = header.dump();
  text.resize((text.size() + 8 + alignment - 1) / alignment * alignment - 8, ' ');
  const std::uint64_t length = text.size();
  for (TensorPlan& tensor : tensors) tensor.begin += 8 + length;
  return std::string(reinterpret_cast<const char*>(&length), 8) + text;
}

std::uint64_t safetensors_header_bytes(const std::string& path, std::uint64_t first_word, std::uint64_t file_bytes) {
  require_data(file_bytes >= 8, path, ": is no safetensors file: it has only ", file_bytes, " bytes");
  require_data(first_word <= largest_header && first_word <= file_bytes - 8, path,
               ": is no safetensors file: a header of ", first_word, " bytes does not fit");
  return first_word;
}

SafetensorsHeader parse_safetensors_header(const std::string& path, std::string_view text, std::uint64_t file_bytes) {
  const std::string where = path + ": ";
  const Json json = Json::parse(text, nullptr, false);
  require_data(json.is_object(), where, "the header is no JSON object");
  const std::uint64_t data = 8 + text.size();
  SafetensorsHeader header;
  for (const auto& [name, value] : json.items()) {
    if (name != "__metadata__") {
      header.tensors.push_back(parse_tensor(where, name, value, data, file_bytes - data));
      continue;
    }
    require_data(value.is_object(), where, "__metadata__ is no object");
    for (const auto& [key, word] : value.items()) {
      require_data(word.is_string(), where, "__metadata__ holds something else than text");
      header.metadata[key] = word.get<std::string>();
    }
  }
  std::sort(header.tensors.begin(), header.tensors.end(), [](const StoredTensor& a, const StoredTensor& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  std::uint64_t expected = data;
  for (const StoredTensor& tensor : header.tensors) {
    require_data(tensor.begin == expected, where, "tensor ", tensor.name.substr(0, 200),
                 ": overlaps another or leaves a gap");
    expected = tensor.end;
  }
  require_data(expected == file_bytes, where, "has ", file_bytes - expected, " bytes after the last tensor");
  return header;
}

void require_finite(const std::string& path, const std::string& name, const PlainTensor& tensor) {
  require_data(std::ranges::all_of(tensor.values, [](float value) { return std::isfinite(value); }), path, ": tensor ",
               name.substr(0, 200), ": holds NaN or infinity");
}

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
    if (finite_only) require_finite(path, stored.name, tensor);
    checkpoint.tensors.emplace(stored.name, std::move(tensor));
  }
  return checkpoint;
}

}  // namespace preceptor
