// DICOM files: what is shown of made-up pixels in every encoding, a real film, and hostile files.
#include <gtest/gtest.h>

#ifdef PRECEPTOR_DICOM

#include <numeric>

#include "tests/data/dicom_encoder.h"
#include "tests/data/image_file.h"
#include "tests/data/jpeg2000_writer.h"
#include "tests/data/real_data.h"

namespace preceptor::test {
namespace {

class Dicom : public ImageFile {
 protected:
  // The grey values of one row.
  std::vector<std::uint8_t> shown(DicomHeader header, const std::vector<int>& values) const {
    header.columns = static_cast<int>(values.size());
    const Image image = read(dicom(header, values));
    EXPECT_EQ(image.channels, 1);
    return image.pixels;
  }
  // A film of 12 bits and the window that shows all of them.
  static std::pair<DicomHeader, std::vector<int>> twelve_bits() {
    DicomHeader header;
    header.rows = 40;
    header.columns = 30;
    header.stored = 12;
    header.center = "2048";
    header.width = "4096";
    std::vector<int> values(1200);
    for (int i = 0; i < 1200; ++i) values[static_cast<std::size_t>(i)] = (i * 3 + i / 30 * 7) % 4096;
    return {header, values};
  }
};

using Bytes = std::vector<std::uint8_t>;

// PS3.3, C.11.2.1.2.1: with center c and width w, 0 up to c - 0.5 - (w - 1) / 2, 255 from the same above on. DCMTK
// rounds down.
TEST_F(Dicom, ItsOwnWindowIsUsed) {
  DicomHeader header;
  header.center = "1000.5";
  header.width = "101";  // 950 to 1050
  EXPECT_EQ(shown(header, {0, 950, 975, 1000, 1025, 1050, 60000}), (Bytes{0, 0, 63, 127, 191, 255, 255}));
  header.photometric = "MONOCHROME1";
  EXPECT_EQ(shown(header, {0, 950, 1050, 60000}), (Bytes{255, 255, 0, 0}));
}

TEST_F(Dicom, RescalingComesBeforeTheWindow) {
  DicomHeader header;
  header.is_signed = true;
  header.slope = "2";
  header.intercept = "-1000";
  header.center = "0.5";
  header.width = "101";  // -50 to 50
  EXPECT_EQ(shown(header, {-32768, 475, 500, 525, 32767}), (Bytes{0, 0, 127, 255, 255}));
}

// 12 bits of 16; the extremes that are rarer than one in 200 do not decide what is white.
TEST_F(Dicom, WithoutAWindowPercentilesChooseIt) {
  std::vector<int> values(1000, 1000);
  std::fill_n(values.begin(), 500, 3000);
  values[0] = 4095;
  values[999] = 0;
  values[998] = 2000;
  DicomHeader header;
  header.stored = 12;
  const Bytes bytes = shown(header, values);
  EXPECT_EQ(bytes[0], 255);
  EXPECT_EQ(bytes[1], 255);
  EXPECT_NEAR(bytes[998], 127.5, 1);
  EXPECT_EQ(bytes[997], 0);
  EXPECT_EQ(bytes[999], 0);
  EXPECT_EQ(shown(header, std::vector<int>(50, 700)).size(), 50u);  // all equal: nothing to tell apart, no failure
}

// In the values behind the rescaling, and instead of the file's own window.
TEST_F(Dicom, AnotherWindowCanBeChosen) {
  DicomHeader header;
  header.slope = "2";
  header.intercept = "-1000";
  header.center = "0.5";
  header.width = "101";
  EXPECT_EQ(shown(header, {450, 500, 550, 1000}), (Bytes{0, 127, 255, 255}));
  EXPECT_EQ(read_image(path, 0, 0, {WindowRule::fixed, {-100, 1000}}).pixels, (Bytes{0, 23, 46, 255}));
  EXPECT_EQ(read_image(path, 0, 0, {WindowRule::percentile, {}}).pixels, (Bytes{0, 23, 46, 255}));
}

TEST_F(Dicom, Color) {
  DicomHeader header;
  header.allocated = header.stored = 8;
  header.samples = 3;
  header.columns = 2;
  header.photometric = "RGB";
  const Image image = read(dicom(header, {1, 2, 3, 250, 251, 252}));
  EXPECT_EQ(image.channels, 3);
  EXPECT_EQ(image.pixels, (Bytes{1, 2, 3, 250, 251, 252}));
}

TEST_F(Dicom, RowsComeInOrder) {
  DicomHeader header;
  header.allocated = header.stored = 8;
  header.rows = 3;
  header.columns = 2;
  header.center = "128";
  header.width = "256";
  EXPECT_EQ(read(dicom(header, {10, 20, 30, 40, 50, 60})).pixels, (Bytes{10, 20, 30, 40, 50, 60}));
}

TEST_F(Dicom, EveryEncoding) {
  auto [header, values] = twelve_bits();
  const std::string plain = dicom(header, values);
  const Image expected = read(plain);
  const DJ_RPLossless lossless;
  const DJLSRepresentationParameter near_lossless(2, OFTrue), jpeg_ls(2, OFFalse);
  const DJ_RPLossy lossy(95);
  struct Encoding {
    E_TransferSyntax syntax;
    const DcmRepresentationParameter* parameter;
    int tolerance;  // of the bytes shown
  };
  for (const Encoding& encoding : {Encoding{EXS_LittleEndianImplicit, nullptr, 0},
                                   {EXS_BigEndianExplicit, nullptr, 0},
                                   {EXS_RLELossless, nullptr, 0},
                                   {EXS_JPEGProcess14SV1, &lossless, 0},
                                   {EXS_JPEGProcess14, &lossless, 0},
                                   {EXS_JPEGLSLossless, &jpeg_ls, 0},
                                   {EXS_JPEGLSLossy, &near_lossless, 1},
                                   {EXS_JPEGProcess2_4, &lossy, 8}}) {
    SCOPED_TRACE(DcmXfer(encoding.syntax).getXferName());
    const Image image = read(in_syntax(plain, encoding.syntax, encoding.parameter));
    ASSERT_EQ(image.pixels.size(), expected.pixels.size());
    int largest = 0;
    for (std::size_t i = 0; i < image.pixels.size(); ++i)
      largest = std::max(largest, std::abs(image.pixels[i] - expected.pixels[i]));
    EXPECT_LE(largest, encoding.tolerance);
  }
}

TEST_F(Dicom, Jpeg2000) {
  auto [header, values] = twelve_bits();
  const Image expected = read(dicom(header, values));
  header.syntax = "1.2.840.10008.1.2.4.90";
  const std::string stream = jpeg2000(header, values);
  ASSERT_FALSE(stream.empty());
  for (const std::size_t size : {std::size_t{100000}, std::size_t{50}})  // one fragment and many
    EXPECT_TRUE(read(encapsulated(header, stream, size)).pixels == expected.pixels);
  refuse(encapsulated(header, stream.substr(0, stream.size() / 2), 100000), "JPEG 2000 pixels are damaged");
  header.rows = 39;
  refuse(encapsulated(header, stream, 100000), "not of 39x30x1");

  DicomHeader sign = header;
  sign.rows = sign.columns = 2;
  sign.is_signed = true;
  sign.center = "0.5";
  sign.width = "101";  // -50 to 50
  EXPECT_EQ(read(encapsulated(sign, jpeg2000(sign, {-900, 0, 25, 900}), 1000)).pixels, (Bytes{0, 127, 191, 255}));

  DicomHeader color;
  color.allocated = color.stored = 8;
  color.rows = color.columns = 2;
  color.samples = 3;
  color.photometric = "YBR_RCT";
  color.syntax = header.syntax;
  const std::vector<int> pixels = {1, 2, 3, 50, 60, 70, 200, 100, 0, 9, 255, 128};
  EXPECT_EQ(read(encapsulated(color, jpeg2000(color, pixels), 1000)).pixels, Bytes(pixels.begin(), pixels.end()));
}

// What fuzzing found: DCMTK would look at such a marker for ever.
TEST_F(Dicom, AJpegStreamHasAnEnd) {
  DicomHeader header;
  header.rows = header.columns = 8;
  header.syntax = "1.2.840.10008.1.2.4.51";
  for (const char* start : {"\xff\xd8\xff\x01\xff\xe0", "\xff\xd8\xff\xff\xff\x01"})
    refuse(encapsulated(header, start + std::string(60, '\0'), 1000), "temporary marker");
}

TEST_F(Dicom, NamesWhatIsWrong) {
  DicomHeader header;
  header.rows = header.columns = 8;
  const std::vector<int> values(64, 5);
  const std::string sound = dicom(header, values);
  refuse(sound.substr(0, sound.size() - 60), path);
  refuse(sound.substr(0, 200), path);
  refuse(dicom_header(header), "no pixels");
  refuse(dicom(header, std::vector<int>(63, 5)), "126 bytes of pixels for 8x8");
  header.frames = "2";
  refuse(dicom(header, values), "2 frames");
  header.frames = "";
  header.rows = 0;
  refuse(dicom(header, values), "0x8");
  header.rows = header.columns = 60000;
  refuse(dicom(header, values), "60000x60000");
  header.rows = header.columns = 8;
  header.samples = 4;
  refuse(dicom(header, values), "4 samples");
  header.samples = 1;
  header.allocated = 32;
  refuse(dicom(header, values), "32 bits");
  header.allocated = 16;
  header.syntax = "1.2.840.10008.1.2.1.99";
  refuse(dicom(header, values), "Deflated");
  header.syntax = "1.2.840.10008.1.2.4.100";  // MPEG-2
  refuse(dicom_header(header) + std::string("\xe0\x7f\x10\0OB\0\0\xff\xff\xff\xff", 12) +
             std::string("\xfe\xff\0\xe0\0\0\0\0\xfe\xff\0\xe0\4\0\0\0abcd\xfe\xff\xdd\xe0\0\0\0\0", 28),
         "MPEG2");
  header.syntax = "1.2.840.10008.1.2.4.90";
  refuse(dicom_header(header) + std::string("\xe0\x7f\x10\0OB\0\0\xff\xff\xff\xff", 12) +
             std::string("\xfe\xff\0\xe0\0\0\0\0\xfe\xff\0\xe0\4\0\0\0abcd\xfe\xff\xdd\xe0\0\0\0\0", 28),
         "JPEG 2000");
}

// A length that the file does not have must take no memory, nested sequences no stack.
TEST_F(Dicom, ClaimsAreNotBelieved) {
  DicomHeader header;
  header.rows = header.columns = 8;
  std::string claim = dicom(header, std::vector<int>(64, 5));
  const std::size_t pixels = claim.size() - 128;
  claim.replace(pixels - 4, 4, "\xf0\xff\xff\xff");
  refuse(claim, path);
  std::string nested = dicom_header(header);
  for (int depth = 0; depth < 50000; ++depth)
    nested += std::string("\x08\0\x40\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\0\xe0\xff\xff\xff\xff", 20);
  refuse(nested, "50000 items");
}

TEST_F(Dicom, ARealFilmIsTheRightWayRoundInBothEncodings) {
  const std::string plain = real_file("dicom/RG1_chest_pa_derived_explicit_le.dcm"),
                    packed = real_file("dicom/RG1_J2KI.dcm");
  if (!std::filesystem::exists(plain)) GTEST_SKIP() << "no real data here";
  const Image film = read_image(plain), same = read_image(packed);
  EXPECT_EQ(film.height, 1955);
  EXPECT_EQ(film.width, 1841);
  EXPECT_EQ(film.channels, 1);
  EXPECT_TRUE(same.pixels == film.pixels);
  // Lungs are darker than the abdomen below and the mediastinum between them.
  const Image small = resized(film, 32, 32);
  const auto mean = [&](int top, int left) {
    int sum = 0;
    for (int y = top; y < top + 4; ++y)
      for (int x = left; x < left + 4; ++x) sum += small.pixels[static_cast<std::size_t>(y * 32 + x)];
    return sum / 16;
  };
  const int left_lung = mean(12, 8), right_lung = mean(12, 21), middle = mean(16, 14), below = mean(27, 14);
  EXPECT_LT(left_lung, middle);
  EXPECT_LT(right_lung, middle);
  EXPECT_LT(left_lung, below);
}

}  // namespace
}  // namespace preceptor::test
#else
TEST(Dicom, Files) { GTEST_SKIP() << "built without DCMTK"; }
#endif
