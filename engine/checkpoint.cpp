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

#include "engine/element_type.h"

namespace preceptor {
namespace {

using Json = nlohmann::json;
constexpr std::uint64_t largest_header = 100'000'000;  // the format's own limit

struct Entry {
  std::string name;
  ElementFormat format;
  std::vector<int> sizes;
  std::uint64_t begin, end;  // within the data part
};

// Every number of the header is checked before it is used; `where` opens each message.
Entry parse_entry(const std::string& where, const std::string& name, const Json& json, std::uint64_t data_bytes) {
  const auto check = [&](bool good, const char* reason) {
    require_data(good, where, "tensor ", name.substr(0, 200), ": ", reason);
  };
  check(json.is_object() && json.contains("dtype") && json.contains("shape") && json.contains("data_offsets"),
        "dtype, shape or data_offsets is missing");
  const Json &type = json["dtype"], &shape = json["shape"], &offsets = json["data_offsets"];
  const auto format = type.is_string() ? element_format(type.get<std::string>()) : std::nullopt;
  check(format.has_value(), "the dtype is none of F64, F32, F16, BF16, or of whole numbers");
  check(shape.is_array() && shape.size() <= 8, "the shape is no list of at most 8 sizes");
  check(offsets.is_array() && offsets.size() == 2 && offsets[0].is_number_unsigned() && offsets[1].is_number_unsigned(),
        "data_offsets are not two positions");
  Entry entry{name, *format, {}, offsets[0].get<std::uint64_t>(), offsets[1].get<std::uint64_t>()};
  check(entry.begin <= entry.end && entry.end <= data_bytes, "data_offsets lie outside the file");
  std::uint64_t bytes = entry.format.bytes;
  for (const Json& size : shape) {
    check(size.is_number_unsigned() && size.get<std::uint64_t>() <= 0x7fffffffu, "a size is no count");
    entry.sizes.push_back(size.get<int>());
    // bytes stays below 2^63: it was at most the size of the file before this multiplication by less than 2^31.
    bytes *= size.get<std::uint64_t>();
    check(bytes <= data_bytes, "the shape is larger than the file");
  }
  check(bytes == entry.end - entry.begin, "shape and data_offsets disagree");
  return entry;
}

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

// `data` is where the file's values begin.
PlainTensor read_values(const InputFile& file, std::uint64_t data, const Entry& entry) {
  const std::uint64_t bytes = entry.end - entry.begin;
  PlainTensor tensor{Shape(entry.sizes), std::vector<float>(bytes / entry.format.bytes)};
  if (entry.format.type == ElementType::f32) {
    file.read(data + entry.begin, tensor.values.data(), bytes);
    return tensor;
  }
  std::vector<char> stored(bytes);
  file.read(data + entry.begin, stored.data(), bytes);
  to_floats(entry.format.type, stored.data(), tensor.values.size(), tensor.values.data());
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
  const std::string where = path + ": ";
  const InputFile file(path);
  require_data(file.size() >= 8, where, "is no safetensors file: it has only ", file.size(), " bytes");
  std::uint64_t length;
  file.read(0, &length, sizeof length);
  require_data(length <= largest_header && length <= file.size() - 8, where, "is no safetensors file: a header of ",
               length, " bytes does not fit");
  std::string text(length, '\0');
  file.read(8, text.data(), length);
  const Json header = Json::parse(text, nullptr, false);
  require_data(header.is_object(), where, "the header is no JSON object");
  const std::uint64_t data = 8 + length, data_bytes = file.size() - data;

  Checkpoint checkpoint;
  std::vector<Entry> entries;
  for (const auto& [name, json] : header.items()) {
    if (name != "__metadata__") {
      entries.push_back(parse_entry(where, name, json, data_bytes));
      continue;
    }
    require_data(json.is_object(), where, "__metadata__ is no object");
    for (const auto& [key, value] : json.items()) {
      require_data(value.is_string(), where, "__metadata__ holds something else than text");
      checkpoint.metadata[key] = value.get<std::string>();
    }
  }
  std::sort(entries.begin(), entries.end(),
            [](const Entry& a, const Entry& b) { return std::pair(a.begin, a.end) < std::pair(b.begin, b.end); });
  std::uint64_t expected = 0;
  for (const Entry& entry : entries) {
    require_data(entry.begin == expected, where, "tensor ", entry.name.substr(0, 200),
                 ": overlaps another or leaves a gap");
    expected = entry.end;
    if (entry.format.type == ElementType::whole_number) {
      checkpoint.skipped.push_back(entry.name);
      continue;
    }
    PlainTensor tensor = read_values(file, data, entry);
    if (finite_only)
      require_data(std::all_of(tensor.values.begin(), tensor.values.end(), [](float v) { return std::isfinite(v); }),
                   where, "tensor ", entry.name.substr(0, 200), ": holds NaN or infinity");
    checkpoint.tensors.emplace(entry.name, std::move(tensor));
  }
  require_data(expected == data_bytes, where, "has ", data_bytes - expected, " bytes behind the last tensor");
  return checkpoint;
}

}  // namespace preceptor
