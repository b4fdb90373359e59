// JPEG 2000 codestreams, without loss, through OpenJPEG; and DICOM files that hold them.
#pragma once

#include <openjpeg.h>

#include <memory>

#include "tests/data/dicom_writer.h"

namespace preceptor::test {

// values [rows, columns, samples] of header.stored bits; empty where that fails.
inline std::string jpeg2000(const DicomHeader& header, const std::vector<int>& values) {
  opj_image_cmptparm_t component{};
  component.dx = component.dy = 1;
  component.w = static_cast<OPJ_UINT32>(header.columns);
  component.h = static_cast<OPJ_UINT32>(header.rows);
  component.prec = static_cast<OPJ_UINT32>(header.stored);
  component.sgnd = header.is_signed;
  std::vector<opj_image_cmptparm_t> components(static_cast<std::size_t>(header.samples), component);
  const std::unique_ptr<opj_image_t, void (*)(opj_image_t*)> image(
      opj_image_create(static_cast<OPJ_UINT32>(header.samples), components.data(),
                       header.samples == 3 ? OPJ_CLRSPC_SRGB : OPJ_CLRSPC_GRAY),
      opj_image_destroy);
  image->x1 = component.w;
  image->y1 = component.h;
  for (std::size_t i = 0; i < values.size(); ++i)
    image->comps[i % components.size()].data[i / components.size()] = values[i];

  std::string bytes;
  const std::unique_ptr<opj_stream_t, void (*)(opj_stream_t*)> stream(opj_stream_default_create(OPJ_FALSE),
                                                                      opj_stream_destroy);
  opj_stream_set_user_data(stream.get(), &bytes, nullptr);
  opj_stream_set_write_function(stream.get(), [](void* data, OPJ_SIZE_T size, void* out) {
    static_cast<std::string*>(out)->append(static_cast<const char*>(data), size);
    return size;
  });
  const std::unique_ptr<opj_codec_t, void (*)(opj_codec_t*)> codec(opj_create_compress(OPJ_CODEC_J2K),
                                                                   opj_destroy_codec);
  opj_cparameters_t parameters;
  opj_set_default_encoder_parameters(&parameters);
  parameters.numresolution = header.rows > 8 ? 3 : 1;
  parameters.tcp_mct = header.samples == 3;
  const bool done = opj_setup_encoder(codec.get(), &parameters, image.get()) != 0 &&
                    opj_start_compress(codec.get(), image.get(), stream.get()) != 0 &&
                    opj_encode(codec.get(), stream.get()) != 0 && opj_end_compress(codec.get(), stream.get()) != 0;
  return done ? bytes : std::string();
}

// The stream in fragments of `size` bytes (even), after an empty table of offsets (PS3.5, A.4).
inline std::string encapsulated(const DicomHeader& header, std::string stream, std::size_t size) {
  if (stream.size() % 2 != 0) stream += '\0';
  std::string pixels("\xe0\x7f\x10\0OB\0\0\xff\xff\xff\xff\xfe\xff\0\xe0\0\0\0\0", 20);
  for (std::size_t at = 0; at < stream.size(); at += size) {
    const std::string piece = stream.substr(at, size);
    pixels += std::string("\xfe\xff\0\xe0", 4) + little_endian(piece.size(), 4) + piece;
  }
  return dicom_header(header) + pixels + std::string("\xfe\xff\xdd\xe0\0\0\0\0", 8);
}

}  // namespace preceptor::test
