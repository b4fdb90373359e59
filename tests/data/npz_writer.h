// Writes .npz files for tests: sound ones through libzip, and single-member archives byte by byte to be spoilt.
#pragma once

#include <gtest/gtest.h>
#include <zip.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "kernels/device/error.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/zip_bytes.h"

namespace preceptor::test {

// A .npy with any header text, true or not.
inline std::string npy(const std::string& header, const std::string& data, int version = 1) {
  return std::string("\x93NUMPY") + static_cast<char>(version) + '\0' +
         little_endian(header.size(), version == 1 ? 2 : 4) + header + data;
}

inline std::string npy_header(const std::string& dtype, const std::string& shape,
                              const std::string& fortran = "False") {
  return "{'descr': '" + dtype + "', 'fortran_order': " + fortran + ", 'shape': " + shape + ", }      \n";
}

template <class Element>
std::string raw(const std::vector<Element>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(Element)};
}

// Members by full name ("train_images.npy"), all with one compression method.
inline void write_zip(const std::string& path, const Members& members, int method = ZIP_CM_DEFLATE) {
  int code = 0;
  zip_t* archive = zip_open(path.c_str(), ZIP_CREATE | ZIP_TRUNCATE, &code);
  ASSERT_NE(archive, nullptr) << code;
  for (const auto& [name, content] : members) {
    zip_source_t* source = zip_source_buffer(archive, content.data(), content.size(), 0);
    const zip_int64_t index = zip_file_add(archive, name.c_str(), source, ZIP_FL_ENC_UTF_8);
    ASSERT_GE(index, 0) << zip_strerror(archive);
    ASSERT_EQ(zip_set_file_compression(archive, static_cast<zip_uint64_t>(index), method, 0), 0);
  }
  ASSERT_EQ(zip_close(archive), 0) << zip_strerror(archive);
}

enum class Zip64 { none, local, everywhere };

// One stored member. Zip64::local is what numpy writes: sizes 0xFFFFFFFF and a ZIP64 field in the local header alone.
inline std::string stored_zip(const std::string& name, const std::string& content, Zip64 zip64) {
  const std::string size = little_endian(content.size(), 4), far_size = little_endian(content.size(), 8);
  const std::string unknown(4, '\xFF');
  const std::string field = little_endian(1, 2) + little_endian(16, 2) + far_size + far_size;
  const bool local64 = zip64 != Zip64::none, central64 = zip64 == Zip64::everywhere;
  const std::string version = little_endian(local64 ? 45 : 20, 2);
  // Version, flags, method, time, date (1980-01-01), checksum.
  const std::string common = version + std::string(6, '\0') + little_endian(0x21, 2) + little_endian(crc32(content), 4);
  const auto sizes = [&](bool far) { return far ? unknown + unknown : size + size; };
  const auto lengths = [&](bool far) {
    return little_endian(name.size(), 2) + little_endian(far ? field.size() : 0, 2);
  };
  std::string file =
      "PK\x03\x04" + common + sizes(local64) + lengths(local64) + name + (local64 ? field : "") + content;
  const std::size_t directory = file.size();
  file += "PK\x01\x02" + version + common + sizes(central64) + lengths(central64) + std::string(14, '\0') + name +
          (central64 ? field : "");
  const std::size_t directory_bytes = file.size() - directory;
  return file + "PK\x05\x06" + std::string(4, '\0') + little_endian(1, 2) + little_endian(1, 2) +
         little_endian(directory_bytes, 4) + little_endian(directory, 4) + std::string(2, '\0');
}

// Runs the call and expects an Error of this kind whose message holds every one of the words.
template <class Call>
void expect_error(const Call& call, ErrorKind kind, const std::vector<std::string>& words) {
  try {
    call();
    ADD_FAILURE() << "no error was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(static_cast<int>(error.kind()), static_cast<int>(kind)) << error.what();
    for (const std::string& word : words) {
      EXPECT_NE(std::string(error.what()).find(word), std::string::npos) << "'" << word << "' not in: " << error.what();
    }
  }
}

}  // namespace preceptor::test
