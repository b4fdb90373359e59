// Transfer methods from the command line to loss terms.
#include "models/transfer/method.h"

#include <charconv>
#include <cmath>

#include "models/transfer/at.h"
#include "models/transfer/kd.h"

namespace preceptor {
namespace {

// Name, and every key with its default.
const std::map<std::string, std::map<std::string, double>>& methods() {
  static const std::map<std::string, std::map<std::string, double>> table = {{"kd", kd_defaults()},
                                                                             {"at", at_defaults()}};
  return table;
}

template <class Map>
std::string keys_of(const Map& map) {
  std::string names;
  for (const auto& [name, value] : map) names += (names.empty() ? "" : ", ") + name;
  return names;
}

}  // namespace

TransferMethod parse_transfer_method(const std::string& text) {
  const std::size_t colon = text.find(':');
  TransferMethod method{text.substr(0, colon), {}};
  const auto known = methods().find(method.name);
  require(known != methods().end(), "--method ", text, ": there is no method ", method.name, "; the methods are ",
          keys_of(methods()));
  method.values = known->second;
  if (colon == std::string::npos) return method;
  std::istringstream settings(text.substr(colon + 1));
  for (std::string setting; std::getline(settings, setting, ',');) {
    const std::size_t equal = setting.find('=');
    const std::string key = setting.substr(0, equal);
    require(method.values.contains(key), "--method ", text, ": ", method.name, " has no ", key, "; it has ",
            keys_of(method.values));
    const std::string number = equal == std::string::npos ? "" : setting.substr(equal + 1);
    double value = 0;
    const auto [rest, error] = std::from_chars(number.data(), number.data() + number.size(), value);
    require(error == std::errc() && rest == number.data() + number.size() && std::isfinite(value) && value >= 0,
            "--method ", text, ": ", key, " is no number of at least 0: '", number, "'");
    method.values[key] = value;
  }
  if (method.name == "kd") check_kd(method);
  return method;
}

std::string to_string(const TransferMethod& method) {
  std::string text = method.name;
  char separator = ':';
  for (const auto& [key, value] : method.values) {
    char digits[32];  // the shortest text that reads back as the same number
    const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
    text += separator + key + "=" + std::string(digits, end);
    separator = ',';
  }
  return text;
}

double TransferMethod::label_weight() const { return name == "kd" ? 1 - values.at("weight") : 1; }

std::vector<Tensor> transfer_losses(const TransferMethod& method, const Features& student, const Features& teacher,
                                    const Tensor& targets, bool multi_label) {
  if (method.name == "kd") return {kd_loss(method, student, teacher, targets, multi_label)};
  return at_losses(method, student, teacher);
}

}  // namespace preceptor
