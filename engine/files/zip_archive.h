// Reads the members of a zip archive (stored or deflated, also ZIP64) through libzip and trusts none of it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

struct zip;       // zip_t and
struct zip_file;  // zip_file_t of libzip

namespace preceptor {

// A member being read from its beginning; its errors name the archive and the member. Lives no longer than its archive.
class ZipMember {
 public:
  ~ZipMember();
  ZipMember(const ZipMember&) = delete;
  ZipMember& operator=(const ZipMember&) = delete;

  std::uint64_t bytes() const { return bytes_; }  // unpacked, as the directory declares and the packed size allows
  // The next `count` bytes; Error (data) if the member ends before.
  void read(void* target, std::uint64_t count);
  // Error (data) unless everything was read and the checksum is right.
  void expect_end();

 private:
  friend class ZipArchive;
  ZipMember(zip_file* file, std::string place, std::uint64_t bytes)
      : file_(file), place_(std::move(place)), bytes_(bytes) {}
  void check(std::int64_t got);

  zip_file* file_;
  std::string place_;
  std::uint64_t bytes_, position_ = 0;
};

// Not for concurrent use. Errors: missing_input (no such file), io (unreadable), data (damaged, hostile, encrypted or
// packed in another way); they name file, member and reason.
class ZipArchive {
 public:
  // Refuses names that appear twice and members that together claim more packed bytes than the file has.
  explicit ZipArchive(const std::string& path);

  const std::string& path() const { return path_; }
  std::uint64_t file_bytes() const { return file_bytes_; }
  const std::vector<std::string>& names() const { return names_; }  // in file order
  bool contains(const std::string& name) const;
  // A member's errors begin with "PATH: member `label`". With stored_only, packed members are refused: what is read
  // cannot be larger than the file.
  ZipMember open(const std::string& name, const std::string& label, bool stored_only = false) const;

 private:
  std::string path_;
  std::uint64_t file_bytes_ = 0;
  std::vector<std::string> names_;
  std::unique_ptr<zip, void (*)(zip*)> zip_;
};

}  // namespace preceptor
