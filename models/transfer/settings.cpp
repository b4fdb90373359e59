// Settings from their text, and back.
#include "models/transfer/method.h"

#include <algorithm>
#include <cmath>
#include <sstream>

#include "engine/files/check.h"
#include "engine/files/numbers.h"
#include "engine/files/text.h"

namespace preceptor {
namespace {

using Kind = MethodKey::Kind;

bool is_number(Kind kind) { return kind != Kind::choice && kind != Kind::taps; }

std::string checked(const std::string& text, const MethodKey& key, const std::string& value) {
  if (key.kind == Kind::choice) {
    require(std::find(key.choices.begin(), key.choices.end(), value) != key.choices.end(), "--method ", text, ": ",
            key.name, " is one of ", list(key.choices), ", not '", value, "'");
    return value;
  }
  if (!is_number(key.kind)) {
    require(!value.empty(), "--method ", text, ": ", key.name, " names no tap");
    return value;
  }
  const double number = parse_number(value).value_or(NAN);
  const bool in_range = key.kind == Kind::positive   ? number > 0
                        : key.kind == Kind::fraction ? number >= 0 && number <= 1
                        : key.kind == Kind::count    ? number >= 1 && number <= 1e6 && number == std::floor(number)
                                                     : number >= 0;
  require(std::isfinite(number) && in_range, "--method ", text, ": ", key.name, " is a number ",
          key.kind == Kind::positive   ? "above 0"
          : key.kind == Kind::fraction ? "from 0 to 1"
          : key.kind == Kind::count    ? "from 1 to a million without a fraction"
                                       : "of at least 0",
          ", not '", value, "'");
  return number_text(number);
}

}  // namespace

double MethodSettings::number(const std::string& key) const { return parse_number(values.at(key)).value(); }

const std::string& MethodSettings::text(const std::string& key) const { return values.at(key); }

std::vector<std::string> MethodSettings::names(const std::string& key) const {
  std::vector<std::string> parts;
  std::istringstream stream(values.at(key));
  for (std::string part; std::getline(stream, part, '+');) parts.push_back(part);
  return parts;
}

std::string to_string(const MethodSettings& settings) {
  std::string text = settings.name;
  char separator = ':';
  for (const auto& [key, value] : settings.values) {
    text += separator + key + "=" + value;
    separator = ',';
  }
  return text;
}

MethodSettings parse_settings(const std::string& text, const std::vector<MethodKey>& keys) {
  const std::size_t colon = text.find(':');
  MethodSettings settings{text.substr(0, colon), {}};
  for (const MethodKey& key : keys) settings.values[key.name] = key.value;
  std::vector<std::string> given;
  std::istringstream stream(colon == std::string::npos ? "" : text.substr(colon + 1));
  for (std::string part; std::getline(stream, part, ',');) {
    const std::size_t equal = part.find('=');
    const std::string name = part.substr(0, equal);
    const auto key = std::find_if(keys.begin(), keys.end(), [&](const MethodKey& k) { return k.name == name; });
    require(key != keys.end(), "--method ", text, ": ", settings.name, " has no ", name, "; it has ",
            list(keys, &MethodKey::name));
    settings.values[name] = checked(text, *key, equal == std::string::npos ? "" : part.substr(equal + 1));
    given.push_back(name);
  }
  for (const MethodKey& key : keys) {
    if (std::find(given.begin(), given.end(), key.name) != given.end()) continue;
    for (const auto& [choice, value] : key.defaults) {
      const std::size_t equal = choice.find('=');
      if (settings.values.at(choice.substr(0, equal)) == choice.substr(equal + 1)) settings.values[key.name] = value;
    }
  }
  return settings;
}

}  // namespace preceptor
