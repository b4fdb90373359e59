// .npz: checks the sizes of headers and members before it allocates memory. A small parser reads the one Python
// dictionary that a .npy member begins with, without evaluating it; `place` begins every message.
#include "data/storage/npz.h"

#include <charconv>
#include <cstring>

#include "engine/files/check.h"
#include "engine/files/text.h"

namespace preceptor {
namespace {

struct NpyHeader {
  std::string dtype;                // "|u1", "<f4", ...
  std::vector<std::int64_t> shape;  // empty for a scalar
  std::uint64_t data_bytes = 0;     // product of the shape times the size of an element
};

// Every .npy begins with magic and version, then the length of the header text (2 bytes in version 1, 4 in 2 and 3).
constexpr std::size_t npy_prefix_bytes = 8;
constexpr std::uint64_t npy_longest_header = 1 << 20;
constexpr std::uint64_t npy_most_bytes = std::uint64_t{1} << 36;  // 64 GiB: ten times the largest set expected

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

// Checks the first 8 bytes and returns the number of length bytes that follow (2 or 4).
int npy_length_bytes(std::string_view prefix, const std::string& place) {
  require_data(prefix.size() == npy_prefix_bytes && prefix.substr(0, 6) == std::string_view("\x93NUMPY", 6), place,
               ": is not a .npy array (its first bytes are not \\x93NUMPY)");
  const int version = static_cast<unsigned char>(prefix[6]);
  require_data(version >= 1 && version <= 3 && prefix[7] == 0, place, ": .npy version ", version, ".",
               static_cast<int>(static_cast<unsigned char>(prefix[7])), " is not 1.0, 2.0 or 3.0");
  return version == 1 ? 2 : 4;
}

// Parses the header text, a Python dictionary of descr, fortran_order and shape.
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

template <class Element, class Value>
void append(const Array& array, const std::string& place, std::vector<Value>& result) {
  for (std::size_t offset = 0; offset < array.bytes.size(); offset += sizeof(Element)) {
    Element value;
    std::memcpy(&value, array.bytes.data() + offset, sizeof value);
    if constexpr (std::is_same_v<Element, std::uint64_t>) {
      require_data(value <= static_cast<std::uint64_t>(INT64_MAX), place, ": element ", offset / 8, " is ", value,
                   ", beyond 64-bit signed numbers");
    }
    result.push_back(static_cast<Value>(value));
  }
}

}  // namespace

std::vector<std::int64_t> integers(const Array& array, const std::string& place) {
  std::vector<std::int64_t> result;
  const auto holds = [&]<class Element>(std::string_view type, Element) {
    if (array.dtype.size() != 3 || !array.dtype.ends_with(type)) return false;
    append<Element>(array, place, result);
    return true;
  };
  const bool known = holds("u1", std::uint8_t{}) || holds("b1", std::uint8_t{}) || holds("i1", std::int8_t{}) ||
                     holds("u2", std::uint16_t{}) || holds("i2", std::int16_t{}) || holds("u4", std::uint32_t{}) ||
                     holds("i4", std::int32_t{}) || holds("u8", std::uint64_t{}) || holds("i8", std::int64_t{});
  require_data(known, place, ": element type '", array.dtype, "' where whole numbers are expected");
  return result;
}

std::vector<double> real_numbers(const Array& array, const std::string& place) {
  require_data(array.dtype == "<f4" || array.dtype == "<f8", place, ": element type '", array.dtype,
               "' where real numbers are expected");
  std::vector<double> result;
  array.dtype == "<f4" ? append<float>(array, place, result) : append<double>(array, place, result);
  return result;
}

std::vector<std::string> Npz::names() const {
  std::vector<std::string> result = archive_.names();
  for (std::string& name : result)
    if (name.ends_with(".npy")) name.resize(name.size() - 4);
  return result;
}

Array Npz::read(const std::string& name) const {
  const std::string place = path() + ": member " + name;
  if (!archive_.contains(name + ".npy")) {
    const std::string present = list(names());
    fail(ErrorKind::data, place, ": is missing; present: ", present.empty() ? "nothing" : present);
  }
  ZipMember member = archive_.open(name + ".npy", name);
  char prefix[npy_prefix_bytes];
  member.read(prefix, npy_prefix_bytes);
  const int length_bytes = npy_length_bytes({prefix, npy_prefix_bytes}, place);
  std::uint64_t header_bytes = 0;  // little-endian, as this machine
  member.read(&header_bytes, static_cast<std::uint64_t>(length_bytes));
  const std::uint64_t begin = npy_prefix_bytes + static_cast<std::uint64_t>(length_bytes) + header_bytes;
  require_data(header_bytes <= npy_longest_header && begin <= member.bytes(), place, ": array header of ", header_bytes,
               " bytes in a member of ", member.bytes());
  std::string text(header_bytes, ' ');
  member.read(text.data(), header_bytes);
  NpyHeader header = parse_npy_header(text, place);
  require_data(member.bytes() - begin == header.data_bytes, place, ": its header asks for ", header.data_bytes,
               " bytes of numbers, the member holds ", member.bytes() - begin);

  Array array{std::move(header.shape), std::move(header.dtype), {}};
  array.bytes.resize(header.data_bytes);
  member.read(array.bytes.data(), header.data_bytes);
  member.expect_end();
  return array;
}

}  // namespace preceptor
