// Writes by position; reads from the mapped file.
#include "data/storage/row_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "engine/files/check.h"
#include "engine/files/element_type.h"

namespace preceptor {
namespace {

constexpr const char* format_name = "preceptor-rows-1";
constexpr const char* content_name = "content";

std::uint64_t value_bytes(const RowLayout& layout) { return layout.rounded ? 2 : 4; }

}  // namespace

std::uint64_t RowTensor::values() const {
  std::uint64_t count = 1;
  for (const int size : sizes) count *= static_cast<std::uint64_t>(size);
  return count;
}

std::uint64_t RowLayout::file_bytes() const {
  std::uint64_t row = 8;
  for (const RowTensor& tensor : tensors) row += tensor.values() * value_bytes(*this);
  return rows * row;
}

RowFileWriter::RowFileWriter(const std::string& path, const RowLayout& layout, const Metadata& metadata)
    : path_(path), layout_(layout) {
  require(layout.rows > 0 && layout.rows <= 0x7fffffffu && !layout.tensors.empty(), path, ": no rows to write");
  const std::string temporary = path + ".tmp";
  descriptor_ = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  if (descriptor_ < 0) fail(ErrorKind::io, temporary, ": cannot be created: ", std::strerror(errno));
  // Truncated only if no other process is writing it.
  const bool alone = ::flock(descriptor_, LOCK_EX | LOCK_NB) == 0;
  if (!alone || ::ftruncate(descriptor_, 0) != 0) {
    ::close(descriptor_);
    fail(ErrorKind::io, temporary, alone ? ": cannot be written" : ": another run is writing it");
  }
  std::vector<TensorPlan> plan = {{content_name, "U64", {layout.rows}}};
  for (const RowTensor& tensor : layout.tensors) {
    plan.push_back({tensor.name, layout.rounded ? "BF16" : "F32", {layout.rows}});
    plan.back().shape.insert(plan.back().shape.end(), tensor.sizes.begin(), tensor.sizes.end());
  }
  Metadata all = metadata;
  all["format"] = format_name;
  const std::string header = safetensors_header(plan, all, page_bytes);
  for (const TensorPlan& tensor : plan) begins_.push_back(tensor.begin);
  write_at(0, header.data(), header.size());
}

RowFileWriter::~RowFileWriter() {
  if (descriptor_ < 0) return;
  ::unlink((path_ + ".tmp").c_str());
  ::close(descriptor_);
}

void RowFileWriter::write_at(std::uint64_t position, const void* bytes, std::size_t count) {
  for (std::size_t done = 0; done < count;) {
    const ssize_t written = ::pwrite(descriptor_, static_cast<const char*>(bytes) + done, count - done,
                                     static_cast<off_t>(position + done));
    if (written < 0 && errno != EINTR) fail(ErrorKind::io, path_, ".tmp: cannot be written: ", std::strerror(errno));
    done += written > 0 ? static_cast<std::size_t>(written) : 0;
  }
}

void RowFileWriter::write_content(std::uint64_t first, std::span<const std::uint64_t> content) {
  require(first <= layout_.rows && content.size() <= layout_.rows - first, path_, ": rows beyond the last");
  write_at(begins_[0] + first * 8, content.data(), content.size_bytes());
}

void RowFileWriter::write(std::uint64_t first, std::size_t tensor, std::span<const float> values) {
  const std::uint64_t row = layout_.tensors.at(tensor).values();
  require(values.size() % row == 0 && first <= layout_.rows && values.size() / row <= layout_.rows - first, path_,
          ": rows beyond the last, or a part of one");
  const std::uint64_t position = begins_[1 + tensor] + first * row * value_bytes(layout_);
  if (!layout_.rounded) return write_at(position, values.data(), values.size_bytes());
  std::vector<std::uint16_t> rounded(values.size());
  to_bfloat16(values, rounded.data());
  write_at(position, rounded.data(), rounded.size() * sizeof rounded[0]);
}

void RowFileWriter::finish() {
  if (::fsync(descriptor_) != 0 || ::rename((path_ + ".tmp").c_str(), path_.c_str()) != 0)
    fail(ErrorKind::io, path_, ": cannot be written: ", std::strerror(errno));
  ::close(descriptor_);
  descriptor_ = -1;
}

RowFile::RowFile(const std::string& path) : path_(path), file_(path) {
  SafetensorsHeader header = read_header(file_, path);
  metadata_ = std::move(header.metadata);
  require_data(metadata_["format"] == format_name, path, ": is not a row file of this version");
  metadata_.erase("format");
  const std::vector<StoredTensor>& stored = header.tensors;
  require_data(stored.size() >= 2 && stored[0].name == content_name && stored[0].dtype == "U64" &&
                   stored[0].sizes.size() == 1 && stored[0].sizes[0] > 0,
               path, ": does not begin with the content of its rows");
  layout_.rows = static_cast<std::uint64_t>(stored[0].sizes[0]);
  layout_.rounded = stored[1].dtype == "BF16";
  content_ = stored[0].begin;
  for (auto tensor = stored.begin() + 1; tensor != stored.end(); ++tensor) {
    require_data(tensor->dtype == (layout_.rounded ? "BF16" : "F32") && tensor->sizes.size() >= 2 &&
                     tensor->sizes[0] == stored[0].sizes[0] && tensor->end > tensor->begin,
                 path, ": tensor ", tensor->name.substr(0, 200), " does not hold a float or bfloat16 for every row");
    layout_.tensors.push_back({tensor->name, {tensor->sizes.begin() + 1, tensor->sizes.end()}});
    begins_.push_back(tensor->begin);
  }
}

// Copies bytes, because a file from elsewhere may hold its values at any alignment.
std::uint64_t RowFile::content(std::uint64_t row) const {
  require(row < layout_.rows, path_, ": row ", row, " of ", layout_.rows);
  std::uint64_t value = 0;
  std::memcpy(&value, file_.bytes().data() + content_ + row * sizeof value, sizeof value);
  return value;
}

std::span<const std::uint8_t> RowFile::stored(std::uint64_t row, std::size_t tensor) const {
  require(row < layout_.rows, path_, ": row ", row, " of ", layout_.rows);
  const std::uint64_t bytes = layout_.tensors.at(tensor).values() * value_bytes(layout_);
  return file_.bytes().subspan(begins_[tensor] + row * bytes, bytes);
}

void RowFile::read(std::uint64_t row, std::size_t tensor, std::span<float> values) const {
  const std::span<const std::uint8_t> from = stored(row, tensor);
  require(values.size() == layout_.tensors[tensor].values(), path_, ": ", values.size(), " values for a row of ",
          layout_.tensors[tensor].values());
  to_floats(layout_.rounded ? ElementType::bf16 : ElementType::f32, reinterpret_cast<const char*>(from.data()),
            values.size(), values.data());
}

}  // namespace preceptor
