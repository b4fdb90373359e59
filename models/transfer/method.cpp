// The table of all methods, their settings from text and back, and what they have in common.
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

#define METHOD(function) MethodKind function();
#include "transfer_methods.inc"
#undef METHOD

const std::vector<MethodKind>& method_kinds() {
  static const std::vector<MethodKind> kinds = [] {
    std::vector<MethodKind> all = {
#define METHOD(function) function(),
#include "transfer_methods.inc"
#undef METHOD
    };
    for (MethodKind& kind : all) {
      const bool grows =
          std::any_of(kind.keys.begin(), kind.keys.end(), [](const auto& k) { return k.name == "warmup"; });
      if (!grows) kind.keys.push_back({"warmup", "0", Kind::weight, "epochs in which the weight grows"});
      kind.keys.push_back({"end", "0", Kind::weight, "epoch by which the weight has fallen to 0; 0: it does not"});
    }
    return all;
  }();
  return kinds;
}

MethodSettings parse_method(const std::string& text) {
  const std::string name = text.substr(0, text.find(':'));
  for (const MethodKind& kind : method_kinds()) {
    if (kind.name == name) {
      MethodSettings settings = parse_settings(text, kind.keys);
      require(!kind.shares_with_labels || settings.number("weight") <= 1, "--method ", text,
              ": the weight is at most 1, the labels get the rest");
      const double warmup = settings.number("warmup"), end = settings.number("end");
      require(end == 0 || end > warmup, "--method ", text, ": the weight is 0 from epoch ", end,
              " on, before its warm-up of ", warmup, " epochs is over");
      return settings;
    }
  }
  fail(ErrorKind::usage, "--method ", text, ": there is no method ", name, "; the methods are ",
       list(method_kinds(), &MethodKind::name));
}

const MethodKind& kind_of(const MethodSettings& settings) {
  const auto& kinds = method_kinds();
  return *std::find_if(kinds.begin(), kinds.end(), [&](const MethodKind& kind) { return kind.name == settings.name; });
}

double weight_factor(const MethodSettings& settings, int epoch) {
  const double warmup = settings.number("warmup"), end = settings.number("end");
  const double grown = epoch < warmup ? epoch / warmup : 1;
  const double left = end > 0 ? std::clamp((end - epoch) / (end - warmup), 0.0, 1.0) : 1;
  return std::min(grown, left);
}

bool has_schedule(const MethodSettings& settings) {
  return settings.number("warmup") > 0 || settings.number("end") > 0;
}

double label_weight(const MethodSettings& settings, double factor) {
  return kind_of(settings).shares_with_labels ? 1 - factor * settings.number("weight") : 1;
}

}  // namespace preceptor
