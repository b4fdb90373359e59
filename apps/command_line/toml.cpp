// A scanner for flat TOML files.
#include "apps/command_line/toml.h"

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>

#include "engine/files/check.h"

namespace preceptor {
namespace {

class Scanner {
 public:
  Scanner(const std::string& text, const std::string& path) : text_(text), path_(path) {}

  std::vector<TomlEntry> entries() {
    std::vector<TomlEntry> all;
    for (skip(true); !at_end(); skip(true)) {
      TomlEntry entry;
      entry.line = line_;
      check(peek() != '[', "tables are not used here; write name = value");
      entry.key = key();
      check(std::none_of(all.begin(), all.end(), [&](const TomlEntry& e) { return e.key == entry.key; }),
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
    while (!at_end()) {
      if (peek() == '#') {
        while (!at_end() && peek() != '\n') next();
      } else if (peek() == ' ' || peek() == '\t' || peek() == '\r' || (lines && peek() == '\n')) {
        next();
      } else {
        return;
      }
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
    if (take('\'')) return literal();
    if (take('"')) return escaped();
    std::string word;
    while (!at_end() && std::string(" \t\r\n,]#").find(peek()) == std::string::npos) word += next();
    check(!word.empty(), "a value is missing");
    const bool number = word.find_first_not_of("+-.0123456789eE_") == std::string::npos;
    check(number || word == "true" || word == "false" || word == "inf" || word == "nan",
          message("text needs quotes: '", word, "'"));
    std::erase(word, '_');
    return word;
  }

  std::string literal() {
    std::string value;
    while (!take('\'')) {
      check(peek() != '\n', "a string must end on its line");
      value += next();
    }
    return value;
  }

  // Such strings are those of JSON.
  std::string escaped() {
    const std::size_t begin = position_ - 1;
    while (!take('"')) {
      check(peek() != '\n', "a string must end on its line");
      if (next() == '\\') next();
    }
    const auto value = nlohmann::json::parse(text_.substr(begin, position_ - begin), nullptr, false);
    check(value.is_string(), "unknown escape or character in a string");
    return value.get<std::string>();
  }

  const std::string& text_;
  const std::string& path_;
  std::size_t position_ = 0;
  int line_ = 1;
};

}  // namespace

std::vector<TomlEntry> parse_toml(const std::string& text, const std::string& path) {
  return Scanner(text, path).entries();
}

}  // namespace preceptor
