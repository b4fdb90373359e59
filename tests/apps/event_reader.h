// Reads TensorBoard's event files as far as tests need them: every record with its checksums, scalars by tag.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "apps/runs/event_file.h"

namespace preceptor::test {

// The fields of a protocol buffer message: numbers and bytes by field.
struct WireFields {
  std::multimap<int, std::uint64_t> numbers;
  std::multimap<int, std::string> bytes;

  explicit WireFields(const std::string& wire) {
    std::size_t at = 0;
    const auto varint = [&] {
      std::uint64_t value = 0;
      for (int shift = 0; at < wire.size(); shift += 7) {
        const auto byte = static_cast<unsigned char>(wire[at++]);
        value |= static_cast<std::uint64_t>(byte & 127u) << shift;
        if (byte < 128) break;
      }
      return value;
    };
    while (at < wire.size()) {
      const std::uint64_t key = varint();
      const int field = static_cast<int>(key >> 3);
      if ((key & 7) == 0) {
        numbers.insert({field, varint()});
        continue;
      }
      const std::size_t size = (key & 7) == 1 ? 8 : (key & 7) == 5 ? 4 : varint();
      if (at + size > wire.size()) {
        ADD_FAILURE() << "field " << field << " ends beyond its message";
        return;
      }
      bytes.insert({field, wire.substr(at, size)});
      at += size;
    }
  }
  std::string text(int field) const { return bytes.contains(field) ? bytes.find(field)->second : ""; }
};

template <class Number>
Number little_endian(const std::string& bytes) {
  Number value{};
  EXPECT_EQ(bytes.size(), sizeof value);
  std::memcpy(&value, bytes.data(), std::min(bytes.size(), sizeof value));
  return value;
}

struct ReadEvent {
  double time = 0;
  std::int64_t step = 0;
  std::string version;
  std::map<std::string, float> scalars;
  std::map<std::string, std::string> texts, pngs;
};

inline std::vector<ReadEvent> read_events(const std::string& file) {
  std::vector<ReadEvent> events;
  for (std::size_t at = 0; at < file.size();) {
    const std::string length = file.substr(at, 8);
    if (length.size() < 8 || file.size() < at + 16 + little_endian<std::uint64_t>(length)) {
      ADD_FAILURE() << "the file ends within a record, at " << at;
      break;
    }
    const std::size_t size = little_endian<std::uint64_t>(length);
    const std::string data = file.substr(at + 12, size);
    EXPECT_EQ(little_endian<std::uint32_t>(file.substr(at + 8, 4)), masked_crc32c(length));
    EXPECT_EQ(little_endian<std::uint32_t>(file.substr(at + 12 + size, 4)), masked_crc32c(data));
    at += 16 + size;
    const WireFields fields(data);
    ReadEvent event;
    event.time = little_endian<double>(fields.text(1));
    if (fields.numbers.contains(2)) event.step = static_cast<std::int64_t>(fields.numbers.find(2)->second);
    event.version = fields.text(3);
    const WireFields summary(fields.text(5));
    for (auto value = summary.bytes.begin(); value != summary.bytes.end(); ++value) {
      const WireFields entry(value->second);
      const std::string tag = entry.text(1);
      if (entry.bytes.contains(2)) event.scalars[tag] = little_endian<float>(entry.text(2));
      if (entry.bytes.contains(4)) event.pngs[tag] = WireFields(entry.text(4)).text(4);
      if (entry.bytes.contains(8)) event.texts[tag] = WireFields(entry.text(8)).text(8);
    }
    events.push_back(std::move(event));
  }
  return events;
}

}  // namespace preceptor::test
