// TOML files that stand in for flags.
#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>

#include "apps/command_line/command_line.h"
#include "engine/files/check.h"
#include "engine/files/file.h"

namespace preceptor {
namespace {

struct Entry {
  std::string key;
  std::vector<std::string> values;  // strings without quotes and escapes; one unless the value is an array
  int line = 0;
};

// Reads the part of TOML that a file of flags needs: keys with strings, numbers, booleans and flat arrays of them.
// Tables, dates and multi-line strings are refused. Not toml++, which has no integers from 2^63 on, which seeds may be.
class Scanner {
 public:
  Scanner(std::string text, const std::string& path) : text_(std::move(text)), path_(path) {}

  std::vector<Entry> entries() {
    std::vector<Entry> all;
    for (skip(true); !at_end(); skip(true)) {
      Entry entry;
      entry.line = line_;
      check(peek() != '[', "tables are not used here; write name = value");
      entry.key = key();
      check(std::none_of(all.begin(), all.end(), [&](const Entry& e) { return e.key == entry.key; }),
            message("'", entry.key, "' is given twice"));
      skip(false);
      check(take('='), message("'=' is expected after '", entry.key, "'"));
      skip(false);
      if (take('['))
        array(entry.values);
      else
        entry.values.push_back(scalar());
      skip(false);
      check(at_end() || peek() == '\n', message("unexpected text after the value of '", entry.key, "'"));
      all.push_back(std::move(entry));
    }
    return all;
  }

 private:
  bool at_end() const { return position_ >= text_.size(); }
  char peek() const { return at_end() ? '\n' : text_[position_]; }
  char next() {
    check(!at_end(), "the file ends within a value");
    if (text_[position_] == '\n') ++line_;
    return text_[position_++];
  }
  bool take(char wanted) {
    if (at_end() || peek() != wanted) return false;
    next();
    return true;
  }
  void check(bool good, const std::string& reason) const {
    if (!good) fail(ErrorKind::usage, path_, " line ", line_, ": ", reason);
  }

  // Skips blanks and comments; with `lines` also line ends.
  void skip(bool lines) {
    const std::string_view blanks = lines ? " \t\r\n" : " \t\r";
    for (; !at_end(); next()) {
      if (peek() == '#') position_ = std::min(text_.find('\n', position_), text_.size());
      if (at_end() || blanks.find(peek()) == std::string_view::npos) return;
    }
  }

  std::string key() {
    if (peek() == '"' || peek() == '\'') return scalar();
    std::string name;
    while (!at_end() && (std::isalnum(static_cast<unsigned char>(peek())) != 0 || peek() == '-' || peek() == '_'))
      name += next();
    check(!name.empty(), "the name of a flag is expected");
    return name;
  }

  void array(std::vector<std::string>& values) {
    for (skip(true); !take(']'); skip(true)) {
      values.push_back(scalar());
      skip(true);
      if (take(',')) continue;
      check(take(']'), "',' or ']' is expected in an array");
      return;
    }
  }

  std::string scalar() {
    for (const char quote : {'\'', '"'})
      if (take(quote)) return quoted(quote);
    std::string word;
    while (!at_end() && std::string(" \t\r\n,]#").find(peek()) == std::string::npos) word += next();
    check(!word.empty(), "a value is missing");
    const bool number = word.find_first_not_of("+-.0123456789eE_") == std::string::npos;
    check(number || word == "true" || word == "false" || word == "inf" || word == "nan",
          message("text needs quotes: '", word, "'"));
    std::erase(word, '_');
    return word;
  }

  // The quote was taken. Strings in double quotes are those of JSON.
  std::string quoted(char quote) {
    const std::size_t begin = position_ - 1;
    while (!take(quote)) {
      check(peek() != '\n', "a string must end on its line");
      if (next() == '\\' && quote == '"') next();
    }
    const std::string whole = text_.substr(begin, position_ - begin);
    if (quote == '\'') return whole.substr(1, whole.size() - 2);
    const auto value = nlohmann::json::parse(whole, nullptr, false);
    check(value.is_string(), "unknown escape or character in a string");
    return value.get<std::string>();
  }

  std::string text_;
  const std::string& path_;
  std::size_t position_ = 0;
  int line_ = 1;
};

}  // namespace

void read_options_file(const std::string& path, const std::string& app, OptionTable& options) {
  for (const Entry& entry : Scanner(read_file(path), path).entries()) {
    Option* option = options.find("--" + entry.key);
    if (option == nullptr || !option->rules.in_files)
      fail(ErrorKind::usage, path, " line ", entry.line, ": '", entry.key, "' is not a flag of ", app,
           " that can stand in a file");
    if (option->given || entry.values.empty()) continue;
    option->given = true;
    option->read(entry.values);
  }
}

}  // namespace preceptor
