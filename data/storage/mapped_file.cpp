// Mapping of files for reading.
#include "data/storage/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "engine/files/check.h"

namespace preceptor {

MappedFile::MappedFile(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0 && errno == ENOENT) fail(ErrorKind::missing_input, path, ": there is no such file");
  struct stat status {};
  if (descriptor < 0 || ::fstat(descriptor, &status) != 0) fail(ErrorKind::io, path, ": cannot be opened");
  size_ = static_cast<std::size_t>(status.st_size);
  void* mapped = size_ == 0 ? MAP_FAILED : ::mmap(nullptr, size_, PROT_READ, MAP_SHARED, descriptor, 0);
  ::close(descriptor);
  require_data(size_ > 0, path, ": is empty");
  if (mapped == MAP_FAILED) fail(ErrorKind::io, path, ": cannot be mapped: ", std::strerror(errno));
  bytes_ = static_cast<const std::uint8_t*>(mapped);
}

MappedFile::~MappedFile() { ::munmap(const_cast<std::uint8_t*>(bytes_), size_); }

}  // namespace preceptor
