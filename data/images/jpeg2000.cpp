// JPEG 2000 through OpenJPEG, from memory.
#include <openjpeg.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "data/images/decode.h"
#include "engine/files/check.h"

namespace preceptor {
namespace {

struct Source {
  std::string_view bytes;
  std::size_t at = 0;
};

OPJ_SIZE_T read(void* buffer, OPJ_SIZE_T wanted, void* user) {
  auto& source = *static_cast<Source*>(user);
  const std::size_t given = std::min<std::size_t>(wanted, source.bytes.size() - source.at);
  if (given == 0) return static_cast<OPJ_SIZE_T>(-1);
  std::memcpy(buffer, source.bytes.data() + source.at, given);
  source.at += given;
  return given;
}

OPJ_OFF_T skip(OPJ_OFF_T count, void* user) {
  auto& source = *static_cast<Source*>(user);
  if (count < 0 || static_cast<std::size_t>(count) > source.bytes.size() - source.at) return -1;
  source.at += static_cast<std::size_t>(count);
  return count;
}

OPJ_BOOL seek(OPJ_OFF_T to, void* user) {
  auto& source = *static_cast<Source*>(user);
  if (to < 0 || static_cast<std::size_t>(to) > source.bytes.size()) return OPJ_FALSE;
  source.at = static_cast<std::size_t>(to);
  return OPJ_TRUE;
}

using Stream = std::unique_ptr<opj_stream_t, void (*)(opj_stream_t*)>;
using Codec = std::unique_ptr<opj_codec_t, void (*)(opj_codec_t*)>;
using Picture = std::unique_ptr<opj_image_t, void (*)(opj_image_t*)>;

Stream stream_of(Source& source) {
  Stream stream(opj_stream_default_create(OPJ_TRUE), opj_stream_destroy);
  if (stream == nullptr) throw std::bad_alloc();
  opj_stream_set_user_data(stream.get(), &source, nullptr);
  opj_stream_set_user_data_length(stream.get(), source.bytes.size());
  opj_stream_set_read_function(stream.get(), read);
  opj_stream_set_skip_function(stream.get(), skip);
  opj_stream_set_seek_function(stream.get(), seek);
  return stream;
}

}  // namespace

std::vector<std::int32_t> decode_jpeg2000(std::string_view bytes, const Jpeg2000Shape& shape, const std::string& path) {
  const auto require_decoded = [&](bool condition) {
    require_data(condition, path, ": its JPEG 2000 pixels are damaged");
  };
  Source source{bytes};
  const Stream stream = stream_of(source);
  const Codec codec(opj_create_decompress(OPJ_CODEC_J2K), opj_destroy_codec);
  opj_dparameters_t parameters;
  opj_set_default_decoder_parameters(&parameters);
  require_decoded(codec != nullptr && opj_setup_decoder(codec.get(), &parameters) != 0);
  opj_image_t* header = nullptr;
  const bool has_header = opj_read_header(stream.get(), codec.get(), &header) != 0;
  const Picture picture(header, opj_image_destroy);
  require_decoded(has_header && picture != nullptr);
  // Before anything of the size that the stream claims is taken.
  bool fits = picture->numcomps == static_cast<OPJ_UINT32>(shape.samples);
  for (OPJ_UINT32 c = 0; fits && c < picture->numcomps; ++c)
    fits = picture->comps[c].w == static_cast<OPJ_UINT32>(shape.width) &&
           picture->comps[c].h == static_cast<OPJ_UINT32>(shape.height);
  require_data(fits, path, ": its JPEG 2000 picture is not of ", shape.height, "x", shape.width, "x", shape.samples);
  require_decoded(opj_decode(codec.get(), stream.get(), picture.get()) != 0 &&
                  opj_end_decompress(codec.get(), stream.get()) != 0);

  const std::size_t pixels = static_cast<std::size_t>(shape.height) * shape.width;
  std::vector<std::int32_t> values(pixels * shape.samples);
  for (int c = 0; c < shape.samples; ++c) {
    const OPJ_INT32* component = picture->comps[c].data;
    require_decoded(component != nullptr);
    for (std::size_t i = 0; i < pixels; ++i) values[i * shape.samples + c] = component[i];
  }
  return values;
}

}  // namespace preceptor
