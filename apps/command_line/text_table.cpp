// Aligns columns and writes numbers for people.
#include "apps/command_line/text_table.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace preceptor {
namespace {

std::size_t characters(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(
      text.begin(), text.end(), [](char byte) { return (static_cast<unsigned char>(byte) & 0xC0) != 0x80; }));
}

}  // namespace

std::string decimal(double value, int decimals, bool sign) {
  if (std::isnan(value)) return "-";
  char text[400];
  std::snprintf(text, sizeof text, sign ? "%+.*f" : "%.*f", decimals, value);
  return text;
}

std::string bounds(const Interval& interval, int decimals, bool sign) {
  if (std::isnan(interval.low) || std::isnan(interval.high)) return "-";
  return decimal(interval.low, decimals, sign) + " to " + decimal(interval.high, decimals, sign);
}

std::string p_text(double p) { return p < 0.0001 ? "<0.0001" : decimal(p); }

std::string TextTable::text() const {
  std::vector<std::size_t> widths;
  for (const std::vector<std::string>& row : rows_) {
    widths.resize(std::max(widths.size(), row.size()), 0);
    for (std::size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], characters(row[c]));
  }
  std::string text;
  for (const std::vector<std::string>& row : rows_) {
    std::string line;
    for (std::size_t c = 0; c < row.size(); ++c) {
      const std::string space(widths[c] - characters(row[c]), ' ');
      line += c == 0 ? row[c] + space : "  " + space + row[c];
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

}  // namespace preceptor
