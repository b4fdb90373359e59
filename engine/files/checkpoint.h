// Reading and writing safetensors files.
#pragma once

#include <string>
#include <vector>

#include "engine/files/safetensors_header.h"
#include "engine/files/shape.h"

namespace preceptor {

struct Checkpoint {
  StateDict tensors;
  Metadata metadata;
  std::vector<std::string> skipped;  // names of whole-number tensors, such as num_batches_tracked: they hold no weights
};

// Writes F32 tensors in name order: the same content gives the same bytes. The file appears whole or not at all
// (temporary name, sync, rename). Errors: io.
void save_safetensors(const std::string& path, const StateDict& tensors, const Metadata& metadata);

// Reads F32 (and F64, F16, BF16, converted) tensors; whole numbers are skipped by name. The file is not trusted: header
// length, JSON, shapes and offsets are checked against the file size. With finite_only, NaN or infinity is an error
// that names the tensor. Errors: missing_input, data, io; each names the file and the reason.
Checkpoint load_safetensors(const std::string& path, bool finite_only = true);

}  // namespace preceptor
