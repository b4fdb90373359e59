// The one exception type of the library: a fact, a place and a category that an app turns into its exit code.
#pragma once

#include <stdexcept>
#include <string>

namespace preceptor {

// The values are the process exit codes of the apps (sysexits.h).
enum class ErrorKind : int {
  usage = 64,          // a wrong flag, argument or combination of shapes
  data = 65,           // a file whose content is wrong
  missing_input = 66,  // a file that is not there
  internal = 70,       // a bug, or a library that failed
  io = 74,             // a read or write that failed
};

class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}
  ErrorKind kind() const { return kind_; }

 private:
  ErrorKind kind_;
};

}  // namespace preceptor
