// Tables as text, CSV or TSV, plain or gzipped: reads them row by row in bounded memory, and quotes fields.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace preceptor {

// RFC 4180; trusts nothing. The first row names the columns; a tab in it makes the table a TSV. Accepts a byte order
// mark, CRLF, quoted fields (commas, line breaks and doubled quotes inside), empty lines (skipped), empty fields beyond
// the last column, gzip. A row holds at most 2^20 bytes and 2^12 fields.
// Errors: missing_input, io; data, "FILE line L[, column C (NAME)]: reason".
class TableReader {
 public:
  explicit TableReader(const std::string& path);
  ~TableReader();
  TableReader(const TableReader&) = delete;
  TableReader& operator=(const TableReader&) = delete;

  const std::string& path() const { return path_; }
  const std::vector<std::string>& header() const { return header_; }
  // Position of the column with this name, if there is one; asking for a name that two columns have is an error.
  std::optional<std::size_t> find(std::string_view name) const;
  // The same; a missing column is an error that lists the existing ones.
  std::size_t require_column(std::string_view name) const;

  // Reads the next row; false after the last one. Its header().size() fields are valid until the next call.
  bool next();
  std::string_view field(std::size_t column) const { return fields_[column]; }
  // Empty without a column.
  std::string_view field(std::optional<std::size_t> column) const { return column ? fields_[*column] : ""; }
  std::int64_t line() const { return row_line_; }  // first line of the row, from 1

  // Throws the Error of this row, or of one of its fields.
  [[noreturn]] void reject(const std::string& reason) const;
  [[noreturn]] void reject(std::size_t column, const std::string& reason) const;
  // The field as a finite number. Errors: data.
  double number(std::size_t column) const;

 private:
  struct Input;

  bool read_row();
  void read_quoted();
  std::string_view take_line();

  std::string path_;
  std::unique_ptr<Input> input_;
  char separator_ = ',';
  std::vector<std::string> header_;
  std::vector<std::string_view> fields_;
  std::string quoted_;  // a row with quotes, its fields without them
  std::int64_t line_ = 0, row_line_ = 0;
};

// A field of a CSV file, quoted if necessary (RFC 4180).
std::string csv_field(const std::string& text);

}  // namespace preceptor
