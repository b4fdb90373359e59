// Reading, printing and checking of option values.
#include "apps/command_line/options.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <sstream>

#include "engine/files/check.h"

namespace preceptor {
namespace {

// As the C library reads numbers, so that "0x10" and "+1" are valid too.
template <class Number>
bool read_number(const std::string& text, Number& value, Number (*convert)(const char*, char**)) {
  char* end = nullptr;
  errno = 0;
  value = convert(text.c_str(), &end);
  return !text.empty() && *end == '\0' && (errno == 0 || std::is_floating_point_v<Number>);
}

template <class T>
std::string joined(const std::vector<T>& values) {
  std::ostringstream text;
  for (std::size_t i = 0; i < values.size(); ++i) text << (i > 0 ? "," : "") << values[i];
  return text.str();
}

// Without an exponent where it is a whole number.
std::string limit_text(double limit) {
  const bool whole = std::abs(limit) < 1e15 && limit == std::floor(limit);
  return whole ? std::to_string(static_cast<std::int64_t>(limit)) : number_text(limit);
}

std::string range_text(const OptionRules& rules) {
  const OptionRules none;
  std::vector<std::string> limits;
  if (rules.at_least != none.at_least) limits.push_back("at least " + limit_text(rules.at_least));
  if (rules.above != none.above) limits.push_back("above " + limit_text(rules.above));
  if (rules.at_most != none.at_most) limits.push_back("at most " + limit_text(rules.at_most));
  if (rules.below != none.below) limits.push_back("below " + limit_text(rules.below));
  return limits.empty() ? "" : limits[0] + (limits.size() > 1 ? " and " + limits[1] : "");
}

}  // namespace

std::string read_text(const std::string& text, bool& value) {
  value = text == "true" || text == "1";
  return value || text == "false" || text == "0" ? "" : "true or false is expected";
}

std::string read_text(const std::string& text, std::int64_t& value) {
  const auto convert = [](const char* begin, char** end) -> std::int64_t { return std::strtoll(begin, end, 0); };
  return read_number<std::int64_t>(text, value, convert) ? "" : "a whole number is expected";
}

std::string read_text(const std::string& text, int& value) {
  std::int64_t wide = 0;
  std::string expected = read_text(text, wide);
  value = static_cast<int>(wide);
  return expected.empty() && value != wide ? "the number is too large" : expected;
}

std::string read_text(const std::string& text, std::uint64_t& value) {
  const auto convert = [](const char* begin, char** end) -> std::uint64_t { return std::strtoull(begin, end, 0); };
  return !text.starts_with('-') && read_number<std::uint64_t>(text, value, convert)
             ? ""
             : "a whole number of at least 0 is expected";
}

std::string read_text(const std::string& text, double& value) {
  return read_number<double>(text, value, std::strtod) ? "" : "a number is expected";
}

std::string read_text(const std::string& text, float& value) {
  return read_number<float>(text, value, std::strtof) ? "" : "a number is expected";
}

std::string read_text(const std::string& text, std::string& value) {
  value = text;
  return "";
}

std::string Option::value_text() const {
  const auto text = [&](const auto& held) -> std::string {
    using T = std::decay_t<decltype(held)>;
    if constexpr (std::is_same_v<T, std::string>)
      return held;
    else if constexpr (std::is_same_v<T, bool>)
      return "";
    else if constexpr (std::is_same_v<T, double>)
      return number_text(held);
    else if constexpr (std::is_arithmetic_v<T>)
      return std::to_string(held);
    else
      return joined(held);
  };
  return std::visit(text, value());
}

void Option::check() const {
  const std::string range = range_text(rules);
  const auto check_number = [&](double number) {
    require(range.empty() ||
                (number >= rules.at_least && number <= rules.at_most && number > rules.above && number < rules.below),
            name, " ", value_text(), ": must be ", range);
  };
  const auto check_text = [&](const std::string& text) {
    require(rules.one_of.empty() || std::ranges::find(rules.one_of, text) != rules.one_of.end(), name, " ", text,
            ": not one of ", list(rules.one_of));
  };
  std::visit(
      [&](const auto& held) {
        using T = std::decay_t<decltype(held)>;
        if constexpr (std::is_same_v<T, std::string>)
          check_text(held);
        else if constexpr (std::is_same_v<T, std::vector<std::string>>)
          std::ranges::for_each(held, check_text);
        else if constexpr (std::is_same_v<T, std::vector<int>>)
          std::ranges::for_each(held, check_number);
        else
          check_number(static_cast<double>(held));
      },
      value());
  if (rules.check) rules.check();
}

const Option* OptionTable::find(const std::string& name) const {
  const auto found = std::ranges::find(options_, name, &Option::name);
  return found == options_.end() ? nullptr : &*found;
}

void OptionTable::check() const {
  for (const Option& option : options_) option.check();
}

void OptionTable::require_read(const Option& option, const std::string& text, const std::string& expected) {
  require(expected.empty(), option.name, " ", text, ": ", expected);
}

std::vector<std::string> OptionTable::single_texts(const Option& option, const std::vector<std::string>& texts) {
  require(option.is_list || option.type.empty() || texts.size() == 1, option.name, ": one value is expected, not ",
          texts.size());
  const bool parts = option.is_list && !option.positional() && !option.rules.repeated;
  std::vector<std::string> all;
  for (const std::string& text : texts) {
    const auto word = option.rules.words.find(text);
    std::istringstream rest(word == option.rules.words.end() ? text : word->second);
    for (std::string part; parts && std::getline(rest, part, ',');)
      if (!part.empty()) all.push_back(part);
    if (!parts) all.push_back(rest.str());
  }
  return all;
}

}  // namespace preceptor
