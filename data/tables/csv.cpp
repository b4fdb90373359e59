// Whole tables in memory.
#include "data/tables/csv.h"

#include <algorithm>
#include <set>

#include "data/tables/table.h"
#include "engine/files/check.h"

namespace preceptor {

namespace {
constexpr std::size_t most_bytes = std::size_t{1} << 30;
}  // namespace

std::size_t CsvTable::find(const std::string& column) const {
  return static_cast<std::size_t>(std::find(header.begin(), header.end(), column) - header.begin());
}

std::string CsvTable::place(std::size_t row, std::size_t column) const {
  return message(path, " line ", lines[row], ", column '", header[column].substr(0, 100), "'");
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
