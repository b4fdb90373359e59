// FORMAT:PATH?key=value&key=value taken apart, with the checks of keys and values that every format shares.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace preceptor {

struct DatasetSpec {
  std::string text;    // as it was given
  std::string format;  // before the first ':'
  std::string path;    // up to the first '?'
  std::vector<std::pair<std::string, std::string>> keys;

  // Error if a key is not one of `valid`, which the message lists.
  void allow_only(const std::vector<std::string>& valid) const;
  const std::string* find(const std::string& key) const;
  // The value of a key as a whole number in [low, high], or `fallback` where the key is absent.
  std::int64_t integer(const std::string& key, std::int64_t fallback, std::int64_t low, std::int64_t high) const;
  std::string choice(const std::string& key, const std::string& fallback, const std::vector<std::string>& valid) const;
};

DatasetSpec parse_dataset_spec(const std::string& text);

}  // namespace preceptor
