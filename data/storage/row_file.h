// Numbers for every image of a list in one memory-mapped file: outputs of a network, computed once
// and read by position.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "data/storage/mapped_tensors.h"

namespace preceptor {

// One tensor of every row.
struct RowTensor {
  std::string name;
  std::vector<int> sizes;  // of one row

  std::uint64_t values() const;
  bool operator==(const RowTensor&) const = default;
};

struct RowLayout {
  std::uint64_t rows = 0;
  bool rounded = false;  // stored as bfloat16, else as float
  std::vector<RowTensor> tensors;

  std::uint64_t file_bytes() const;  // without the header
  bool operator==(const RowLayout&) const = default;
};

// The file is a safetensors file, so that other programs can read it too: `content` U64 [rows], a hash of the input
// that a row was computed from (data/storage/image_hash.h), then every tensor, F32 or BF16 [rows, sizes...].

// Writes `path`.tmp, which finish() renames to `path`; a writer that is not finished removes it. Errors: io, also if
// another process is writing the same file.
class RowFileWriter {
 public:
  RowFileWriter(const std::string& path, const RowLayout& layout, const Metadata& metadata);
  ~RowFileWriter();
  RowFileWriter(const RowFileWriter&) = delete;
  RowFileWriter& operator=(const RowFileWriter&) = delete;

  // Rows from `first` on; the values of a tensor are those of whole rows.
  void write_content(std::uint64_t first, std::span<const std::uint64_t> content);
  void write(std::uint64_t first, std::size_t tensor, std::span<const float> values);
  void finish();

 private:
  void write_at(std::uint64_t position, const void* bytes, std::size_t count);

  std::string path_;
  RowLayout layout_;
  std::vector<std::uint64_t> begins_;  // positions in the file: content, then every tensor
  int descriptor_ = -1;
};

// Errors: missing_input, io; data: a file that is not of this kind, or damaged. Nothing in it is trusted.
class RowFile {
 public:
  explicit RowFile(const std::string& path);

  const RowLayout& layout() const { return layout_; }
  const Metadata& metadata() const { return metadata_; }
  std::uint64_t content(std::uint64_t row) const;
  // The row's values of a tensor as stored, little-endian and unaligned.
  std::span<const std::uint8_t> stored(std::uint64_t row, std::size_t tensor) const;
  // The same as floats.
  void read(std::uint64_t row, std::size_t tensor, std::span<float> values) const;

 private:
  std::string path_;
  MappedFile file_;
  Metadata metadata_;
  RowLayout layout_;
  std::uint64_t content_ = 0;
  std::vector<std::uint64_t> begins_;
};

}  // namespace preceptor
