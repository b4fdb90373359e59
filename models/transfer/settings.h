// The value of --method: a method's name and its settings, checked and completed.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace preceptor {

// A setting of a method. Its default says what it looks like.
struct MethodKey {
  enum class Kind {
    weight,    // a number of at least 0
    positive,  // a number above 0
    fraction,  // a number from 0 to 1
    count,     // a whole number from 1 to a million
    choice,    // one of `choices`
    taps,      // names joined by '+', or "stages", "middle" or "last"
  };
  std::string name, value;  // value: the default
  Kind kind;
  std::string meaning;
  std::vector<std::string> choices = {};
  // Other defaults beside a choice: {"reading=paper", "0.1"}.
  std::vector<std::pair<std::string, std::string>> defaults = {};
};

// Every key of the method with a valid value, as text: the shortest that reads back as the same number.
struct MethodSettings {
  std::string name;
  std::map<std::string, std::string> values;

  double number(const std::string& key) const;
  float real(const std::string& key) const { return static_cast<float>(number(key)); }
  const std::string& text(const std::string& key) const;
  std::vector<std::string> names(const std::string& key) const;  // the parts between '+'
};
std::string to_string(const MethodSettings& settings);

// "kd:temperature=4" by the keys of its method. Errors: usage, naming the keys that there are, or what a value must be.
MethodSettings parse_settings(const std::string& text, const std::vector<MethodKey>& keys);

}  // namespace preceptor
