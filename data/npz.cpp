// .npz through libzip: sizes are compared before memory is asked for, so a lying file costs nothing.
#include "data/npz.h"

#include <zip.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <set>

#include "data/npy.h"
#include "engine/check.h"

namespace preceptor {
namespace {

// Deflate codes at most 258 bytes in 2 bits; anything above cannot be true.
constexpr std::uint64_t deflate_best_ratio = 1032;

std::string describe(int zip_code) {
  zip_error_t error;
  zip_error_init_with_code(&error, zip_code);
  std::string text = zip_error_strerror(&error);
  zip_error_fini(&error);
  return text;
}

ErrorKind kind_of(int zip_code) {
  switch (zip_code) {
    case ZIP_ER_NOENT:
      return ErrorKind::missing_input;
    case ZIP_ER_OPEN:
    case ZIP_ER_READ:
    case ZIP_ER_SEEK:
    case ZIP_ER_TELL:
      return ErrorKind::io;
    case ZIP_ER_MEMORY:
      return ErrorKind::internal;
    default:
      return ErrorKind::data;
  }
}

// One member being read; its place is "FILE: member NAME".
class Member {
 public:
  Member(zip_t* archive, zip_uint64_t index, const std::string& place) : place_(place) {
    file_ = zip_fopen_index(archive, index, 0);
    if (file_ == nullptr) {
      const int code = zip_error_code_zip(zip_get_error(archive));
      fail(kind_of(code), place_, ": ", describe(code));
    }
  }
  ~Member() { zip_fclose(file_); }
  Member(const Member&) = delete;
  Member& operator=(const Member&) = delete;

  void read(void* target, std::uint64_t bytes) {
    std::uint64_t done = 0;
    while (done < bytes) {
      const std::uint64_t piece = std::min<std::uint64_t>(bytes - done, 1 << 24);
      const std::int64_t got = zip_fread(file_, static_cast<char*>(target) + done, piece);
      check(got);
      require_data(got > 0, place_, ": ends after ", position_, " bytes, in the middle of its content");
      done += static_cast<std::uint64_t>(got);
      position_ += static_cast<std::uint64_t>(got);
    }
  }

  // libzip compares the checksum only when a read meets the end.
  void expect_end() {
    char extra = 0;
    const std::int64_t got = zip_fread(file_, &extra, 1);
    check(got);
    require_data(got == 0, place_, ": goes on after the ", position_, " bytes it declares");
  }

 private:
  void check(std::int64_t got) {
    if (got >= 0) return;
    const int code = zip_error_code_zip(zip_file_get_error(file_));
    fail(kind_of(code), place_, ": after ", position_, " bytes: ", describe(code));
  }

  zip_file_t* file_ = nullptr;
  std::string place_;
  std::uint64_t position_ = 0;
};

// Refuses what could only come from a damaged or hostile directory.
void check_entry(const zip_stat_t& entry, std::uint64_t file_bytes, const std::string& place) {
  require_data(entry.encryption_method == ZIP_EM_NONE, place, ": is encrypted");
  require_data(entry.comp_method == ZIP_CM_STORE || entry.comp_method == ZIP_CM_DEFLATE, place, ": compression method ",
               entry.comp_method, " is neither stored nor deflated");
  require_data(entry.comp_size <= file_bytes, place, ": claims ", entry.comp_size, " packed bytes in a file of ",
               file_bytes);
  const bool possible = entry.comp_method == ZIP_CM_STORE ? entry.size == entry.comp_size
                                                          : entry.size / deflate_best_ratio <= entry.comp_size;
  require_data(possible, place, ": ", entry.comp_size, " packed bytes cannot hold the ", entry.size,
               " bytes it declares");
}

template <class Element>
void append_integers(const Array& array, const std::string& place, std::vector<std::int64_t>& result) {
  for (std::size_t offset = 0; offset < array.bytes.size(); offset += sizeof(Element)) {
    Element value;
    std::memcpy(&value, array.bytes.data() + offset, sizeof value);
    if constexpr (std::is_same_v<Element, std::uint64_t>) {
      require_data(value <= static_cast<std::uint64_t>(INT64_MAX), place, ": element ", offset / 8, " is ", value,
                   ", beyond 64-bit signed numbers");
    }
    result.push_back(static_cast<std::int64_t>(value));
  }
}

}  // namespace

std::vector<std::int64_t> integers(const Array& array, const std::string& place) {
  std::vector<std::int64_t> result;
  const std::string type = array.dtype.size() == 3 ? array.dtype.substr(1) : "";
  if (type == "u1" || type == "b1")
    append_integers<std::uint8_t>(array, place, result);
  else if (type == "i1")
    append_integers<std::int8_t>(array, place, result);
  else if (type == "u2")
    append_integers<std::uint16_t>(array, place, result);
  else if (type == "i2")
    append_integers<std::int16_t>(array, place, result);
  else if (type == "u4")
    append_integers<std::uint32_t>(array, place, result);
  else if (type == "i4")
    append_integers<std::int32_t>(array, place, result);
  else if (type == "u8")
    append_integers<std::uint64_t>(array, place, result);
  else if (type == "i8")
    append_integers<std::int64_t>(array, place, result);
  else
    fail(ErrorKind::data, place, ": element type '", array.dtype, "' where whole numbers are expected");
  return result;
}

struct Npz::Archive {
  explicit Archive(const std::string& file) : path(file) {}
  ~Archive() {
    if (zip != nullptr) zip_discard(zip);
  }
  Archive(const Archive&) = delete;
  Archive& operator=(const Archive&) = delete;

