// FORMAT:PATH?key=value&key=value split into its parts, with the checks of keys and values that all formats share.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace preceptor {

struct DatasetSpec {
  std::string text;    // as given
  std::string format;  // before the first ':'
  std::string path;    // up to the first '?'
  std::vector<std::pair<std::string, std::string>> keys;

  // Errors: usage, listing `valid`, for a key that is not one of them.
  void allow_only(const std::vector<std::string>& valid) const;
  const std::string* find(const std::string& key) const;
  // The value of a key; `fallback` if it is absent. Errors: usage, for an integer outside [low, high] and for a choice
  // that is not one of `valid`.
  std::string text_of(const std::string& key, const std::string& fallback) const;
  std::int64_t integer(const std::string& key, std::int64_t fallback, std::int64_t low, std::int64_t high) const;
  std::string choice(const std::string& key, const std::string& fallback, const std::vector<std::string>& valid) const;
};

DatasetSpec parse_dataset_spec(const std::string& text);

}  // namespace preceptor
