// A small parser for the one Python dictionary a .npy file holds.
#include "data/storage/npy.h"

#include <charconv>

#include "engine/files/check.h"

namespace preceptor {
namespace {

// Reads the tokens of the dictionary; every failure names the place and the column.
class HeaderText {
 public:
  HeaderText(std::string_view text, const std::string& place) : text_(text), place_(place) {}

  void expect(char symbol) {
    if (!accept(symbol)) reject(message("'", symbol, "' expected"));
  }

  bool accept(char symbol) {
    skip_space();
    if (at_ == text_.size() || text_[at_] != symbol) return false;
    ++at_;
    return true;
  }

  std::string quoted() {
    skip_space();
    if (at_ == text_.size() || (text_[at_] != '\'' && text_[at_] != '"')) reject("a quoted word expected");
    const std::size_t end = text_.find(text_[at_], at_ + 1);
    if (end == std::string_view::npos) reject("a quoted word does not end");
    const std::string word(text_.substr(at_ + 1, end - at_ - 1));
    at_ = end + 1;
    return word;
  }

  bool truth() {
    skip_space();
    for (const std::string_view word : {std::string_view("True"), std::string_view("False")}) {
      if (text_.substr(at_, word.size()) == word) {
        at_ += word.size();
        return word == "True";
      }
    }
    reject("True or False expected");
  }

  std::vector<std::int64_t> numbers() {
    std::vector<std::int64_t> result;
    expect('(');
    while (!accept(')')) {
      skip_space();
      std::int64_t number = 0;
      const auto [stop, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), number);
      if (error != std::errc() || number < 0) reject("a dimension that is a whole number from 0 expected");
      at_ = static_cast<std::size_t>(stop - text_.data());
      result.push_back(number);
      if (result.size() > 32) reject("more than 32 dimensions");
      if (!accept(',')) {
        expect(')');
        break;
      }
    }
    return result;
  }

  void expect_end() {
    skip_space();
    if (at_ != text_.size()) reject("nothing more expected");
  }

  [[noreturn]] void reject(const std::string& reason) const {
    fail(ErrorKind::data, place_, ": array header, column ", at_ + 1, ": ", reason);
  }

 private:
  void skip_space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t')) ++at_;
  }

  std::string_view text_;
  const std::string& place_;
  std::size_t at_ = 0;
};

std::uint64_t element_bytes(const std::string& dtype, const std::string& place) {
  for (const char* known : {"|u1", "<u1", "|i1", "<i1", "|b1"}) {
    if (dtype == known) return 1;
  }
  for (const char* known : {"<u2", "<i2", "<u4", "<i4", "<f4", "<u8", "<i8", "<f8"}) {
    if (dtype == known) return static_cast<std::uint64_t>(known[2] - '0');
  }
  const char* reason = !dtype.empty() && dtype[0] == '>' ? " is big-endian" : " is not supported";
  fail(ErrorKind::data, place, ": element type '", dtype, "'", reason,
       "; supported: |b1, |u1, |i1, <u2, <i2, <u4, <i4, <u8, <i8, <f4, <f8");
}

}  // namespace

int npy_length_bytes(std::string_view prefix, const std::string& place) {
  require_data(prefix.size() == npy_prefix_bytes && prefix.substr(0, 6) == std::string_view("\x93NUMPY", 6), place,
               ": is not a .npy array (its first bytes are not \\x93NUMPY)");
  const int version = static_cast<unsigned char>(prefix[6]);
  require_data(version >= 1 && version <= 3 && prefix[7] == 0, place, ": .npy version ", version, ".",
               static_cast<int>(static_cast<unsigned char>(prefix[7])), " is not 1.0, 2.0 or 3.0");
  return version == 1 ? 2 : 4;
}

NpyHeader parse_npy_header(std::string_view text, const std::string& place) {
  HeaderText header(text, place);
  NpyHeader result;
  bool fortran_order = false, has_order = false, has_type = false, has_shape = false;
  header.expect('{');
  while (!header.accept('}')) {
    const std::string key = header.quoted();
    header.expect(':');
    bool* seen = key == "descr"           ? &has_type
                 : key == "fortran_order" ? &has_order
                 : key == "shape"         ? &has_shape
                                          : nullptr;
    if (seen == nullptr || *seen) header.reject("key '" + key + (seen == nullptr ? "' is unknown" : "' appears twice"));
    *seen = true;
    if (seen == &has_type) result.dtype = header.quoted();
    if (seen == &has_order) fortran_order = header.truth();
    if (seen == &has_shape) result.shape = header.numbers();
    if (!header.accept(',')) {
      header.expect('}');
      break;
    }
  }
  header.expect_end();
  require_data(has_type && has_order && has_shape, place, ": array header lacks descr, fortran_order or shape");
  require_data(!fortran_order, place,
               ": array is stored in Fortran order (columns first); save it with numpy.ascontiguousarray");
  result.data_bytes = element_bytes(result.dtype, place);
  bool empty = false;
  for (const std::int64_t extent : result.shape) empty = empty || extent == 0;
  if (empty) result.data_bytes = 0;
  for (const std::int64_t extent : result.shape) {
    if (empty) break;
    // Dividing the limit cannot overflow, multiplying the extents can.
    require_data(static_cast<std::uint64_t>(extent) <= npy_most_bytes / result.data_bytes, place,
                 ": shape in the array header asks for more than ", npy_most_bytes, " bytes");
    result.data_bytes *= static_cast<std::uint64_t>(extent);
  }
  return result;
}

}  // namespace preceptor
