// safetensors: an 8-byte header length, a JSON header, then the values.
#include "engine/checkpoint.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "engine/check.h"

namespace preceptor {
namespace {

using Json = nlohmann::json;

// Closes on every way out.
struct File {
  int descriptor;
  ~File() {
    if (descriptor >= 0) ::close(descriptor);
  }
};

[[noreturn]] void fail_io(const std::string& path, const char* what) {
  fail(ErrorKind::io, path, ": ", what, ": ", std::strerror(errno));
}

// A file whose parts are read straight to where they belong.
class InputFile {
 public:
  explicit InputFile(const std::string& path) : path_(path), file_{::open(path.c_str(), O_RDONLY | O_CLOEXEC)} {
    if (file_.descriptor < 0)
      fail(errno == ENOENT ? ErrorKind::missing_input : ErrorKind::io, path, ": ", std::strerror(errno));
    struct stat status {};
    if (::fstat(file_.descriptor, &status) != 0) fail_io(path, "cannot be read");
    if (!S_ISREG(status.st_mode)) fail(ErrorKind::io, path, ": is no regular file");
    size_ = static_cast<std::uint64_t>(status.st_size);
  }
  std::uint64_t size() const { return size_; }

  void read(std::uint64_t at, void* to, std::uint64_t bytes) const {
    for (std::uint64_t done = 0; done < bytes;) {
      const ssize_t got =
          ::pread(file_.descriptor, static_cast<char*>(to) + done, bytes - done, static_cast<off_t>(at + done));
      if (got < 0 && errno != EINTR) fail_io(path_, "cannot be read");
      if (got == 0) fail(ErrorKind::io, path_, ": became shorter while it was read");
      done += got > 0 ? static_cast<std::uint64_t>(got) : 0;
    }
  }

 private:
  const std::string& path_;
  File file_;
  std::uint64_t size_ = 0;
};

PlainTensor read_values(const InputFile& file, const StoredTensor& stored) {
  const std::uint64_t bytes = stored.end - stored.begin;
  PlainTensor tensor{Shape(stored.sizes), std::vector<float>(bytes / stored.format.bytes)};
  if (stored.format.type == ElementType::f32) {
    file.read(stored.begin, tensor.values.data(), bytes);
    return tensor;
  }
  std::vector<char> raw(bytes);
  file.read(stored.begin, raw.data(), bytes);
  to_floats(stored.format.type, raw.data(), tensor.values.size(), tensor.values.data());
  return tensor;
}

}  // namespace

void write_file_atomically(const std::string& path, const std::string& bytes) {
  const std::string temporary = path + ".tmp";
  const auto fail_without_trace = [&](const std::string& which, const char* what) {
    const int reason = errno;
    ::unlink(temporary.c_str());
    errno = reason;
    fail_io(which, what);
  };
  {
    const File file{::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644)};
    if (file.descriptor < 0) fail_io(temporary, "cannot be created");
    for (std::size_t done = 0; done < bytes.size();) {
      const ssize_t written = ::write(file.descriptor, bytes.data() + done, bytes.size() - done);
      if (written < 0 && errno != EINTR) fail_without_trace(temporary, "cannot be written");
      done += written > 0 ? static_cast<std::size_t>(written) : 0;
    }
    if (::fsync(file.descriptor) != 0) fail_without_trace(temporary, "cannot be synced");
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) fail_without_trace(path, "cannot be renamed to");
  const std::size_t slash = path.find_last_of('/');
  const File folder{
      ::open(slash == std::string::npos ? "." : path.substr(0, slash + 1).c_str(), O_RDONLY | O_DIRECTORY)};
  if (folder.descriptor >= 0) ::fsync(folder.descriptor);
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) fail(errno == ENOENT ? ErrorKind::missing_input : ErrorKind::io, path, ": ", std::strerror(errno));
  std::string content;
  std::error_code unknown;  // of a pipe, say
  const std::uintmax_t size = std::filesystem::file_size(path, unknown);
  if (!unknown) content.reserve(size);
  std::vector<char> part(1 << 20);
  while (file.read(part.data(), static_cast<std::streamsize>(part.size())) || file.gcount() > 0)
    content.append(part.data(), static_cast<std::size_t>(file.gcount()));
  if (file.bad()) fail(ErrorKind::io, path, ": cannot be read");
  return content;
}

void save_safetensors(const std::string& path, const StateDict& tensors, const Metadata& metadata) {
  Json header = Json::object();  // nlohmann's objects are ordered by key
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::uint64_t offset = 0;
  for (const auto& [name, tensor] : tensors) {
    const std::uint64_t bytes = tensor.values.size() * sizeof(float);
    header[name] = {{"dtype", "F32"}, {"shape", tensor.shape.sizes()}, {"data_offsets", {offset, offset + bytes}}};
    offset += bytes;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');  // the values start at a multiple of 8 bytes
  const std::uint64_t length = text.size();
  std::string bytes(reinterpret_cast<const char*>(&length), sizeof length);
  bytes.reserve(sizeof length + text.size() + offset);
  bytes += text;
  for (const auto& [name, tensor] : tensors)
    bytes.append(reinterpret_cast<const char*>(tensor.values.data()), tensor.values.size() * sizeof(float));
  write_file_atomically(path, bytes);
}

Checkpoint load_safetensors(const std::string& path, bool finite_only) {
  const InputFile file(path);
  std::uint64_t length = 0;
  file.read(0, &length, std::min<std::uint64_t>(sizeof length, file.size()));
  std::string text(safetensors_header_bytes(path, length, file.size()), '\0');
  file.read(8, text.data(), text.size());
  SafetensorsHeader header = parse_safetensors_header(path, text, file.size());
  Checkpoint checkpoint;
  checkpoint.metadata = std::move(header.metadata);
  for (const StoredTensor& stored : header.tensors) {
    if (stored.format.type == ElementType::whole_number) {
      checkpoint.skipped.push_back(stored.name);
      continue;
    }
    PlainTensor tensor = read_values(file, stored);
    if (finite_only)
      require_data(std::all_of(tensor.values.begin(), tensor.values.end(), [](float v) { return std::isfinite(v); }),
                   path, ": tensor ", stored.name.substr(0, 200), ": holds NaN or infinity");
    checkpoint.tensors.emplace(stored.name, std::move(tensor));
  }
  return checkpoint;
}

}  // namespace preceptor
