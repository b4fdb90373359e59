// Names in messages, and names in lower case.
#pragma once

#include <algorithm>
#include <functional>
#include <string>

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

// Letters from A to Z; all else stays.
inline std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return text;
}

}  // namespace preceptor
