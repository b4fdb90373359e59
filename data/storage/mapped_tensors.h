// Files mapped into memory, those of safetensors above all: pages are read on first access, and the system may drop
// them again.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "engine/files/checkpoint.h"

namespace preceptor {

// Tensors of a mapped file begin at a page.
inline constexpr std::size_t page_bytes = 4096;

class MappedFile {
 public:
  // Errors: missing_input, io; data, for an empty file.
  explicit MappedFile(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const std::uint8_t> bytes() const { return {bytes_, size_}; }

 private:
  const std::uint8_t* bytes_ = nullptr;
  std::size_t size_ = 0;
};

// Nothing in the file is trusted. Errors: data, with the path.
SafetensorsHeader read_header(const MappedFile& file, const std::string& path);

}  // namespace preceptor
