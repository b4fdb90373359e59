// Reading, printing and checking of option values.
#include "apps/command_line/options.h"

#include <algorithm>
#include <cmath>
#include <sstream>

#include "engine/files/check.h"
#include "engine/files/numbers.h"

namespace preceptor {
namespace {

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

std::vector<std::string> Option::texts() const {
  std::vector<std::string> texts;
  const auto add = [&texts]<class T>(const T& one) {
    if constexpr (std::is_integral_v<T>)
      texts.push_back(std::to_string(one));
    else if constexpr (std::is_arithmetic_v<T>)
      texts.push_back(number_text(one));
    else
      texts.push_back(one);
  };
  const auto add_all = [&add]<class T>(const T& held) {
    if constexpr (std::is_arithmetic_v<T> || std::is_same_v<T, std::string>)
      add(held);
    else
      std::ranges::for_each(held, add);
  };
  if (!type.empty()) std::visit(add_all, value());
  for (const auto& [word, meant] : rules.words) std::ranges::replace(texts, meant, word);
  return texts;
}

void Option::check() const {
  const std::string range = range_text(rules);
  for (const std::string& text : texts()) {
    if (rules.words.contains(text)) continue;
    require(rules.one_of.empty() || std::ranges::find(rules.one_of, text) != rules.one_of.end(), name, " ", text,
            ": not one of ", list(rules.one_of));
    double number = 0;
    require(range.empty() || (read_text(text, number).empty() && number >= rules.at_least && number <= rules.at_most &&
                              number > rules.above && number < rules.below),
            name, " ", text, ": must be ", range);
  }
  if (rules.check) rules.check();
}

Option* OptionTable::find(const std::string& name) {
  const auto found = std::ranges::find(options, name, &Option::name);
  return found == options.end() ? nullptr : &*found;
}

void OptionTable::check() const {
  for (const Option& option : options) option.check();
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
