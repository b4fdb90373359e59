// Cuts lines out of a buffer that zlib fills; copies only rows that contain a quote.
#include "data/tables/table.h"

#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>

#include "engine/files/check.h"
#include "engine/files/numbers.h"
#include "engine/files/text.h"

namespace preceptor {

constexpr std::size_t longest_row = 1 << 20, most_fields = 1 << 12;

// The file as a stream of bytes; gzread passes plain files through.
struct TableReader::Input {
  explicit Input(const std::string& path);
  ~Input() { ::gzclose(file); }

  // Reads at least one more byte after `end`; false at the end of the file.
  bool fill();

  std::string path;
  gzFile file = nullptr;
  std::vector<char> buffer;
  std::size_t begin = 0, end = 0;  // unread bytes of the buffer
};

TableReader::Input::Input(const std::string& name) : path(name), buffer(1 << 16) {
  std::error_code unknown;
  if (!std::filesystem::exists(path, unknown)) fail(ErrorKind::missing_input, path, ": there is no such file");
  require_data(!std::filesystem::is_directory(path, unknown), path, ": is a folder, not a table");
  file = ::gzopen(path.c_str(), "rb");
  if (file == nullptr) fail(ErrorKind::io, path, ": cannot be opened");
  ::gzbuffer(file, 1 << 16);
}

bool TableReader::Input::fill() {
  if (begin > 0) {
    std::memmove(buffer.data(), buffer.data() + begin, end - begin);
    end -= begin;
    begin = 0;
  }
  if (end == buffer.size()) buffer.resize(2 * buffer.size());
  const int read = ::gzread(file, buffer.data() + end, static_cast<unsigned>(buffer.size() - end));
  int code = Z_OK;
  const char* reason = ::gzerror(file, &code);
  if (read < 0 || (read == 0 && code != Z_OK && code != Z_STREAM_END))
    fail(code == Z_ERRNO ? ErrorKind::io : ErrorKind::data, path, ": cannot be read any further: ", reason);
  end += static_cast<std::size_t>(read);
  return read > 0;
}

TableReader::TableReader(const std::string& path) : path_(path), input_(std::make_unique<Input>(path)) {
  input_->fill();
  std::string_view start(input_->buffer.data(), input_->end);
  require_data(!start.starts_with("\xFF\xFE") && !start.starts_with("\xFE\xFF"), path,
               ": is text in UTF-16; save it as UTF-8");
  if (start.starts_with("\xEF\xBB\xBF")) {
    input_->begin = 3;
    start.remove_prefix(3);
  }
  if (start.substr(0, start.find('\n')).find('\t') != std::string_view::npos) separator_ = '\t';
  require_data(read_row(), path, ": is empty; a row of column names is expected");
  while (!fields_.empty() && fields_.back().empty()) fields_.pop_back();
  require_data(!fields_.empty(), path, " line ", row_line_, ": names no columns");
  header_.assign(fields_.begin(), fields_.end());
}

TableReader::~TableReader() = default;

std::optional<std::size_t> TableReader::find(std::string_view name) const {
  const auto found = std::find(header_.begin(), header_.end(), name);
  if (found == header_.end()) return std::nullopt;
  require_data(std::find(found + 1, header_.end(), name) == header_.end(), path_, " line 1: two columns are called '",
               name, "'");
  return static_cast<std::size_t>(found - header_.begin());
}

std::size_t TableReader::require_column(std::string_view name) const {
  const std::optional<std::size_t> column = find(name);
  if (column) return *column;
  std::string known = list(header_);
  if (known.size() > 300) known = known.substr(0, 300) + " ...";
  fail(ErrorKind::data, path_, " line 1: there is no column '", name, "'; there are: ", known);
}

bool TableReader::next() {
  if (!read_row()) return false;
  while (fields_.size() > header_.size() && fields_.back().empty()) fields_.pop_back();
  if (fields_.size() != header_.size())
    reject(message("has ", fields_.size(), " fields where the first row names ", header_.size(), " columns"));
  return true;
}

// The next line without its end (LF, CRLF), in the buffer. Valid until the buffer is filled again.
std::string_view TableReader::take_line() {
  Input& in = *input_;
  const auto without_return = [](std::string_view line) { return line.substr(0, line.size() - line.ends_with('\r')); };
  std::size_t looked_at = 0;
  while (true) {
    const char* first = in.buffer.data() + in.begin;
    const void* found = std::memchr(first + looked_at, '\n', in.end - in.begin - looked_at);
    if (found != nullptr || in.end - in.begin > longest_row) {
      const std::size_t length =
          found == nullptr ? in.end - in.begin : static_cast<std::size_t>(static_cast<const char*>(found) - first);
      if (length > longest_row) fail(ErrorKind::data, path_, " line ", line_ + 1, ": has more than 2^20 bytes");
      in.begin += length + 1;
      ++line_;
      return without_return({first, length});
    }
    looked_at = in.end - in.begin;
    if (in.fill()) continue;
    const std::string_view last(in.buffer.data() + in.begin, in.end - in.begin);
    in.begin = in.end;
    ++line_;
    return without_return(last);
  }
}

bool TableReader::read_row() {
  std::string_view line;
  do {
    if (input_->begin == input_->end && !input_->fill()) return false;
    line = take_line();
  } while (line.empty());
  row_line_ = line_;
  fields_.clear();
  if (line.find('"') != std::string_view::npos) {
    quoted_.assign(line);
    read_quoted();
    return true;
  }
  for (std::size_t begin = 0;;) {
    if (fields_.size() == most_fields) reject("has more than 2^12 fields");
    const std::size_t end = line.find(separator_, begin);
    fields_.push_back(line.substr(begin, end - begin));
    if (end == std::string_view::npos) return true;
    begin = end + 1;
  }
}

// Fields of a row with quotes: rewrites the text in place without them and appends lines while a quote is open.
void TableReader::read_quoted() {
  std::vector<std::pair<std::size_t, std::size_t>> places;  // begin and end of each field in quoted_
  std::size_t from = 0, to = 0;
  for (bool more = true; more;) {
    if (places.size() == most_fields) reject("has more than 2^12 fields");
    const std::size_t begin = to;
    if (from < quoted_.size() && quoted_[from] == '"') {
      for (++from;; ++from) {
        if (from == quoted_.size()) {  // the line ends inside the quotes
          if (input_->begin == input_->end && !input_->fill()) reject("a quoted field does not end");
          const std::string_view line = take_line();
          if (quoted_.size() + line.size() > longest_row) reject("has more than 2^20 bytes; is a quote left open?");
          quoted_.append("\n").append(line);
        }
        if (quoted_[from] == '"') {
          if (from + 1 == quoted_.size() || quoted_[from + 1] != '"') break;
          ++from;
        }
        quoted_[to++] = quoted_[from];
      }
      ++from;
      if (from < quoted_.size() && quoted_[from] != separator_)
        fail(ErrorKind::data, path_, " line ", row_line_, ", column ", places.size() + 1,
             ": text follows the closing quote");
    } else {
      while (from < quoted_.size() && quoted_[from] != separator_) quoted_[to++] = quoted_[from++];
    }
    places.emplace_back(begin, to);
    more = from < quoted_.size();
    ++from;
  }
  for (const auto& [begin, end] : places) fields_.push_back(std::string_view(quoted_).substr(begin, end - begin));
}

void TableReader::reject(const std::string& reason) const {
  fail(ErrorKind::data, path_, " line ", row_line_, ": ", reason);
}

void TableReader::reject(std::size_t column, const std::string& reason) const {
  fail(ErrorKind::data, path_, " line ", row_line_, ", column ", column + 1, " (", header_[column], "): ", reason);
}

double TableReader::number(std::size_t column) const {
  const std::optional<double> value = parse_number(field(column));
  if (!value || !std::isfinite(*value)) reject(column, message("'", field(column), "' is not a number"));
  return *value;
}

std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char letter : text) quoted += letter == '"' ? std::string("\"\"") : std::string(1, letter);
  return quoted + "\"";
}

}  // namespace preceptor
