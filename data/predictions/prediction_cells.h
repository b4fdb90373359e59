// Cells of tables of predictions and labels, checked.
#pragma once

#include "data/tables/csv.h"

namespace preceptor {

// From 0 to 1. Errors of all: data, with file, line, column and reason.
double read_probability(const CsvTable& csv, std::size_t row, std::size_t column);
// 0, 1, or NaN where nothing stands.
float read_finding_label(const CsvTable& csv, std::size_t row, std::size_t column);
// A column of names that differ, of at least one row.
std::vector<std::string> read_ids(const CsvTable& csv, std::size_t column);

}  // namespace preceptor
