// Mapping of files for reading.
#include "data/storage/mapped_tensors.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "engine/files/check.h"
#include "engine/files/file.h"

namespace preceptor {

MappedFile::MappedFile(const std::string& path) {
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.number < 0 && errno == ENOENT) fail(ErrorKind::missing_input, path, ": there is no such file");
  struct stat status {};
  if (file.number < 0 || ::fstat(file.number, &status) != 0) fail(ErrorKind::io, path, ": cannot be opened");
  require_data(status.st_size > 0, path, ": is empty");
  size_ = static_cast<std::size_t>(status.st_size);
  void* mapped = ::mmap(nullptr, size_, PROT_READ, MAP_SHARED, file.number, 0);
  if (mapped == MAP_FAILED) fail(ErrorKind::io, path, ": cannot be mapped: ", std::strerror(errno));
  bytes_ = static_cast<const std::uint8_t*>(mapped);
}

MappedFile::~MappedFile() { ::munmap(const_cast<std::uint8_t*>(bytes_), size_); }

SafetensorsHeader read_header(const MappedFile& file, const std::string& path) {
  const std::span<const std::uint8_t> bytes = file.bytes();
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), std::min<std::size_t>(sizeof length, bytes.size()));
  length = safetensors_header_bytes(path, length, bytes.size());
  return parse_safetensors_header(path, {reinterpret_cast<const char*>(bytes.data()) + 8, length}, bytes.size());
}

}  // namespace preceptor
