// A MedMNIST file small enough for tests: noise whose brightness tells the grade.
#pragma once

#include <string>

#include "tests/data/npz_writer.h"

namespace preceptor::test {

// Stored members one after the other; stored_zip() makes archives of one.
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

struct SmallMedmnist {
  int train = 48, val = 24, test = 24, size = 28, channels = 3, grades = 5;
  int highest_label = 4;  // grades - 1 is right

  Members members() const {
    Members all;
    std::uint32_t noise = 12345;
    for (const auto& [part, count] : {std::pair{"train", train}, std::pair{"val", val}, std::pair{"test", test}}) {
      std::string images, labels;
      for (int i = 0; i < count; ++i) {
        const int grade = i % grades;
        labels += static_cast<char>(grade == grades - 1 ? highest_label : grade);
        for (int p = 0; p < size * size * channels; ++p) {
          noise = noise * 1664525u + 1013904223u;
          images += static_cast<char>(grade * 20 + static_cast<int>(noise >> 25));
        }
      }
      const std::string side = std::to_string(size);
      const std::string shape = "(" + std::to_string(count) + ", " + side + ", " + side +
                                (channels == 1 ? "" : ", " + std::to_string(channels)) + ")";
      all.push_back({std::string(part) + "_images.npy", npy(npy_header("|u1", shape), images)});
      all.push_back(
          {std::string(part) + "_labels.npy", npy(npy_header("|u1", "(" + std::to_string(count) + ", 1)"), labels)});
    }
    return all;
  }
  std::string bytes() const { return stored_archive(members()); }
};

}  // namespace preceptor::test
