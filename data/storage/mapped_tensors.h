// Safetensors files that are memory-mapped: their header is padded so that the tensors begin at a page.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/storage/mapped_file.h"
#include "engine/files/safetensors_header.h"

namespace preceptor {

struct TensorPlan {
  std::string name, dtype;
  std::vector<std::uint64_t> shape;
  std::uint64_t begin = 0;  // in the file; filled in by padded_header
};

// The first bytes of a file of these tensors, which follow it without gaps.
std::string padded_header(std::vector<TensorPlan>& tensors, const Metadata& metadata);

// Nothing in the file is trusted. Errors: data, with the path.
SafetensorsHeader read_header(const MappedFile& file, const std::string& path);

}  // namespace preceptor
