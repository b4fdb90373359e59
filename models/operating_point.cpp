// Operating points as text, and back.
#include "models/operating_point.h"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "engine/files/check.h"

namespace preceptor {
namespace {

using Json = nlohmann::json;

std::vector<double> numbers(const Json& json, const char* key, std::size_t count, bool may_lack,
                            const std::string& path) {
  const auto found = json.find(key);
  require_data(found != json.end() && found->is_array() && found->size() == count, path, ": the operating point's ",
               key, " is no list of ", count);
  std::vector<double> values;
  for (const Json& entry : *found) {
    require_data(entry.is_number() || (may_lack && entry.is_null()), path, ": the operating point's ", key,
                 " holds something else than numbers");
    values.push_back(entry.is_null() ? std::numeric_limits<double>::quiet_NaN() : entry.get<double>());
    require_data(entry.is_null() || std::isfinite(values.back()), path, ": the operating point's ", key, " holds ",
                 values.back());
  }
  return values;
}

}  // namespace

std::string to_text(const OperatingPoint& point) {
  nlohmann::ordered_json json;
  json["rule"] = point.rule;
  json["thresholds"] = point.thresholds;  // NaN is written as null
  json["temperature"] = point.temperature;
  json["slopes"] = point.slopes;
  json["intercepts"] = point.intercepts;
  return json.dump();
}

OperatingPoint operating_point_from(const std::string& text, int outputs, bool independent, const std::string& path) {
  const Json json = Json::parse(text, nullptr, false);
  require_data(json.is_object(), path, ": the operating point is no JSON object");
  const auto rule = json.find("rule"), temperature = json.find("temperature");
  require_data(rule != json.end() && rule->is_string(), path, ": the operating point's rule is no text");
  require_data(temperature != json.end() && temperature->is_number() && temperature->get<double>() > 0 &&
                   temperature->get<double>() <= 1e6,
               path, ": the operating point's temperature is no number above 0");
  const auto count = static_cast<std::size_t>(outputs);
  OperatingPoint point;
  point.rule = rule->get<std::string>();
  point.thresholds = numbers(json, "thresholds", !independent && outputs == 2 ? 1 : count, true, path);
  point.temperature = temperature->get<double>();
  point.slopes = numbers(json, "slopes", independent ? count : 0, false, path);
  point.intercepts = numbers(json, "intercepts", independent ? count : 0, false, path);
  return point;
}

}  // namespace preceptor
