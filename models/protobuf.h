// The wire format of Protocol Buffers, as far as ONNX and event files need it: a message is the sequence of its
// fields without any frame.
#pragma once

#include <bit>
#include <cstdint>
#include <string>
#include <string_view>

namespace preceptor {

class ProtobufMessage {
 public:
  // Each adds one field; a repeated field is added once per value.
  ProtobufMessage& number(int field, std::int64_t value) {
    key(field, 0);
    varint(static_cast<std::uint64_t>(value));
    return *this;
  }
  ProtobufMessage& real(int field, float value) {
    static_assert(std::endian::native == std::endian::little, "the wire format is little-endian");
    key(field, 5);
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }
  ProtobufMessage& real64(int field, double value) {
    key(field, 1);
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }
  ProtobufMessage& bytes(int field, std::string_view value) {
    key(field, 2);
    varint(value.size());
    bytes_.append(value);
    return *this;
  }
  ProtobufMessage& message(int field, const ProtobufMessage& value) { return bytes(field, value.bytes_); }

  const std::string& wire() const { return bytes_; }

 private:
  void key(int field, unsigned wire_type) { varint(static_cast<unsigned>(field) << 3u | wire_type); }
  void varint(std::uint64_t value) {
    for (; value >= 128; value >>= 7u) bytes_ += static_cast<char>((value & 127u) | 128u);
    bytes_ += static_cast<char>(value);
  }

  std::string bytes_;
};

}  // namespace preceptor
