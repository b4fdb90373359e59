// Files through POSIX calls, with the path and the reason in every error.
#include "engine/files/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <vector>

#include "engine/files/check.h"

namespace preceptor {
namespace {

[[noreturn]] void fail_io(const std::string& path, const char* what) {
  fail(ErrorKind::io, path, ": ", what, ": ", std::strerror(errno));
}

}  // namespace

Descriptor::~Descriptor() {
  if (number >= 0) ::close(number);
}

InputFile::InputFile(const std::string& path) : path_(path), file_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
  if (file_.number < 0)
    fail(errno == ENOENT ? ErrorKind::missing_input : ErrorKind::io, path, ": ", std::strerror(errno));
  struct stat status {};
  if (::fstat(file_.number, &status) != 0) fail_io(path, "cannot be read");
  if (!S_ISREG(status.st_mode)) fail(ErrorKind::io, path, ": is no regular file");
  size_ = static_cast<std::uint64_t>(status.st_size);
}

void InputFile::read(std::uint64_t at, void* to, std::uint64_t bytes) const {
  for (std::uint64_t done = 0; done < bytes;) {
    const ssize_t got =
        ::pread(file_.number, static_cast<char*>(to) + done, bytes - done, static_cast<off_t>(at + done));
    if (got < 0 && errno != EINTR) fail_io(path_, "cannot be read");
    if (got == 0) fail(ErrorKind::io, path_, ": became shorter while it was read");
    done += got > 0 ? static_cast<std::uint64_t>(got) : 0;
  }
}

void write_file_atomically(const std::string& path, const std::string& bytes) {
  const std::string temporary = path + ".tmp";
  const auto fail_without_trace = [&](const std::string& which, const char* what) {
    const int reason = errno;
    ::unlink(temporary.c_str());
    errno = reason;
    fail_io(which, what);
  };
  {
    const Descriptor file{::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644)};
    if (file.number < 0) fail_io(temporary, "cannot be created");
    for (std::size_t done = 0; done < bytes.size();) {
      const ssize_t written = ::write(file.number, bytes.data() + done, bytes.size() - done);
      if (written < 0 && errno != EINTR) fail_without_trace(temporary, "cannot be written");
      done += written > 0 ? static_cast<std::size_t>(written) : 0;
    }
    if (::fsync(file.number) != 0) fail_without_trace(temporary, "cannot be synced");
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) fail_without_trace(path, "cannot be renamed to");
  const std::size_t slash = path.find_last_of('/');
  const Descriptor folder{
      ::open(slash == std::string::npos ? "." : path.substr(0, slash + 1).c_str(), O_RDONLY | O_DIRECTORY)};
  if (folder.number >= 0) ::fsync(folder.number);
}

void make_folder(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) fail(ErrorKind::io, path, ": cannot be created: ", error.message());
}

std::string read_file(const std::string& path, std::uint64_t most) {
  std::ifstream file(path, std::ios::binary);
  if (!file) fail(errno == ENOENT ? ErrorKind::missing_input : ErrorKind::io, path, ": ", std::strerror(errno));
  std::string content;
  std::error_code unknown;  // for example of a pipe
  const std::uintmax_t size = std::filesystem::file_size(path, unknown);
  if (!unknown) content.reserve(std::min<std::uint64_t>(size, most));
  std::vector<char> part(std::min<std::uint64_t>(most, 1 << 20));
  const auto wanted = [&] { return std::min<std::uint64_t>(most - content.size(), part.size()); };
  while (wanted() > 0 && (file.read(part.data(), static_cast<std::streamsize>(wanted())) || file.gcount() > 0))
    content.append(part.data(), static_cast<std::size_t>(file.gcount()));
  if (file.bad()) fail(ErrorKind::io, path, ": cannot be read");
  return content;
}

}  // namespace preceptor
