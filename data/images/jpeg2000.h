// JPEG 2000 codestreams as DICOM files hold them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace preceptor {

struct Jpeg2000Shape {
  int height, width, samples;
};

// [height, width, samples] values; signed ones stay negative. Errors: data, unless the stream holds a picture of just
// this shape, whole.
std::vector<std::int32_t> decode_jpeg2000(std::string_view stream, const Jpeg2000Shape& shape, const std::string& path);

}  // namespace preceptor
