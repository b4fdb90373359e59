// Checks of what callers pass: a failed one throws Error with the given facts.
#pragma once

#include <sstream>
#include <string>

#include "kernels/device/error.h"

namespace preceptor {

// Joins its arguments as text: message("student ", shape, " and teacher ", other, " differ").
template <class... Parts>
std::string message(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

template <class... Parts>
[[noreturn]] void fail(ErrorKind kind, const Parts&... parts) {
  throw Error(kind, message(parts...));
}

// Wrong arguments of a call, for example shapes that do not fit together.
template <class... Parts>
void require(bool condition, const Parts&... parts) {
  if (!condition) fail(ErrorKind::usage, parts...);
}

// Wrong content of a file or data set.
template <class... Parts>
void require_data(bool condition, const Parts&... parts) {
  if (!condition) fail(ErrorKind::data, parts...);
}

}  // namespace preceptor
