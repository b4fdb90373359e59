// TensorBoard's event files: records with checksums around protocol buffers (tensorflow/core/util/event.proto and
// tensorflow/core/framework/summary.proto).
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "data/images/image.h"

namespace preceptor {

// The place of a record in TensorBoard: seconds since 1970 and the number on its horizontal axis.
struct EventPlace {
  double time = 0;
  std::int64_t step = 0;
};

// CRC32C (Castagnoli) of the bytes, rotated and shifted as TFRecord stores it, so that a checksum of bytes that hold
// checksums stays sound.
std::uint32_t masked_crc32c(const std::string& bytes);

// Each gives whole records: a file is their concatenation, and a file cut between two records is a valid file.
std::string first_record(double time);  // must begin a file: its version
std::string scalar_record(EventPlace place, const std::vector<std::pair<std::string, double>>& scalars);  // as float32
std::string text_record(EventPlace place, const std::string& tag, const std::string& markdown);

std::string image_record(EventPlace place, const std::string& tag, const Image& image);

}  // namespace preceptor
