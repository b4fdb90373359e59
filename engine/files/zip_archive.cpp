// Zip archives through libzip: sizes are compared before memory is asked for, so a lying file costs nothing.
#include "engine/files/zip_archive.h"

#include <zip.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "engine/files/check.h"

namespace preceptor {
namespace {

// Deflate codes at most 258 bytes in 2 bits; anything above cannot be true.
constexpr std::uint64_t deflate_best_ratio = 1032;

// The file exists when libzip opens it, so every later error except a failed read is due to its content, even invalid
// seek positions, directories too large for memory and "no such file".
[[noreturn]] void fail_zip(int zip_code, const std::string& place) {
  const bool io = zip_code == ZIP_ER_OPEN || zip_code == ZIP_ER_READ;
  zip_error_t error;
  zip_error_init_with_code(&error, zip_code);
  const std::string text = zip_code == ZIP_ER_NOENT ? "the archive is damaged" : zip_error_strerror(&error);
  zip_error_fini(&error);
  fail(io ? ErrorKind::io : ErrorKind::data, place, ": ", text);
}

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

}  // namespace

ZipMember::~ZipMember() { zip_fclose(file_); }

void ZipMember::read(void* target, std::uint64_t count) {
  std::uint64_t done = 0;
  while (done < count) {
    const std::uint64_t piece = std::min<std::uint64_t>(count - done, 1 << 24);
    const std::int64_t got = zip_fread(file_, static_cast<char*>(target) + done, piece);
    check(got);
    require_data(got > 0, place_, ": ends after ", position_, " bytes, in the middle of its content");
    done += static_cast<std::uint64_t>(got);
    position_ += static_cast<std::uint64_t>(got);
  }
}

// libzip compares the checksum only when a read meets the end.
void ZipMember::expect_end() {
  char extra = 0;
  const std::int64_t got = zip_fread(file_, &extra, 1);
  check(got);
  require_data(got == 0, place_, ": goes on after the ", position_, " bytes it declares");
}

void ZipMember::check(std::int64_t got) {
  if (got >= 0) return;
  const int code = zip_error_code_zip(zip_file_get_error(file_));
  fail_zip(code, message(place_, ": after ", position_, " bytes"));
}

ZipArchive::ZipArchive(const std::string& path) : path_(path), zip_(nullptr, zip_discard) {
  std::error_code failure;
  const auto status = std::filesystem::status(path, failure);
  if (!std::filesystem::exists(status)) fail(ErrorKind::missing_input, path, ": no such file");
  if (!std::filesystem::is_regular_file(status)) fail(ErrorKind::io, path, ": is no regular file");
  file_bytes_ = std::filesystem::file_size(path, failure);
  if (failure) fail(ErrorKind::io, path, ": ", failure.message());
  require_data(file_bytes_ > 0, path, ": is empty");
  int code = 0;
  zip_.reset(zip_open(path.c_str(), ZIP_RDONLY, &code));
  if (zip_ == nullptr) fail_zip(code, path + ": cannot be opened as a zip archive");

  std::set<std::string> seen;
  std::uint64_t claimed = 0;
  const zip_int64_t count = zip_get_num_entries(zip_.get(), 0);
  for (zip_int64_t i = 0; i < count; ++i) {
    zip_stat_t entry;
    zip_stat_init(&entry);
    const auto index = static_cast<zip_uint64_t>(i);
    const char* name = zip_get_name(zip_.get(), index, ZIP_FL_ENC_RAW);
    require_data(name != nullptr && zip_stat_index(zip_.get(), index, 0, &entry) == 0, path, ": member number ", i,
                 " has no name or no size");
    require_data(seen.insert(name).second, path, ": member ", std::string(name).substr(0, 200), " appears twice");
    names_.push_back(name);
    // Overlapping members would let a small file ask for any amount of memory.
    require_data(entry.comp_size <= file_bytes_ - claimed, path,
                 ": its members claim more packed bytes than the file's ", file_bytes_);
    claimed += entry.comp_size;
  }
}

bool ZipArchive::contains(const std::string& name) const {
  return zip_name_locate(zip_.get(), name.c_str(), ZIP_FL_ENC_RAW) >= 0;
}

ZipMember ZipArchive::open(const std::string& name, const std::string& label, bool stored_only) const {
  const std::string place = path_ + ": member " + label;
  const zip_int64_t index = zip_name_locate(zip_.get(), name.c_str(), ZIP_FL_ENC_RAW);
  require_data(index >= 0, place, ": is missing");
  zip_stat_t entry;
  zip_stat_init(&entry);
  if (zip_stat_index(zip_.get(), static_cast<zip_uint64_t>(index), 0, &entry) != 0)
    fail(ErrorKind::data, place, ": ", zip_strerror(zip_.get()));
  check_entry(entry, file_bytes_, place);
  require_data(!stored_only || entry.comp_method == ZIP_CM_STORE, place, ": is compressed; torch.save only stores");
  zip_file_t* file = zip_fopen_index(zip_.get(), static_cast<zip_uint64_t>(index), 0);
  if (file == nullptr) fail_zip(zip_error_code_zip(zip_get_error(zip_.get())), place);
  return ZipMember(file, place, entry.size);
}

}  // namespace preceptor
