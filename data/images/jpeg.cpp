// JPEG through libjpeg-turbo, which can leave out the high frequencies of a picture that is shrunk anyway.
#include <turbojpeg.h>

#include <algorithm>
#include <memory>

#include "data/images/decode.h"
#include "engine/files/check.h"

namespace preceptor {
namespace {

// Damage that shows in the picture. Bytes between two markers that no decoder needs are none.
bool is_damage(tjhandle decoder) {
  return tjGetErrorCode(decoder) != TJERR_WARNING ||
         std::string_view(tjGetErrorStr2(decoder)).find("extraneous bytes") == std::string_view::npos;
}

}  // namespace

bool is_jpeg(std::string_view bytes) { return bytes.starts_with("\xff\xd8\xff"); }

Image decode_jpeg(std::string_view bytes, const std::string& path, int height, int width) {
  const std::unique_ptr<void, int (*)(tjhandle)> decoder(tjInitDecompress(), tjDestroy);
  if (decoder == nullptr) fail(ErrorKind::internal, "libjpeg-turbo: ", tjGetErrorStr2(nullptr));
  const auto* file = reinterpret_cast<const unsigned char*>(bytes.data());
  const auto size = static_cast<unsigned long>(bytes.size());
  int full_width = 0, full_height = 0, subsampling = 0, colors = 0;
  const int header = tjDecompressHeader3(decoder.get(), file, size, &full_width, &full_height, &subsampling, &colors);
  require_data(header == 0 || !is_damage(decoder.get()), path, ": cannot be decoded: ", tjGetErrorStr2(decoder.get()));
  require_image_size(full_height, full_width, path);
  require_data(colors != TJCS_CMYK && colors != TJCS_YCCK, path, ": is CMYK; grey and RGB are read");

  tjscalingfactor scale{1, 1};
  for (int eighths = 7; eighths > 0 && height > 0 && width > 0; --eighths) {
    const tjscalingfactor smaller{eighths, 8};
    if (TJSCALED(full_height, smaller) < height || TJSCALED(full_width, smaller) < width) break;
    scale = smaller;
  }
  Image image = filled(TJSCALED(full_height, scale), TJSCALED(full_width, scale), colors == TJCS_GRAY ? 1 : 3);
  // A progressive file may paint the same pixels over and over: 500 times are enough for any that is meant well.
  const int decoded = tjDecompress2(decoder.get(), file, size, image.pixels.data(), image.width, 0, image.height,
                                    image.channels == 1 ? TJPF_GRAY : TJPF_RGB, TJFLAG_LIMITSCANS);
  require_data(decoded == 0 || !is_damage(decoder.get()), path, ": cannot be decoded: ", tjGetErrorStr2(decoder.get()));
  return image;
}

}  // namespace preceptor