  std::string path;
  std::uint64_t file_bytes = 0;
  zip_t* zip = nullptr;
};

Npz::Npz(const std::string& path) : archive_(std::make_unique<Archive>(path)) {
  std::error_code failure;
  const auto status = std::filesystem::status(path, failure);
  if (!std::filesystem::exists(status)) fail(ErrorKind::missing_input, path, ": no such file");
  if (!std::filesystem::is_regular_file(status)) fail(ErrorKind::io, path, ": is no regular file");
  archive_->file_bytes = std::filesystem::file_size(path, failure);
  if (failure) fail(ErrorKind::io, path, ": ", failure.message());
  require_data(archive_->file_bytes > 0, path, ": is empty");
  int code = 0;
  archive_->zip = zip_open(path.c_str(), ZIP_RDONLY, &code);
  if (archive_->zip == nullptr) fail(kind_of(code), path, ": cannot be opened as a zip archive: ", describe(code));
  std::set<std::string> seen;
  for (const std::string& name : names()) {
    require_data(seen.insert(name).second, path, ": member ", name, " appears twice");
  }
}

Npz::~Npz() = default;
Npz::Npz(Npz&&) noexcept = default;
Npz& Npz::operator=(Npz&&) noexcept = default;

const std::string& Npz::path() const { return archive_->path; }

std::vector<std::string> Npz::names() const {
  std::vector<std::string> result;
  const zip_int64_t count = zip_get_num_entries(archive_->zip, 0);
  for (zip_int64_t i = 0; i < count; ++i) {
    const char* name = zip_get_name(archive_->zip, static_cast<zip_uint64_t>(i), ZIP_FL_ENC_RAW);
    require_data(name != nullptr, archive_->path, ": member number ", i, " has no name");
    std::string text = name;
    if (text.ends_with(".npy")) text.resize(text.size() - 4);
    result.push_back(text);
  }
  return result;
}

Array Npz::read(const std::string& name) const {
  const std::string place = archive_->path + ": member " + name;
  const zip_int64_t index = zip_name_locate(archive_->zip, (name + ".npy").c_str(), ZIP_FL_ENC_RAW);
  if (index < 0) {
    std::string present;
    for (const std::string& other : names()) present += (present.empty() ? "" : ", ") + other;
    fail(ErrorKind::data, place, ": is missing; present: ", present.empty() ? "nothing" : present);
  }
  zip_stat_t entry;
  zip_stat_init(&entry);
  if (zip_stat_index(archive_->zip, static_cast<zip_uint64_t>(index), 0, &entry) != 0) {
    fail(ErrorKind::data, place, ": ", zip_strerror(archive_->zip));
  }
  check_entry(entry, archive_->file_bytes, place);

  Member member(archive_->zip, static_cast<zip_uint64_t>(index), place);
  char prefix[npy_prefix_bytes];
  member.read(prefix, npy_prefix_bytes);
  const int length_bytes = npy_length_bytes({prefix, npy_prefix_bytes}, place);
  unsigned char length[4] = {};
  member.read(length, static_cast<std::uint64_t>(length_bytes));
  std::uint64_t header_bytes = 0;
  for (int i = 3; i >= 0; --i) header_bytes = header_bytes << 8 | length[i];
  const std::uint64_t begin = npy_prefix_bytes + static_cast<std::uint64_t>(length_bytes) + header_bytes;
  require_data(header_bytes <= npy_longest_header && begin <= entry.size, place, ": array header of ", header_bytes,
               " bytes in a member of ", entry.size);
  std::string text(header_bytes, ' ');
  member.read(text.data(), header_bytes);
  NpyHeader header = parse_npy_header(text, place);
  require_data(entry.size - begin == header.data_bytes, place, ": its header asks for ", header.data_bytes,
               " bytes of numbers, the member holds ", entry.size - begin);

  Array array{std::move(header.shape), std::move(header.dtype), {}};
  array.bytes.resize(header.data_bytes);
  member.read(array.bytes.data(), header.data_bytes);
  member.expect_end();
  return array;
}

}  // namespace preceptor
