// Image files: every format, conversion of channels, resizing against its formula, and files that are none.
#include "data/image.h"

#include <gtest/gtest.h>

#include <cmath>

#include "kernels/device/error.h"
#include "tests/data/image_writer.h"

namespace preceptor::test {
namespace {

class ImageTest : public testing::Test {
 protected:
  Image read(const std::string& bytes) const {
    write_bytes(path, bytes);
    return read_image(path);
  }
  void refuse(const std::string& bytes, const std::string& word) const {
    try {
      read(bytes);
      ADD_FAILURE() << "read: " << word;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::data);
      EXPECT_EQ(std::string(error.what()).rfind(path + ": ", 0), 0u) << error.what();
      EXPECT_NE(std::string(error.what()).find(word), std::string::npos) << error.what();
    }
  }

  TemporaryFolder folder;
  std::string path = folder.file("image");
};

void expect_equal(const Image& got, const Image& expected) {
  EXPECT_EQ(got.height, expected.height);
  EXPECT_EQ(got.width, expected.width);
  EXPECT_EQ(got.channels, expected.channels);
  EXPECT_TRUE(got.pixels == expected.pixels);
}

std::string big_endian(std::uint32_t value) {
  std::string text;
  for (const unsigned shift : {24u, 16u, 8u, 0u}) text += static_cast<char>(value >> shift & 255u);
  return text;
}

std::string chunk(const std::string& name, const std::string& content) {
  return big_endian(static_cast<std::uint32_t>(content.size())) + name + content + big_endian(crc32(name + content));
}

// A grey PNG of 16 bits in one stored block.
std::string png16(int height, int width, const std::vector<std::uint16_t>& values) {
  std::string rows;
  for (int i = 0; i < height * width; ++i) {
    if (i % width == 0) rows += '\0';
    rows += static_cast<char>(values[static_cast<std::size_t>(i)] >> 8u);
    rows += static_cast<char>(values[static_cast<std::size_t>(i)] & 255u);
  }
  std::uint32_t low = 1, high = 0;  // Adler-32
  for (const char byte : rows) {
    low = (low + static_cast<unsigned char>(byte)) % 65521;
    high = (high + low) % 65521;
  }
  const std::string size = little_endian(rows.size(), 2), inverse = little_endian(rows.size() ^ 0xffffu, 2);
  return "\x89PNG\r\n\x1a\n" +
         chunk("IHDR", big_endian(static_cast<std::uint32_t>(width)) + big_endian(static_cast<std::uint32_t>(height)) +
                           std::string("\x10\0\0\0\0", 5)) +
         chunk("IDAT", "\x78\x01\x01" + size + inverse + rows + big_endian(high << 16u | low)) + chunk("IEND", "");
}

TEST_F(ImageTest, ReadsWhatIsThere) {
  for (const int channels : {1, 3}) {
    const Image image = drawn(7, 11, channels);
    expect_equal(read(pnm(image)), image);
    expect_equal(read(png(image)), image);
    std::string tga;
    stbi_write_tga_to_func(append_bytes, &tga, 11, 7, channels, image.pixels.data());
    expect_equal(read(tga), image);
  }
  const Image colour = drawn(7, 11, 3);
  std::string bmp, jpeg;
  stbi_write_bmp_to_func(append_bytes, &bmp, 11, 7, 3, colour.pixels.data());
  expect_equal(read(bmp), colour);
  Image plain{16, 16, 1, std::vector<std::uint8_t>(256, 90)};
  stbi_write_jpg_to_func(append_bytes, &jpeg, 16, 16, 1, plain.pixels.data(), 90);
  const Image decoded = read(jpeg);
  ASSERT_EQ(decoded.pixels.size(), 256u * static_cast<std::size_t>(decoded.channels));
  for (const std::uint8_t value : decoded.pixels) EXPECT_NEAR(value, 90, 2);
}

TEST_F(ImageTest, SixteenBitsKeepTheUpperEight) {
  const std::vector<std::uint16_t> values = {0, 255, 256, 0x1234, 0x80ff, 0xffff};
  expect_equal(read(png16(2, 3, values)), {2, 3, 1, {0, 0, 1, 0x12, 0x80, 0xff}});
}

TEST_F(ImageTest, TransparencyIsDropped) {
  const std::vector<std::uint8_t> grey = {10, 0, 20, 255}, colour = {1, 2, 3, 0, 4, 5, 6, 128};
  expect_equal(read(png({1, 2, 2, grey})), {1, 2, 1, {10, 20}});
  expect_equal(read(png({1, 2, 4, colour})), {1, 2, 3, {1, 2, 3, 4, 5, 6}});
}

TEST_F(ImageTest, RefusesWhatIsNone) {
  const std::string sound = png(drawn(40, 40, 3));
  refuse("", "no PNG");
  refuse("path,opacity\n", "no PNG");
  refuse(sound.substr(0, 20), "no PNG");
  refuse(sound.substr(0, sound.size() / 2), "decoded");
  refuse(png16(1, 1, {1}).substr(0, 16) + big_endian(1u << 14) + big_endian(1u << 13) + std::string("\x10\0\0\0\0", 5) +
             std::string(20, '\0'),
         "2^26");
  EXPECT_THROW(read_image(folder.file("nothing")), Error);
  std::uint32_t bits = 7;
  for (int i = 0; i < 300; ++i) {  // no finding of the sanitizers, and nothing but an image or an Error
    std::string spoilt = sound;
    for (int flips = 0; flips < 3; ++flips) {
      bits = bits * 1664525u + 1013904223u;
      spoilt[bits % spoilt.size()] = static_cast<char>(bits >> 24);
    }
    try {
      const Image image = read(spoilt);
      EXPECT_EQ(image.pixels.size(), static_cast<std::size_t>(image.height) * image.width * image.channels);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::data);
    }
  }
}

