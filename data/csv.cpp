// Reads comma-separated text in one pass over its bytes.
#include "data/csv.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "engine/check.h"
#include "engine/checkpoint.h"

namespace preceptor {
namespace {

constexpr std::uintmax_t largest_file = std::uintmax_t{1} << 30;

class CsvReader {
 public:
  CsvReader(const std::string& path, const std::string& text) : path_(path), text_(text) {
    if (text_.starts_with("\xEF\xBB\xBF")) at_ = 3;
  }

  bool finished() const { return at_ >= text_.size(); }
  std::size_t line() const { return line_; }

  std::vector<std::string> record() {
    std::vector<std::string> fields;
    do {
      fields.push_back(!finished() && text_[at_] == '"' ? quoted() : plain());
    } while (take(','));
    take('\r');
    require_data(finished() || take('\n'), path_, " line ", line_, ": something else than ',' stands behind a quote");
    ++line_;
    return fields;
  }

 private:
  bool take(char wanted) {
    if (finished() || text_[at_] != wanted) return false;
    ++at_;
    return true;
  }

  std::string plain() {
    const std::size_t begin = at_;
    while (!finished() && text_[at_] != ',' && text_[at_] != '\n' && text_[at_] != '\r') {
      require_data(text_[at_] != '"' && text_[at_] != '\0', path_, " line ", line_,
                   ": a quote or a zero byte inside a field that is not quoted");
      ++at_;
    }
    return text_.substr(begin, at_ - begin);
  }

  std::string quoted() {
    const std::size_t opened = line_;
    std::string field;
    for (++at_; !finished(); ++at_) {
      require_data(text_[at_] != '\0', path_, " line ", line_, ": a zero byte");
      if (text_[at_] == '"') {
        ++at_;
        if (finished() || text_[at_] != '"') return field;
      }
      line_ += text_[at_] == '\n' ? 1 : 0;
      field += text_[at_];
    }
    fail(ErrorKind::data, path_, " line ", opened, ": a quote is never closed");
  }

  const std::string& path_;
  const std::string& text_;
  std::size_t at_ = 0, line_ = 1;
};

}  // namespace

std::size_t CsvTable::find(const std::string& column) const {
  return static_cast<std::size_t>(std::find(header.begin(), header.end(), column) - header.begin());
}

std::string CsvTable::place(std::size_t row, std::size_t column) const {
  return message(path, " line ", lines[row], ", column '", header[column].substr(0, 100), "'");
}

CsvTable read_csv(const std::string& path) {
  std::error_code unknown;
  const std::uintmax_t size = std::filesystem::file_size(path, unknown);
  require_data(unknown || size <= largest_file, path, ": ", size, " bytes; tables of more than ", largest_file,
               " are not read");
  const std::string text = read_file(path);
  CsvReader reader(path, text);
  CsvTable table{path, {}, {}, {}};
  require_data(!reader.finished(), path, ": is empty");
  table.header = reader.record();
  std::set<std::string> names;
  for (std::size_t i = 0; i < table.header.size(); ++i) {
    require_data(!table.header[i].empty(), path, " line 1: column ", i + 1, " has no name");
    require_data(names.insert(table.header[i]).second, path, " line 1: column '", table.header[i].substr(0, 100),
                 "' is there twice");
  }
  std::size_t empty_line = 0;
  while (!reader.finished()) {
    const std::size_t line = reader.line();
    std::vector<std::string> fields = reader.record();
    if (fields.size() == 1 && fields[0].empty() && table.header.size() > 1) {
      empty_line = empty_line == 0 ? line : empty_line;
      continue;
    }
    require_data(empty_line == 0, path, " line ", empty_line, ": is empty, but rows follow");
    require_data(fields.size() == table.header.size(), path, " line ", line, ": has ", fields.size(),
                 " fields, the header ", table.header.size());
    table.rows.push_back(std::move(fields));
    table.lines.push_back(line);
  }
  return table;
}

std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char letter : text) quoted += letter == '"' ? std::string("\"\"") : std::string(1, letter);
  return quoted + "\"";
}

}  // namespace preceptor
