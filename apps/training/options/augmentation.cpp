// The changes with their names and ranges, in one table.
#include "apps/training/options/augmentation.h"

#include <algorithm>
#include <charconv>
#include <sstream>
#include <variant>
#include <vector>

#include "engine/files/check.h"
#include "engine/files/numbers.h"
#include "engine/files/text.h"

namespace preceptor {
namespace {

struct Setting {
  const char* name;
  std::variant<bool*, int*, double*> value;
  double most;
};

std::vector<Setting> settings_of(Augmentation& a) {
  return {{"flip", &a.flip, 1},
          {"shift", &a.shift, 65535},
          {"rotate", &a.rotate, 180},
          {"scale", &a.scale, 0.9},
          {"crop", &a.crop, 0.9},
          {"contrast", &a.contrast, 1},
          {"brightness", &a.brightness, 1},
          {"noise", &a.noise, 1},
          {"cutout", &a.cutout, 65535},
          {"mixup", &a.mixup, 1}};
}

void read_setting(const std::string& item, const std::vector<Setting>& settings, std::vector<std::string>& seen) {
  const std::size_t equal = item.find('=');
  const std::string name = item.substr(0, equal);
  const auto setting =
      std::find_if(settings.begin(), settings.end(), [&](const Setting& known) { return name == known.name; });
  require(setting != settings.end(), "--augment: unknown change '", name,
          "'; valid ones: ", list(settings, &Setting::name));
  require(std::find(seen.begin(), seen.end(), name) == seen.end(), "--augment: ", name, " is given twice");
  seen.push_back(name);
  const std::string text = equal == std::string::npos ? "" : item.substr(equal + 1);
  const auto read = [&]<class T>(T* value) {
    if constexpr (std::is_same_v<T, bool>) {
      require(equal == std::string::npos, "--augment ", item, ": ", name, " takes no number");
      *value = true;
    } else {
      const char* end = text.data() + text.size();
      const auto [rest, error] = std::from_chars(text.data(), end, *value);
      require(error == std::errc() && rest == end && *value >= 0 && *value <= setting->most, "--augment ", item, ": ",
              name, " is a ", std::is_integral_v<T> ? "whole " : "", "number from 0 to ", setting->most);
    }
  };
  std::visit(read, setting->value);
}

}  // namespace

AugmentOptions Augmentation::input(const std::vector<float>& mean, const std::vector<float>& deviation) const {
  return {.mean = mean,
          .deviation = deviation,
          .random = true,
          .flip = flip,
          .shift = shift,
          .rotate = static_cast<float>(rotate),
          .scale = static_cast<float>(scale),
          .crop = static_cast<float>(crop),
          .brightness = static_cast<float>(brightness),
          .contrast = static_cast<float>(contrast),
          .noise = static_cast<float>(noise),
          .cutout = cutout};
}

Augmentation parse_augmentation(const std::string& text) {
  Augmentation augmentation;
  const std::vector<Setting> settings = settings_of(augmentation);
  std::vector<std::string> seen;
  std::istringstream items(text);
  for (std::string item; std::getline(items, item, ',');) read_setting(item, settings, seen);
  return augmentation;
}

std::string to_string(const Augmentation& augmentation) {
  Augmentation copy = augmentation;
  std::string text;
  for (const Setting& setting : settings_of(copy)) {
    const auto add = [&](const auto* value) {
      if (*value == 0) return;
      text += (text.empty() ? "" : ",") + std::string(setting.name);
      if constexpr (!std::is_same_v<decltype(value), const bool*>) text += "=" + number_text(*value);
    };
    std::visit(add, setting.value);
  }
  return text;
}

}  // namespace preceptor