TEST(ImageNames, AreKnownByTheirEnding) {
  for (const char* name : {"a.png", "b/c.JPG", "x.jpeg", "x.bmp", "x.tga", "x.pgm", "x.PPM"})
    EXPECT_TRUE(has_image_name(name)) << name;
  for (const char* name : {"png", "a.png.txt", ".png/x", "x.dcm", ""}) EXPECT_FALSE(has_image_name(name)) << name;
}

TEST(ImageChannels, GreyAndColour) {
  expect_equal(with_channels({1, 2, 1, {7, 9}}, 3), {1, 2, 3, {7, 7, 7, 9, 9, 9}});
  expect_equal(with_channels({1, 3, 3, {255, 255, 255, 100, 50, 200, 0, 0, 0}}, 1),
               {1, 3, 1, {255, (7700 + 7500 + 5800) / 256, 0}});
  expect_equal(with_channels({1, 1, 3, {1, 2, 3}}, 3), {1, 1, 3, {1, 2, 3}});
  EXPECT_THROW(with_channels({1, 1, 1, {1}}, 2), Error);
}

// Weight of a source pixel for a new one: a triangle of one new pixel to each side, or one old where it grows.
double weight(int from, int to, int target, int source) {
  const auto triangle = [&](int at) {
    const double scale = static_cast<double>(from) / to;
    return std::max(0.0, 1 - std::abs(at + 0.5 - (target + 0.5) * scale) / std::max(1.0, scale));
  };
  double sum = 0;
  for (int at = 0; at < from; ++at) sum += triangle(at);
  return triangle(source) / sum;
}

TEST(ImageSize, FollowsTheFormula) {
  for (const auto& [height, width, to_height, to_width] :
       {std::array{31, 45, 8, 8}, std::array{5, 7, 16, 9}, std::array{1, 64, 3, 5}, std::array{64, 64, 32, 32},
        std::array{33, 10, 32, 11}}) {
    const Image image = drawn(height, width, 3);
    const Image small = resized(image, to_height, to_width);
    ASSERT_EQ(small.pixels.size(), static_cast<std::size_t>(to_height) * to_width * 3);
    for (int y = 0; y < to_height; ++y)
      for (int x = 0; x < to_width; ++x)
        for (int c = 0; c < 3; ++c) {
          double expected = 0;
          for (int v = 0; v < height; ++v)
            for (int u = 0; u < width; ++u)
              expected += weight(height, to_height, y, v) * weight(width, to_width, x, u) *
                          image.pixels[static_cast<std::size_t>((v * width + u) * 3 + c)];
          // Rounded to the nearest byte; the sums are good to 1e-3.
          EXPECT_NEAR(small.pixels[static_cast<std::size_t>((y * to_width + x) * 3 + c)], expected, 0.501);
        }
  }
}

TEST(ImageSize, KeepsWhatShouldStay) {
  const Image image = drawn(9, 13, 1);
  expect_equal(resized(image, 9, 13), image);
  const Image white{100, 50, 1, std::vector<std::uint8_t>(5000, 255)};
  expect_equal(resized(white, 7, 33), {7, 33, 1, std::vector<std::uint8_t>(7 * 33, 255)});
  EXPECT_THROW(resized(image, 0, 5), Error);
}

}  // namespace
}  // namespace preceptor::test
