// Checks of single cells, with their place in the error.
#include "data/predictions/prediction_cells.h"

#include <limits>
#include <optional>
#include <unordered_map>

#include "engine/files/check.h"
#include "engine/files/numbers.h"

namespace preceptor {

double read_probability(const CsvTable& csv, std::size_t row, std::size_t column) {
  const std::optional<double> value = parse_number(csv.rows[row][column]);
  require_data(value && *value >= 0 && *value <= 1, csv.place(row, column), ": '", csv.rows[row][column].substr(0, 100),
               "' is no probability from 0 to 1");
  return *value;
}

float read_finding_label(const CsvTable& csv, std::size_t row, std::size_t column) {
  const std::string& text = csv.rows[row][column];
  if (text.empty()) return std::numeric_limits<float>::quiet_NaN();
  const std::optional<double> value = parse_number(text);
  require_data(value && (*value == 0 || *value == 1), csv.place(row, column), ": '", text.substr(0, 100),
               "' is no label: 0, 1 or nothing (unknown) is expected");
  return static_cast<float>(*value);
}

std::vector<std::string> read_ids(const CsvTable& csv, std::size_t column) {
  std::vector<std::string> ids;
  std::unordered_map<std::string, std::size_t> first;
  for (std::size_t row = 0; row < csv.rows.size(); ++row) {
    const std::string& id = csv.rows[row][column];
    require_data(!id.empty(), csv.place(row, column), ": is empty");
    const auto [found, is_new] = first.try_emplace(id, row);
    require_data(is_new, csv.place(row, column), ": '", id.substr(0, 100), "' is there twice, first in line ",
                 csv.lines[found->second]);
    ids.push_back(id);
  }
  require_data(!ids.empty(), csv.path, ": has no rows");
  return ids;
}

}  // namespace preceptor
