// Parsing of data set names such as phantom:chest?site=b&n=500.
#include "data/dataset_spec.h"

#include <algorithm>
#include <charconv>

#include "engine/files/check.h"
#include "engine/files/text.h"

namespace preceptor {

const std::string* DatasetSpec::find(const std::string& key) const {
  for (const auto& [name, value] : keys)
    if (name == key) return &value;
  return nullptr;
}

std::string DatasetSpec::text_of(const std::string& key, const std::string& fallback) const {
  const std::string* value = find(key);
  return value == nullptr ? fallback : *value;
}

void DatasetSpec::allow_only(const std::vector<std::string>& valid) const {
  for (const auto& [name, value] : keys)
    require(std::find(valid.begin(), valid.end(), name) != valid.end(), text, ": unknown key '", name, "' for ", format,
            "; valid keys: ", list(valid));
}

std::int64_t DatasetSpec::integer(const std::string& key, std::int64_t fallback, std::int64_t low,
                                  std::int64_t high) const {
  const std::string* value = find(key);
  if (value == nullptr) return fallback;
  std::int64_t number = 0;
  const char* end = value->data() + value->size();
  const auto [stop, error] = std::from_chars(value->data(), end, number);
  require(error == std::errc() && stop == end && number >= low && number <= high, text, ": ", key, "='", *value,
          "' is not a whole number from ", low, " to ", high);
  return number;
}

std::string DatasetSpec::choice(const std::string& key, const std::string& fallback,
                                const std::vector<std::string>& valid) const {
  const std::string* value = find(key);
  if (value == nullptr) return fallback;
  require(std::find(valid.begin(), valid.end(), *value) != valid.end(), text, ": ", key, "='", *value,
          "' is not one of ", list(valid));
  return *value;
}

DatasetSpec parse_dataset_spec(const std::string& text) {
  DatasetSpec spec;
  spec.text = text;
  const std::size_t colon = text.find(':');
  require(colon != std::string::npos && colon > 0, "'", text,
          "' does not name a data set; expected FORMAT:PATH[?key=value&...], for example phantom:chest?n=500");
  spec.format = text.substr(0, colon);
  const std::size_t question = text.find('?', colon);
  spec.path = text.substr(colon + 1, question == std::string::npos ? question : question - colon - 1);
  require(!spec.path.empty(), text, ": no path after '", spec.format, ":'");
  if (question == std::string::npos) return spec;
  for (const std::string_view pair : split(std::string_view(text).substr(question + 1), '&')) {
    const std::size_t equals = pair.find('=');
    require(equals != std::string_view::npos && equals > 0, text, ": '", pair, "' is not key=value");
    const std::string key(pair.substr(0, equals));
    require(spec.find(key) == nullptr, text, ": key '", key, "' is given twice");
    spec.keys.emplace_back(key, pair.substr(equals + 1));
  }
  return spec;
}

}  // namespace preceptor
