// Reads the arrays of an untrusted .npz file (a zip archive of .npy members, stored or deflated, also ZIP64).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/files/zip_archive.h"

namespace preceptor {

struct Array {
  std::vector<std::int64_t> shape;
  std::string dtype;                // "|u1", "<i8", "<f4", ... as in the file
  std::vector<std::uint8_t> bytes;  // little-endian, last index fastest
};

// The elements of an integer or boolean array; Error (data) for other types. `place` begins the message.
std::vector<std::int64_t> integers(const Array& array, const std::string& place);

// The elements of an array of float32 or float64; Error (data) for other types.
std::vector<double> real_numbers(const Array& array, const std::string& place);

// Not for concurrent use. Errors: missing_input (no such file), io (unreadable), data (damaged or not supported); they
// name file, member and reason.
class Npz {
 public:
  explicit Npz(const std::string& path) : archive_(path) {}

  const std::string& path() const { return archive_.path(); }
  std::vector<std::string> names() const;  // without ".npy", in file order
  Array read(const std::string& name) const;

 private:
  ZipArchive archive_;
};

}  // namespace preceptor
