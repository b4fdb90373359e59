// Real files for tests: the folder in PRECEPTOR_DATA, or ../shared/data beside the source.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

#include "tests/data/npz_writer.h"

namespace preceptor::test {

inline std::string real_file(const std::string& name) {
  const char* folder = std::getenv("PRECEPTOR_DATA");
  return (folder != nullptr ? std::string(folder) : std::string(PRECEPTOR_SOURCE_DIR) + "/../shared/data") + "/" + name;
}

}  // namespace preceptor::test
