// Keeping wanted maps, and the list of names for those who ask for a wrong one.
#include "models/taps.h"

#include <algorithm>
#include <cctype>

#include "engine/files/text.h"

namespace preceptor {
namespace {

// "layer3.1" and "layer4.0" are of one kind: "layer#.#".
std::string kind_of(const std::string& name) {
  std::string kind;
  for (const char letter : name) {
    const bool digit = std::isdigit(static_cast<unsigned char>(letter)) != 0;
    if (!digit || kind.empty() || kind.back() != '#') kind += digit ? '#' : letter;
  }
  return kind;
}

}  // namespace

bool names_tap(const std::string& given, const std::string& tap) { return given == tap || "features." + given == tap; }

bool Taps::requested(const std::string& name) const {
  return std::any_of(wanted_.begin(), wanted_.end(), [&](const std::string& given) { return names_tap(given, name); });
}

void Taps::record(const std::string& name, const Tensor& x) {
  for (const std::string& given : wanted_)
    if (names_tap(given, name)) kept_[given] = x;
}

std::string tap_list(const std::vector<Tap>& taps) {
  std::vector<std::pair<std::string, std::vector<std::string>>> groups;  // in the order of the network
  for (const Tap& tap : taps) {
    const std::string kind = kind_of(tap.name);
    auto group = std::find_if(groups.begin(), groups.end(), [&](const auto& known) { return known.first == kind; });
    if (group == groups.end()) group = groups.insert(groups.end(), {kind, {}});
    group->second.push_back(tap.name);
  }
  return list(groups, [](const auto& group) {
    const std::vector<std::string>& names = group.second;
    return names.size() > 4 ? names.front() + " ... " + names.back() : list(names);
  });
}

}  // namespace preceptor
