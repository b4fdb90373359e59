// Words for reports.
#include "apps/report/text.h"

#include <cctype>
#include <cmath>

#include "apps/command_line/text_table.h"
#include "engine/files/check.h"

namespace preceptor {

std::string escape_html(const std::string& words) {
  std::string out;
  for (const char letter : words) {
    if (letter == '&')
      out += "&amp;";
    else if (letter == '<')
      out += "&lt;";
    else if (letter == '>')
      out += "&gt;";
    else if (letter == '"')
      out += "&quot;";
    else
      out += letter;
  }
  return out;
}

std::string fixed(double value, int decimals, bool sign) {
  return std::isnan(value) ? "n/a" : decimal(value, decimals, sign);
}

std::string bounds(const Interval& interval, bool sign) {
  return std::isnan(interval.low) || std::isnan(interval.high) ? "" : bounds(interval, 3, sign);
}

std::string with_bounds(const Interval& interval, const std::string& before, const std::string& after) {
  const std::string range = bounds(interval, false);
  return fixed(interval.value, 3) + (range.empty() ? "" : " (" + before + range + after + ")");
}

std::string p_words(double p) { return p < 0.001 ? "p < 0.001" : "p = " + fixed(p, 3); }

std::string listed(const std::vector<std::string>& parts) {
  std::string text;
  for (std::size_t i = 0; i < parts.size(); ++i)
    text += (i == 0 ? "" : i + 1 == parts.size() ? " and " : ", ") + parts[i];
  return text;
}

std::string lower_start(std::string name) {
  if (!name.empty()) name[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(name[0])));
  return name;
}

std::string counted(long long count, const std::string& noun) {
  return grouped(count) + " " + noun + (count == 1 ? "" : "s");
}

std::string grouped(long long count) {
  std::string digits = std::to_string(count);
  for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > (count < 0 ? 1 : 0); at -= 3)
    digits.insert(static_cast<std::size_t>(at), ",");
  return digits;
}

std::string byte_count(double bytes) {
  for (const char* unit : {"B", "kB", "MB", "GB"}) {
    if (bytes < 1000) return message(fixed(bytes, *unit == 'B' ? 0 : 1), " ", unit);
    bytes /= 1000;
  }
  return fixed(bytes, 1) + " TB";
}

}  // namespace preceptor
