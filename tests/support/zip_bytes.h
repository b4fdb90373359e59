// Zip archives byte by byte, for tests to spoil.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace preceptor::test {

inline std::string little_endian(std::uint64_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> (8 * i) & 0xFF);
  return text;
}

inline std::uint32_t crc32(const std::string& bytes) {
  std::uint32_t crc = 0xFFFFFFFFu;
  for (const char c : bytes) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320u : 0u);
  }
  return ~crc;
}

using Members = std::vector<std::pair<std::string, std::string>>;

// An archive of stored members.
inline std::string stored_archive(const Members& members) {
  std::string file, directory;
  for (const auto& [name, content] : members) {
    const std::string size = little_endian(content.size(), 4);
    const std::string common = little_endian(20, 2) + std::string(6, '\0') + little_endian(0x21, 2) +
                               little_endian(crc32(content), 4) + size + size + little_endian(name.size(), 2) +
                               little_endian(0, 2);
    directory +=
        "PK\x01\x02" + little_endian(20, 2) + common + std::string(10, '\0') + little_endian(file.size(), 4) + name;
    file += "PK\x03\x04" + common + name + content;
  }
  const std::string count = little_endian(members.size(), 2);
  return file + directory + "PK\x05\x06" + std::string(4, '\0') + count + count + little_endian(directory.size(), 4) +
         little_endian(file.size(), 4) + std::string(2, '\0');
}

}  // namespace preceptor::test
