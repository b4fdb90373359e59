// .npz: checks the sizes of headers and members before it allocates memory.
#include "data/storage/npz.h"

#include <cstring>

#include "data/storage/npy.h"
#include "engine/files/check.h"
#include "engine/files/text.h"

namespace preceptor {
namespace {

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

Npz::Npz(const std::string& path) : archive_(path) {}

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
  unsigned char length[4] = {};
  member.read(length, static_cast<std::uint64_t>(length_bytes));
  std::uint64_t header_bytes = 0;
  for (int i = 3; i >= 0; --i) header_bytes = header_bytes << 8 | length[i];
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
