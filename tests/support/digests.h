// One number for all values that a test reads back from a device: tells if two devices compute the same bits.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace preceptor::test {

// If PRECEPTOR_DIGESTS names a file, a line per test and storage type is appended to it at the end:
//   BatchNorm.ForwardMatchesTheReference float 5f2c0a1b9d3e4f60 81920
// the test without its device, the storage type or -, the digest, and the number of values. Two such files are compared
// by tests/gpu/compare_digests.sh.
class Digests {
 public:
  static Digests& of_this_run() {
    static Digests digests;
    return digests;
  }
  Digests(const Digests&) = delete;
  Digests& operator=(const Digests&) = delete;

  // Numbers only: structs may hold addresses.
  template <class T>
  void add(const std::vector<T>& values) {
    if constexpr (requires { static_cast<double>(static_cast<float>(T{})); }) add_numbers(values);
  }
  // The storage type of the values added from here on; empty: none.
  void set_storage(const std::string& storage) { storage_ = storage.empty() ? "-" : storage; }

 private:
  struct Digest {
    std::uint64_t hash = 0xcbf29ce484222325u;  // FNV-1a
    std::size_t count = 0;
    void add(std::uint64_t bits) {
      for (int i = 0; i < 8; ++i) hash = (hash ^ (bits >> 8 * i & 0xff)) * 0x100000001b3u;
    }
  };

  Digests() = default;
  ~Digests() {
    if (digests_.empty()) return;
    std::string lines;
    char numbers[64];
    for (const auto& [key, digest] : digests_) {
      std::snprintf(numbers, sizeof numbers, " %016llx %zu\n", static_cast<unsigned long long>(digest.hash),
                    digest.count);
      lines += key.first + ' ' + key.second + numbers;
    }
    if (std::FILE* file = std::fopen(path_, "a")) {
      std::fputs(lines.c_str(), file);
      std::fclose(file);
    }
  }

  template <class T>
  void add_numbers(const std::vector<T>& values) {
    if (!path_) return;
    Digest& digest = digests_[{name_of_test(), storage_}];
    digest.count += values.size();
    for (const T& value : values) digest.add(bits_of(value));
  }

  // A NaN has other bits on a card than on an x86, and means the same.
  template <class T>
  static std::uint64_t bits_of(const T& value) {
    if (std::isnan(static_cast<float>(value))) return ~std::uint64_t{0};
    std::uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof value);
    return bits;
  }
  static std::string name_of_test() {
    const testing::TestInfo* info = testing::UnitTest::GetInstance()->current_test_info();
    if (!info) return "no test";
    std::string suite = info->test_suite_name(), name = info->name();
    suite.erase(0, suite.find('/') + 1);  // the instantiation
    return suite + '.' + name.substr(0, name.find('/'));
  }

  const char* path_ = std::getenv("PRECEPTOR_DIGESTS");
  std::string storage_ = "-";
  std::map<std::pair<std::string, std::string>, Digest> digests_;
};

}  // namespace preceptor::test
