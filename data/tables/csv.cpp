// Whole tables in memory.
#include "data/tables/csv.h"

#include <algorithm>
#include <optional>
#include <set>
#include <unordered_map>

#include "data/tables/table.h"
#include "engine/files/check.h"
#include "engine/files/numbers.h"

namespace preceptor {

std::size_t CsvTable::find(const std::string& column) const {
  return static_cast<std::size_t>(std::find(header.begin(), header.end(), column) - header.begin());
}

std::string CsvTable::place(std::size_t row, std::size_t column) const {
  return message(path, " line ", lines[row], ", column '", header[column].substr(0, 100), "'");
}

void CsvTable::reject(std::size_t row, std::size_t column, const std::string& expected) const {
  fail(ErrorKind::data, place(row, column), ": '", rows[row][column].substr(0, 100), "' is not ", expected);
}

double CsvTable::number(std::size_t row, std::size_t column, double least, double most,
                        const std::string& expected) const {
  const std::optional<double> value = parse_number(rows[row][column]);
  if (!(value && *value >= least && *value <= most)) reject(row, column, expected);
  return *value;
}

std::vector<std::string> CsvTable::ids(std::size_t column) const {
  std::vector<std::string> ids;
  std::unordered_map<std::string, std::size_t> first;
  for (std::size_t row = 0; row < rows.size(); ++row) {
    ids.push_back(rows[row][column]);
    require_data(!ids.back().empty(), place(row, column), ": is empty");
    const auto [found, is_new] = first.try_emplace(ids.back(), row);
    require_data(is_new, place(row, column), ": '", ids.back().substr(0, 100), "' is there twice, first in line ",
                 lines[found->second]);
  }
  require_data(!ids.empty(), path, ": has no rows");
  return ids;
}

CsvTable read_csv(const std::string& path) {
  TableReader reader(path);
  CsvTable table{path, reader.header(), {}, {}};
  std::set<std::string> names;
  for (std::size_t i = 0; i < table.header.size(); ++i) {
    require_data(!table.header[i].empty(), path, " line 1: column ", i + 1, " has no name");
    require_data(names.insert(table.header[i]).second, path, " line 1: column '", table.header[i].substr(0, 100),
                 "' is there twice");
  }
  constexpr std::size_t most_bytes = std::size_t{1} << 30;
  std::size_t bytes = 0;
  while (reader.next()) {
    std::vector<std::string> row;
    for (std::size_t i = 0; i < table.header.size(); ++i) {
      row.emplace_back(reader.field(i));
      bytes += row.back().size() + sizeof(std::string);
    }
    if (bytes > most_bytes) reader.reject("the table takes more than 2^30 bytes");
    table.rows.push_back(std::move(row));
    table.lines.push_back(static_cast<std::size_t>(reader.line()));
  }
  return table;
}

}  // namespace preceptor
