// A whole table in memory, for those who look at a row more than once; TableReader reads it.
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

// Errors: those of TableReader; data: an empty or repeated column name, more than 2^30 bytes in all.
CsvTable read_csv(const std::string& path);

}  // namespace preceptor
