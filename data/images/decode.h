// The decoders of read_image: each takes the bytes of a whole file and trusts none of them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "data/images/image.h"

namespace preceptor {

#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
inline constexpr std::int64_t most_pixels = 1 << 14;  // larger pictures only make fuzzing slower
#else
inline constexpr std::int64_t most_pixels = 1 << 26;
#endif

// Error (data) unless a picture of this size may be decoded.
void require_image_size(std::int64_t height, std::int64_t width, const std::string& path);

bool is_png(std::string_view bytes);
bool is_jpeg(std::string_view bytes);
bool is_pnm(std::string_view bytes);  // binary PGM or PPM

// ISO/IEC 15948: every color type and depth, interlaced or not; checksums are checked. 16-bit grey goes through
// the window. Errors: data.
Image decode_png(std::string_view bytes, const std::string& path, const WindowChoice& window = {});

// "P5" and "P6" with values up to 65535: up to 255 scaled to 0..255, more in the order of Netpbm, upper byte first,
// 16-bit grey through the window. Errors: data.
Image decode_pnm(std::string_view bytes, const std::string& path, const WindowChoice& window = {});

// Baseline and progressive, grey, RGB or YCbCr, 8 bits; at the scale that read_image describes. Errors: data, also for
// files that end early, whose lower part would be grey.
Image decode_jpeg(std::string_view bytes, const std::string& path, int height, int width);

// One grey or color image: uncompressed, RLE, JPEG (baseline to lossless), JPEG-LS and JPEG 2000. The values after the
// file's rescaling go through the window; MONOCHROME1 is inverted. Errors: data, with the name of a transfer syntax
// that cannot be decoded.
Image decode_dicom(std::string_view bytes, const std::string& path, const WindowChoice& window = {});

struct Jpeg2000Shape {
  int height, width, samples;
};
// A JPEG 2000 codestream as DICOM files hold them: [height, width, samples] values; signed ones stay negative. Errors:
// data, unless the stream holds a picture of just this shape, whole.
std::vector<std::int32_t> decode_jpeg2000(std::string_view stream, const Jpeg2000Shape& shape, const std::string& path);

}  // namespace preceptor
