// A MedMNIST file small enough for tests: noise whose brightness tells the grade.
#pragma once

#include <string>

#include "tests/data/npz_writer.h"

namespace preceptor::test {

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
