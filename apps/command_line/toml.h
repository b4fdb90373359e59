// The part of TOML that a file of flags needs: keys with strings, numbers, booleans and flat arrays of them. A scanner
// of our own because toml++ has no integers from 2^63 on, which seeds may be.
#pragma once

#include <string>
#include <vector>

namespace preceptor {

struct TomlEntry {
  std::string key;
  std::vector<std::string> values;  // strings without quotes and escapes; one unless the value is an array
  int line = 0;
};

// Tables, dates and multi-line strings are refused. Errors (usage): "`path` line 3: ...".
std::vector<TomlEntry> parse_toml(const std::string& text, const std::string& path);

}  // namespace preceptor
