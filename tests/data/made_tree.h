// Folders in the layout of public data sets, made for tests: tiny images, tables as downloaded.
#pragma once

#include <filesystem>
#include <string>

#include "tests/data/image_writer.h"

namespace preceptor::test {

class MadeTree {
 public:
  std::string path(const std::string& name) const { return folder_.file(name); }
  void file(const std::string& name, const std::string& bytes) const {
    std::filesystem::create_directories(std::filesystem::path(path(name)).parent_path());
    write_bytes(path(name), bytes);
  }
  // A grey PNG of one value, `size` pixels along each side.
  void grey(const std::string& name, int value, int size = 8) const {
    file(name,
         png({size, size, 1,
              std::vector<std::uint8_t>(static_cast<std::size_t>(size) * size, static_cast<std::uint8_t>(value))}));
  }

 private:
  TemporaryFolder folder_;
};

}  // namespace preceptor::test
