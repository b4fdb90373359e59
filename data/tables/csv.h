// A whole table in memory, for readers that look at a row more than once; TableReader reads it.
#pragma once

#include <string>
#include <vector>

namespace preceptor {

struct CsvTable {
  std::string path;
  std::vector<std::string> header;
  std::vector<std::vector<std::string>> rows;  // each as long as the header
  std::vector<std::size_t> lines;              // [rows] line of the file, from 1: quoted fields may span several

  // The position of a column; header.size() if there is none.
  std::size_t find(const std::string& column) const;
  // "predictions.csv line 12, column 'id'", for errors.
  std::string place(std::size_t row, std::size_t column) const;

  // Error (data) of a field: "PLACE: 'x' is not EXPECTED".
  [[noreturn]] void reject(std::size_t row, std::size_t column, const std::string& expected) const;
  // A field as a number from `least` to `most`. Errors: those of reject().
  double number(std::size_t row, std::size_t column, double least, double most, const std::string& expected) const;
  // A column of distinct, non-empty names, at least one. Errors: data.
  std::vector<std::string> ids(std::size_t column) const;
};

// Errors: those of TableReader; data: an empty or repeated column name, more than 2^30 bytes in all.
CsvTable read_csv(const std::string& path);

}  // namespace preceptor
