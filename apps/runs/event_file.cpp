// Events as TFRecords.
#include "apps/runs/event_file.h"

#include <boost/crc.hpp>

#include "data/images/png_writer.h"
#include "models/protobuf.h"

namespace preceptor {
namespace {

std::string little_endian(std::uint64_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> (8 * i) & 255u);
  return text;
}

// length, its checksum, the event, its checksum
std::string record(const ProtobufMessage& event) {
  const std::string length = little_endian(event.wire().size(), 8);
  return length + little_endian(masked_crc32c(length), 4) + event.wire() +
         little_endian(masked_crc32c(event.wire()), 4);
}

ProtobufMessage event_at(EventPlace place) {
  ProtobufMessage event;
  event.real64(1, place.time);
  if (place.step != 0) event.number(2, place.step);
  return event;
}

std::string summary_record(EventPlace place, const ProtobufMessage& summary) {
  return record(event_at(place).message(5, summary));
}

}  // namespace

std::uint32_t masked_crc32c(const std::string& bytes) {
  boost::crc_optimal<32, 0x1EDC6F41, 0xFFFFFFFF, 0xFFFFFFFF, true, true> crc;
  crc.process_bytes(bytes.data(), bytes.size());
  const std::uint32_t sum = crc.checksum();
  return (sum >> 15u | sum << 17u) + 0xa282ead8u;
}

std::string first_record(double time) { return record(event_at({time, 0}).bytes(3, "brain.Event:2")); }

std::string scalar_record(EventPlace place, const std::vector<std::pair<std::string, double>>& scalars) {
  ProtobufMessage summary;
  for (const auto& [tag, value] : scalars)
    summary.message(1, ProtobufMessage().bytes(1, tag).real(2, static_cast<float>(value)));
  return summary_record(place, summary);
}

std::string text_record(EventPlace place, const std::string& tag, const std::string& markdown) {
  constexpr int string_type = 7;  // DT_STRING
  const ProtobufMessage shape = ProtobufMessage().message(2, ProtobufMessage().number(1, 1));
  const ProtobufMessage tensor = ProtobufMessage().number(1, string_type).message(2, shape).bytes(8, markdown);
  const ProtobufMessage metadata = ProtobufMessage().message(1, ProtobufMessage().bytes(1, "text"));
  const ProtobufMessage value = ProtobufMessage().bytes(1, tag).message(8, tensor).message(9, metadata);
  return summary_record(place, ProtobufMessage().message(1, value));
}

std::string image_record(EventPlace place, const std::string& tag, const Image& image) {
  ProtobufMessage picture;
  picture.number(1, image.height).number(2, image.width).number(3, image.channels).bytes(4, png_bytes(image));
  return summary_record(place, ProtobufMessage().message(1, ProtobufMessage().bytes(1, tag).message(4, picture)));
}

}  // namespace preceptor
