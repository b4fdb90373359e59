// Options declared once, each with its member, flag, type, help and rules. Command lines, --help, files of flags,
// config.toml and docs/flags.md are all read from or written by such a table.
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <functional>
#include <limits>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

#include "engine/files/text.h"

namespace preceptor {

using OptionValue = std::variant<bool, std::int64_t, std::uint64_t, double, std::string, std::vector<int>,
                                 std::vector<float>, std::vector<std::string>>;

// Names of an enum's values on the command line, in the order of the enum.
template <class Enum>
inline constexpr std::array<const char*, 0> words{};

template <class Enum>
std::string word_of(Enum value) {
  return words<Enum>[static_cast<std::size_t>(value)];
}

// Text to value: returns nothing, or what is expected instead. A type of one's own needs such a function, which may
// also throw Error (usage), and to_string().
std::string read_text(const std::string& text, bool& value);
inline std::string read_text(const std::string& text, std::string& value) {
  value = text;
  return {};
}

template <class Number>
requires std::is_arithmetic_v<Number> std::string read_text(const std::string& text, Number& value) {
  const char *begin = text.data() + text.starts_with('+'), *end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(begin, end, value);
  if (error == std::errc() && rest == end) return {};
  if (error == std::errc::result_out_of_range) return "the number is too large or too small";
  return std::is_integral_v<Number> ? "a whole number is expected" : "a number is expected";
}

template <class Enum>
requires std::is_enum_v<Enum> std::string read_text(const std::string& text, Enum& value) {
  const auto found = std::ranges::find(words<Enum>, text);
  if (found == words<Enum>.end()) return "not one of " + list(words<Enum>);
  value = static_cast<Enum>(found - words<Enum>.begin());
  return {};
}

template <class T>
std::string read_text(const std::string& text, std::optional<T>& value) {
  return read_text(text, value.emplace());
}

template <class T>
OptionValue value_of(const T& value) {
  if constexpr (std::is_enum_v<T>)
    return word_of(value);
  else if constexpr (std::is_same_v<T, int>)
    return std::int64_t{value};
  else if constexpr (requires { OptionValue(std::in_place_type<T>, value); })
    return OptionValue(std::in_place_type<T>, value);
  else
    return to_string(value);
}

template <class T>
OptionValue value_of(const std::optional<T>& value) {
  return value ? value_of(*value) : std::vector<std::string>();
}

template <class T>
requires requires(T value) { to_string(value); }
OptionValue value_of(const std::vector<T>& values) {
  std::vector<std::string> texts;
  for (const T& value : values) texts.push_back(to_string(value));
  return texts;
}

struct OptionRules {
  // Limits of a number; one that has any must be finite.
  double at_least = std::numeric_limits<double>::lowest(), at_most = std::numeric_limits<double>::max();
  double above = -std::numeric_limits<double>::infinity(), below = std::numeric_limits<double>::infinity();
  std::vector<std::string> one_of = {};           // valid texts
  std::map<std::string, std::string> words = {};  // for values outside of the limits: {"all", "-1"}
  std::function<void()> check = {};               // another check of its value; throws Error (usage)
  bool required = false;
  bool repeated = false;   // for lists: the flag before each value; otherwise a,b
  bool negatable = false;  // --NAME and --no-NAME
  bool in_files = true;    // may stand in a file of flags
  bool in_config = true;   // written to config.toml, unless it is an empty text or list
};

struct Option {
  // "--lr" or, for arguments without a flag, "run"; "RATE", empty for a flag without a value; empty: not in --help.
  std::string name, type, help;
  std::string group;
  OptionRules rules;
  bool is_list = false;
  bool given = false;                                              // on the command line or in a file
  std::function<void(const std::vector<std::string>&)> read = {};  // errors: usage
  std::function<OptionValue()> value = {};

  bool positional() const { return name[0] != '-'; }
  std::vector<std::string> texts() const;  // of the value, as on a command line; empty for flags without a value
  void check() const;                      // errors: usage, if the value breaks a rule
};

class OptionTable {
 public:
  std::list<Option> options;

  // The heading in --help of the options declared from here on.
  void group(const std::string& name) { group_ = name; }

  // The table keeps a reference to the member, whose value is the default.
  template <class T>
  void operator()(T& member, const std::string& name, const std::string& type, const std::string& help,
                  const OptionRules& rules = {}) {
    Option& option = options.emplace_back(Option{name, type, help, group_, rules});
    option.value = [&member] { return value_of(member); };
    option.read = [&member, &option](const std::vector<std::string>& texts) { read(option, texts, member); };
    option.is_list = requires { member.emplace_back(); };
  }
  void operator()(bool& member, const std::string& name, const std::string& help, const OptionRules& rules = {}) {
    (*this)(member, name, "", help, rules);
  }

  Option* find(const std::string& name);  // nullptr: there is none
  bool given(const std::string& name) { return find(name)->given; }
  void check() const;  // errors: usage, if a value breaks a rule of its own
  void remove_group(const std::string& name) {
    options.remove_if([&](const Option& option) { return option.group == name; });
  }

 private:
  // The single values of what was given. Errors: usage, for several of an option that is no list.
  static std::vector<std::string> single_texts(const Option& option, const std::vector<std::string>& texts);
  static void require_read(const Option& option, const std::string& text, const std::string& expected);

  template <class T>
  static void read(const Option& option, const std::vector<std::string>& texts, T& member) {
    for (const std::string& text : single_texts(option, texts)) require_read(option, text, read_text(text, member));
  }
  template <class T>
  static void read(const Option& option, const std::vector<std::string>& texts, std::vector<T>& members) {
    members.clear();
    for (const std::string& text : single_texts(option, texts))
      require_read(option, text, read_text(text, members.emplace_back()));
  }

  std::string group_ = "Options";
};

}  // namespace preceptor
