// Reading and writing safetensors files.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "engine/files/element_type.h"
#include "engine/files/shape.h"

namespace preceptor {

using Metadata = std::map<std::string, std::string>;

struct StoredTensor {
  std::string name;
  std::string dtype;  // "F32"
  ElementFormat format;
  std::vector<int> sizes;
  std::uint64_t begin, end;  // range of its values in the file
};

// Every number is checked against the size of the file before it is used.
struct SafetensorsHeader {
  Metadata metadata;
  std::vector<StoredTensor> tensors;  // in the order of their values, which are contiguous
};

struct TensorPlan {
  std::string name, dtype;
  std::vector<std::uint64_t> shape;
  std::uint64_t begin = 0;  // in the file; filled in by safetensors_header
};
// The first bytes of a file of these tensors, which follow it without gaps from a multiple of `alignment` on.
std::string safetensors_header(std::vector<TensorPlan>& tensors, const Metadata& metadata, std::size_t alignment);

// Bytes of the header's text, which begins at byte 8, from the file's first 8 bytes. Errors: data, with the path.
std::uint64_t safetensors_header_bytes(const std::string& path, std::uint64_t first_word, std::uint64_t file_bytes);
// Reads the text. Errors: data, with path, tensor and reason: offsets outside of the file, gaps, overlaps, shapes that
// do not match the bytes, unknown types, bytes after the last tensor.
SafetensorsHeader parse_safetensors_header(const std::string& path, std::string_view text, std::uint64_t file_bytes);

struct Checkpoint {
  StateDict tensors;
  Metadata metadata;
  std::vector<std::string> skipped;  // names of whole-number tensors, such as num_batches_tracked: they hold no weights
};

// Errors: data, naming the tensor, if it holds NaN or infinity.
void require_finite(const std::string& path, const std::string& name, const PlainTensor& tensor);

// Writes F32 tensors in name order: the same content gives the same bytes. The file appears whole or not at all
// (temporary name, sync, rename). Errors: io.
void save_safetensors(const std::string& path, const StateDict& tensors, const Metadata& metadata);

// Reads F32 (and F64, F16, BF16, converted) tensors; whole numbers are skipped by name. The file is not trusted: header
// length, JSON, shapes and offsets are checked against the file size. With finite_only, NaN or infinity is an error
// that names the tensor. Errors: missing_input, data, io; each names the file and the reason.
Checkpoint load_safetensors(const std::string& path, bool finite_only = true);

}  // namespace preceptor
