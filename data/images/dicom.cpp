// DICOM through DCMTK: decompresses the file's pixels, then applies the file's own rules for display.
#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcpxitem.h>
#include <dcmtk/dcmdata/dcrledrg.h>
#include <dcmtk/dcmdata/dctk.h>
#include <dcmtk/dcmimage/diregist.h>
#include <dcmtk/dcmimgle/dcmimage.h>
#include <dcmtk/dcmimgle/dipixel.h>
#include <dcmtk/dcmjpeg/djdecode.h>
#include <dcmtk/dcmjpls/djdecode.h>

#include <mutex>

#include "data/images/decode.h"
#include "engine/files/check.h"

namespace preceptor {
namespace {

// DCMTK keeps its decoders and its log in globals; the library prints nothing.
void prepare_dcmtk() {
  static std::once_flag done;
  std::call_once(done, [] {
    OFLog::configure(OFLogger::OFF_LOG_LEVEL);
    DcmRLEDecoderRegistration::registerCodecs();
    DJDecoderRegistration::registerCodecs();
    DJLSDecoderRegistration::registerCodecs();
  });
}

// Guards against inputs that DCMTK would trust. It reads nested sequences by recursion: each level begins with the tag
// of an item, (FFFE,E000), so limiting their number limits the stack. And it inflates a deflated file to any size.
void require_harmless(std::string_view bytes, const std::string& path) {
  constexpr int most = 1000;
  for (const std::string_view tag :
       {std::string_view("\xfe\xff\x00\xe0", 4), std::string_view("\xff\xfe\xe0\x00", 4)}) {
    int items = 0;
    for (std::size_t at = bytes.find(tag); at != std::string_view::npos; at = bytes.find(tag, at + 4)) ++items;
    require_data(items <= most, path, ": has ", items, " items in sequences; up to ", most, " are read");
  }
  require_data(bytes.find(UID_DeflatedExplicitVRLittleEndianTransferSyntax) == std::string_view::npos, path,
               ": Deflated Explicit VR Little Endian (", UID_DeflatedExplicitVRLittleEndianTransferSyntax,
               ") is not read");
}

void require_good(const OFCondition& condition, const std::string& path, const char* what) {
  require_data(condition.good(), path, ": ", what, ": ", condition.text());
}

int number(DcmDataset& dataset, const DcmTagKey& tag, const char* name, const std::string& path) {
  Uint16 value = 0;
  require_data(dataset.findAndGetUint16(tag, value).good(), path, ": has no ", name);
  return value;
}

// The header values that are needed before any pixel is read.
struct Picture {
  int height, width, samples, bytes;  // bytes of a sample
  std::size_t values() const { return static_cast<std::size_t>(height) * width * samples; }
};

Picture picture_of(DcmDataset& dataset, const std::string& path) {
  const Picture picture{number(dataset, DCM_Rows, "Rows", path), number(dataset, DCM_Columns, "Columns", path),
                        number(dataset, DCM_SamplesPerPixel, "Samples per Pixel", path),
                        number(dataset, DCM_BitsAllocated, "Bits Allocated", path) / 8};
  require_image_size(picture.height, picture.width, path);
  require_data(picture.samples == 1 || picture.samples == 3, path, ": has ", picture.samples,
               " samples per pixel; 1 and 3 are read");
  require_data(picture.bytes == 1 || picture.bytes == 2, path, ": has samples of ", picture.bytes * 8,
               " bits; 8 and 16 are read");
  Sint32 frames = 1;
  if (dataset.findAndGetSint32(DCM_NumberOfFrames, frames).good())
    require_data(frames == 1, path, ": has ", frames, " frames; single images are read");
  return picture;
}

// The compressed image, whose fragments (PS3.5, A.4) follow an item of offsets.
std::string fragments(DcmDataset& dataset, E_TransferSyntax syntax, const std::string& path) {
  DcmElement* element = nullptr;
  require_good(dataset.findAndGetElement(DCM_PixelData, element), path, "has no pixels");
  DcmPixelSequence* sequence = nullptr;
  require_good(static_cast<DcmPixelData*>(element)->getEncapsulatedRepresentation(syntax, nullptr, sequence), path,
               "has no compressed pixels");
  std::string bytes;
  for (unsigned long i = 1; i < sequence->card(); ++i) {
    DcmPixelItem* item = nullptr;
    Uint8* data = nullptr;
    require_good(sequence->getItem(item, i), path, "a fragment cannot be read");
    require_good(item->getUint8Array(data), path, "a fragment cannot be read");
    if (data != nullptr) bytes.append(reinterpret_cast<const char*>(data), item->getLength());
  }
  return bytes;
}

// DCMTK 3.6.7 searches the frame of a JPEG stream from marker to marker and loops forever at FF01, which only encoders
// use internally (ITU-T T.81, B.1.1.3).
void require_an_end(std::string_view jpeg, const std::string& path) {
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(jpeg[at]); };
  for (std::size_t at = 0; at + 4 < jpeg.size() && byte(at) == 0xff;) {
    const unsigned char marker = byte(at + 1);
    require_data(marker != 0x01, path, ": has a JPEG stream with a temporary marker (FF01)");
    const bool is_frame = marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
    if (is_frame) return;
    if (marker == 0xff)
      at += 1;  // fills up
    else if (marker < 0xc0 || (marker >= 0xd0 && marker <= 0xd9))
      at += 2;  // stands alone
    else
      at += 2 + static_cast<std::size_t>(byte(at + 2) << 8 | byte(at + 3));
  }
}

// Replaces JPEG 2000, which DCMTK does not decode, by plain pixels.
void decode_jpeg2000_pixels(DcmDataset& dataset, const Picture& picture, const std::string& path) {
  const std::string stream = fragments(dataset, dataset.getOriginalXfer(), path);
  const std::vector<std::int32_t> values =
      decode_jpeg2000(stream, {picture.height, picture.width, picture.samples}, path);
  delete dataset.remove(DCM_PixelData);
  OFCondition put;
  if (picture.bytes == 1) {
    const std::vector<Uint8> plain(values.begin(), values.end());
    put = dataset.putAndInsertUint8Array(DCM_PixelData, plain.data(), plain.size());
  } else {
    const std::vector<Uint16> plain(values.begin(), values.end());
    put = dataset.putAndInsertUint16Array(DCM_PixelData, plain.data(), plain.size());
  }
  require_good(put, path, "its pixels cannot be kept");
  if (picture.samples == 3) {  // the decoder undoes its own color transform
    dataset.putAndInsertString(DCM_PhotometricInterpretation, "RGB");
    dataset.putAndInsertUint16(DCM_PlanarConfiguration, 0);
  }
}

void make_plain(DcmDataset& dataset, const Picture& picture, const std::string& path) {
  const E_TransferSyntax syntax = dataset.getOriginalXfer();
  if (syntax == EXS_JPEG2000 || syntax == EXS_JPEG2000LosslessOnly) {
    decode_jpeg2000_pixels(dataset, picture, path);
  } else if (DcmXfer(syntax).isEncapsulated()) {
    require_an_end(fragments(dataset, syntax, path), path);
    const OFCondition decoded = dataset.chooseRepresentation(EXS_LittleEndianExplicit, nullptr);
    require_data(decoded.good(), path, ": its pixels in ", DcmXfer(syntax).getXferName(), " (",
                 DcmXfer(syntax).getXferID(), ") cannot be decoded: ", decoded.text());
  }
  DcmElement* pixels = nullptr;
  require_good(dataset.findAndGetElement(DCM_PixelData, pixels), path, "has no pixels");
  require_data(pixels->getLength() >= picture.values() * picture.bytes, path, ": ends early: ", pixels->getLength(),
               " bytes of pixels for ", picture.height, "x", picture.width);
}

template <class Stored>
std::vector<float> floats(const DiPixel& pixels) {
  const auto* values = static_cast<const Stored*>(pixels.getData());
  return {values, values + pixels.getCount()};
}

// The values after the file's rescaling.
std::vector<float> rescaled_values(const DiPixel& pixels) {
  switch (pixels.getRepresentation()) {
    case EPR_Uint8:
      return floats<Uint8>(pixels);
    case EPR_Sint8:
      return floats<Sint8>(pixels);
    case EPR_Uint16:
      return floats<Uint16>(pixels);
    case EPR_Sint16:
      return floats<Sint16>(pixels);
    case EPR_Uint32:
      return floats<Uint32>(pixels);
    case EPR_Sint32:
      return floats<Sint32>(pixels);
  }
  return {};
}

void choose_window(DicomImage& image, const std::string& path, const WindowChoice& choice) {
  if (choice.rule == WindowRule::own) {
    if (image.getWindowCount() > 0 && image.setWindow(0) != 0) return;
    if (image.getVoiLutCount() > 0 && image.setVoiLut(0) != 0) return;
  }
  const DiPixel* pixels = image.getInterData();
  require_data(pixels != nullptr && pixels->getData() != nullptr, path, ": has no pixels");
  const GreyWindow window =
      choice.rule == WindowRule::fixed ? choice.fixed : percentile_window(rescaled_values(*pixels));
  // The standard's linear function (PS3.3, C.11.2.1.2.1) runs from center - 0.5 - (width - 1) / 2 to the same above;
  // DCMTK rounds down, so that without the factor just below 1 the upper end itself could become 254.
  const double span = (window.high - window.low) * (1 - 1e-9);
  image.setWindow(window.low + span / 2 + 0.5, std::max(span + 1, 1.0));
}

}  // namespace

Image decode_dicom(std::string_view bytes, const std::string& path, const WindowChoice& window) {
  prepare_dcmtk();
  require_harmless(bytes, path);
  // Not from `bytes`: when reading a file, DCMTK finds the end of an element before it allocates memory for it.
  DcmFileFormat file;
  require_good(file.loadFile(path.c_str()), path, "cannot be read");
  DcmDataset& dataset = *file.getDataset();
  const Picture picture = picture_of(dataset, path);
  make_plain(dataset, picture, path);

  DicomImage shown(&dataset, EXS_LittleEndianExplicit);
  require_data(shown.getStatus() == EIS_Normal, path, ": cannot be shown: ", DicomImage::getString(shown.getStatus()));
  const bool is_grey = shown.isMonochrome() != 0;
  if (is_grey) choose_window(shown, path, window);
  Image image = filled(picture.height, picture.width, is_grey ? 1 : 3);
  require_data(shown.getOutputData(image.pixels.data(), image.pixels.size(), 8) != 0, path, ": cannot be shown");
  return image;
}

}  // namespace preceptor
