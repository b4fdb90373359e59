// Tables as comma-separated text (RFC 4180), read as hostile.
#pragma once

#include <string>
#include <vector>

namespace preceptor {

struct CsvTable {
  std::string path;
  std::vector<std::string> header;
  std::vector<std::vector<std::string>> rows;  // each as long as the header
  std::vector<std::size_t> lines;              // [rows] line of the file, from 1: quoted fields may span several

  // The position of a column; header.size() where there is none.
  std::size_t find(const std::string& column) const;
  // "predictions.csv line 12, column 'id'", for errors.
  std::string place(std::size_t row, std::size_t column) const;
};

// Fields may be quoted; lines end with \n or \r\n; a byte order mark and empty lines at the end are skipped. Errors:
// missing_input, io; data with the line: a file over 1 GiB, no header, an empty or repeated column name, a row with
// another number of fields, an unfinished or misplaced quote, a zero byte.
CsvTable read_csv(const std::string& path);

// A field as it stands in a file: quoted where it must be.
std::string csv_field(const std::string& text);

}  // namespace preceptor
