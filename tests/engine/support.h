// What several engine tests need: exact random values, filled tensors, expected errors and a folder of their own.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <random>

#include "engine/context.h"

namespace preceptor::test {

// Multiples of 1/1024 in [-limit, limit]: moving them by a power of two of at least 1/1024 is exact.
inline std::vector<float> grid_values(std::size_t count, unsigned seed, float limit = 1) {
  std::mt19937 generator(seed);
  const int steps = static_cast<int>(limit * 1024);
  std::vector<float> values(count);
  for (float& value : values)
    value = static_cast<float>(static_cast<int>(generator() % (2u * static_cast<unsigned>(steps) + 1)) - steps) / 1024;
  return values;
}

inline Tensor tensor_of(Context& context, const Shape& shape, const std::vector<float>& values,
                        Lifetime lifetime = Lifetime::step) {
  const Tensor tensor = context.empty(shape, lifetime);
  tensor.from_host(values);
  return tensor;
}

inline std::vector<std::uint32_t> bits(const std::vector<float>& values) {
  std::vector<std::uint32_t> result;
  for (float value : values) result.push_back(std::bit_cast<std::uint32_t>(value));
  return result;
}

// function() has to throw an Error of this kind whose text holds every one of the parts.
template <class Function>
void expect_error(ErrorKind kind, const std::vector<std::string>& parts, const Function& function) {
  try {
    function();
  } catch (const Error& error) {
    EXPECT_EQ(static_cast<int>(error.kind()), static_cast<int>(kind)) << error.what();
    for (const std::string& part : parts)
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos)
          << "'" << error.what() << "' does not say '" << part << "'";
    return;
  }
  ADD_FAILURE() << "nothing was thrown";
}

// Removed with all it holds at the end.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    static int number = 0;
    folder_ = std::filesystem::temp_directory_path() / message("preceptor_engine_", getpid(), "_", number++);
    std::filesystem::create_directories(folder_);
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::filesystem::path& path() const { return folder_; }
  std::string file(const std::string& name) const { return (folder_ / name).string(); }
  std::vector<std::string> names() const {
    std::vector<std::string> result;
    for (const auto& entry : std::filesystem::directory_iterator(folder_))
      result.push_back(entry.path().filename().string());
    return result;
  }

 private:
  std::filesystem::path folder_;
};

}  // namespace preceptor::test
