// Checked cells of tables of predictions and labels.
#pragma once

#include <limits>

#include "data/tables/csv.h"

namespace preceptor {

// Errors of both: data, with file, line, column and reason.
inline double read_probability(const CsvTable& csv, std::size_t row, std::size_t column) {
  return csv.number(row, column, 0, 1, "a probability from 0 to 1");
}

// 0 or 1; NaN for an empty cell.
inline float read_finding_label(const CsvTable& csv, std::size_t row, std::size_t column) {
  if (csv.rows[row][column].empty()) return std::numeric_limits<float>::quiet_NaN();
  constexpr const char* expected = "a label: 0, 1 or empty (unknown) is expected";
  const double value = csv.number(row, column, 0, 1, expected);
  if (value != 0 && value != 1) csv.reject(row, column, expected);
  return static_cast<float>(value);
}

}  // namespace preceptor
