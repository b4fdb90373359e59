// Lists in messages, and simple operations on text.
#pragma once

#include <algorithm>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace preceptor {

// "a, b, c". of: what gives an entry's name, for example a member.
template <class Range, class Of = std::identity>
std::string list(const Range& entries, const Of& of = {}) {
  std::string text;
  bool first = true;
  for (const auto& entry : entries) {
    if (!first) text += ", ";
    first = false;
    text += std::invoke(of, entry);
  }
  return text;
}

// The parts between separators, empty ones included; one empty part for an empty text.
inline std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (std::size_t begin = 0; begin <= text.size(); begin += parts.back().size() + 1)
    parts.push_back(text.substr(begin, text.find(separator, begin) - begin));
  return parts;
}

// Letters from A to Z; all else stays.
inline std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return text;
}

}  // namespace preceptor
