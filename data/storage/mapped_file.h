// A whole file mapped into memory: pages are read on first access, and the system may drop them again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace preceptor {

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

}  // namespace preceptor
