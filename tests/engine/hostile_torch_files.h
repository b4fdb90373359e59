// Files that claim to be of PyTorch and must be refused, and the storage of six floats that they hold.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "tests/support/torch_writer.h"

namespace preceptor::test {

template <class T>
std::string raw(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

inline const std::string six = raw<float>({1, 2, 3, 4, 5, 6});
inline const View six_values{"FloatStorage", "0", 6, 0, {2, 3}, {3, 1}};

inline View with_window(std::int64_t offset, std::vector<std::int64_t> sizes, std::vector<std::int64_t> strides) {
  return {"FloatStorage", "0", 6, offset, std::move(sizes), std::move(strides)};
}

// A file, and a part of the error that must refuse it.
struct Hostile {
  std::string name, bytes, reason;
};

// Pickles that break the rules of the format, of its machine or of PyTorch, and archives that lie about their members.
std::vector<Hostile> hostile_torch_files();

}  // namespace preceptor::test
