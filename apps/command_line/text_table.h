// Tables of aligned columns for terminals.
#pragma once

#include <string>
#include <vector>

#include "data/metrics/interval.h"

namespace preceptor {

// `value` with this many decimals; "-" for NaN; `sign` adds a plus.
std::string decimal(double value, int decimals = 4, bool sign = false);
// "0.8320 to 0.8445"; "-" where undefined.
std::string bounds(const Interval& interval, int decimals = 4, bool sign = false);
// For p values: four decimals, "<0.0001" below.
std::string p_text(double p);

class TextTable {
 public:
  explicit TextTable(std::vector<std::string> header) : rows_{std::move(header)} {}
  bool empty() const { return rows_.size() == 1; }
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  // The first column is left-aligned, the others right-aligned, two spaces apart. Widths count UTF-8 characters.
  std::string text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace preceptor
