// Whole files, and parts of one.
#pragma once

#include <cstdint>
#include <string>

namespace preceptor {

// A file descriptor that is closed at the end of its scope; below 0 for none.
struct Descriptor {
  int number = -1;

  explicit Descriptor(int opened) : number(opened) {}
  ~Descriptor();
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
};

// A regular file that is read in parts, straight to their destination. Errors: missing_input, io.
class InputFile {
 public:
  explicit InputFile(const std::string& path);
  std::uint64_t size() const { return size_; }
  void read(std::uint64_t at, void* to, std::uint64_t bytes) const;

 private:
  std::string path_;
  Descriptor file_;
  std::uint64_t size_ = 0;
};

// The file appears whole or not at all (temporary name, sync, rename). Errors: io.
void write_file_atomically(const std::string& path, const std::string& bytes);

// Makes it and those above it, unless they are there. Errors: io.
void make_folder(const std::string& path);

// The first `most` bytes. Errors: missing_input, io.
std::string read_file(const std::string& path, std::uint64_t most = UINT64_MAX);

}  // namespace preceptor
