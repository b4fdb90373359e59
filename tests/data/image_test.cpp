// Image files: every format, conversion of channels, resizing against its formula, and files that are none.
#include "data/images/image.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/data/image_file.h"
#include "tests/data/png_writer.h"

namespace preceptor::test {
namespace {

using ImageTest = ImageFile;

void expect_equal(const Image& got, const Image& expected) {
  EXPECT_EQ(got.height, expected.height);
  EXPECT_EQ(got.width, expected.width);
  EXPECT_EQ(got.channels, expected.channels);
  EXPECT_TRUE(got.pixels == expected.pixels);
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
  const Image color = drawn(7, 11, 3);
  std::string bmp;
  stbi_write_bmp_to_func(append_bytes, &bmp, 11, 7, 3, color.pixels.data());
  expect_equal(read(bmp), color);
  const Image decoded = read(jpeg({16, 16, 1, std::vector<std::uint8_t>(256, 90)}));
  ASSERT_EQ(decoded.pixels.size(), 256u * static_cast<std::size_t>(decoded.channels));
  for (const std::uint8_t value : decoded.pixels) EXPECT_NEAR(value, 90, 2);
}

TEST_F(ImageTest, PortableGreyMaps) {
  expect_equal(read("P5 # made by hand\n#twice\n3 1\n100\n" + std::string("\0\x32\x64", 3)), {1, 3, 1, {0, 128, 255}});
  // 12 bits, the upper byte first; grey values of more than 8 bits go through a window, here of the darkest and
  // brightest.
  const std::string deep("\x00\x64\x08\x34\x10\x04", 6);
  expect_equal(read("P5\n3 1\n4100\n" + deep), {1, 3, 1, {0, 128, 255}});
  EXPECT_EQ(read_image(path, 0, 0, {WindowRule::fixed, {100, 3500}}).pixels, (std::vector<std::uint8_t>{0, 150, 255}));
  expect_equal(read("P6\n1 1\n65535\n" + std::string("\0\0\x80\x80\xff\xff", 6)), {1, 1, 3, {0, 128, 255}});
  refuse("P5\n3 1\n255\n12", "ends early");
  refuse("P5\n3 1\n65536\n123456", "above 65535");
  refuse("P5\n3 1\n0\n123", "largest value");
  refuse("P5\n99999999999999999999 1\n255\n1", "above");
  refuse("P5\n3 x\n255\n123", "byte 5: a number");
  refuse("P5\n20000 20000\n255\n1", "2^26");
  refuse("P5\n3 1\n255", "white space");
}

TEST_F(ImageTest, JpegsAreDecodedNoLargerThanNeeded) {
  // A slope, so that every scale shows the same picture.
  Image slope{96, 64, 1, {}};
  for (int y = 0; y < 96; ++y)
    for (int x = 0; x < 64; ++x) slope.pixels.push_back(static_cast<std::uint8_t>(40 + y + x));
  write_bytes(path, jpeg(slope));
  for (const auto& [height, width, eighths] : {std::array{96, 64, 8}, std::array{84, 56, 7}, std::array{83, 56, 7},
                                               std::array{48, 20, 4}, std::array{1, 1, 1}, std::array{200, 10, 8}}) {
    const Image image = with_channels(read_image(path, height, width), 1);
    EXPECT_EQ(image.height, 12 * eighths);
    EXPECT_EQ(image.width, 8 * eighths);
    const Image expected = resized(slope, image.height, image.width);
    for (std::size_t i = 0; i < image.pixels.size(); ++i)
      // The encoder's steps at quality 90 and the two ways of shrinking at the borders.
      ASSERT_NEAR(image.pixels[i], expected.pixels[i], 8) << i << " at " << eighths;
  }
  const Image made = read_image(path, 3, 30, 20);
  EXPECT_EQ(made.pixels.size(), 3u * 30 * 20);
  EXPECT_NEAR(made.pixels[0], 42, 8);
}

TEST_F(ImageTest, JpegsThatEndEarlyAreRefused) {
  const std::string sound = jpeg(drawn(64, 64, 3));
  expect_equal(read(sound.substr(0, sound.size() - 2) + "\1\2\3" + sound.substr(sound.size() - 2)), read(sound));
  for (const std::size_t size : {sound.size() / 4, sound.size() / 2, sound.size() - 40})
    refuse(sound.substr(0, size), "cannot be decoded");
  refuse("\xff\xd8\xff", "0x0");
  std::string huge = sound;  // the frame header: FF C0, length, 8 bits, height, width
  const std::size_t frame = huge.find("\xff\xc0");
  huge.replace(frame + 5, 4, "\x4e\x20\x4e\x20");
  refuse(huge, "20000x20000");
}

TEST_F(ImageTest, BitmapsThatEndEarlyAreRefused) {
  const Image color = drawn(20, 20, 3);
  std::string bmp, tga;
  stbi_write_bmp_to_func(append_bytes, &bmp, 20, 20, 3, color.pixels.data());
  stbi_write_tga_to_func(append_bytes, &tga, 20, 20, 3, color.pixels.data());
  for (const std::string& sound : {bmp, tga}) {
    expect_equal(read(sound), color);
    refuse(sound.substr(0, sound.size() / 2), "ends early");
    refuse(sound.substr(0, sound.size() - 1 - (sound.size() == tga.size() ? 26 : 0)), "ends early");
  }
}

TEST_F(ImageTest, TransparencyIsDropped) {
  const std::vector<std::uint8_t> grey = {10, 0, 20, 255}, color = {1, 2, 3, 0, 4, 5, 6, 128};
  expect_equal(read(png({1, 2, 2, grey})), {1, 2, 1, {10, 20}});
  expect_equal(read(png({1, 2, 4, color})), {1, 2, 3, {1, 2, 3, 4, 5, 6}});
}

TEST_F(ImageTest, RefusesWhatIsNone) {
  const std::string sound = png(drawn(40, 40, 3));
  refuse("", "is empty");
  refuse("path,opacity\n", "no PNG");
  refuse(sound.substr(0, 20), "ends early");
  refuse(sound.substr(0, sound.size() / 2), "ends early");
  EXPECT_THROW(read_image(folder.file("nothing")), Error);
  std::string bmp, tga;
  const Image color = drawn(20, 20, 3);
  stbi_write_bmp_to_func(append_bytes, &bmp, 20, 20, 3, color.pixels.data());
  stbi_write_tga_to_func(append_bytes, &tga, 20, 20, 3, color.pixels.data());
  const std::array files{sound, jpeg(color), bmp, tga, pnm(color)};
  std::uint32_t bits = 7;
  for (int i = 0; i < 300; ++i) {  // no finding of the sanitizers, and nothing but an image or an Error
    std::string spoilt = files[static_cast<std::size_t>(i) % files.size()];
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
  for (const char* name : {"a.png", "b/c.JPG", "x.jpeg", "x.bmp", "x.tga", "x.pgm", "x.PPM", "x.dcm"})
    EXPECT_TRUE(has_image_name(name)) << name;
  for (const char* name : {"png", "a.png.txt", ".png/x", "dcm", ""}) EXPECT_FALSE(has_image_name(name)) << name;
}

TEST(ImageChannels, GreyAndColor) {
  expect_equal(with_channels({1, 2, 1, {7, 9}}, 3), {1, 2, 3, {7, 7, 7, 9, 9, 9}});
  expect_equal(with_channels({1, 3, 3, {255, 255, 255, 100, 50, 200, 0, 0, 0}}, 1),
               {1, 3, 1, {255, (7700 + 7500 + 5800) / 256, 0}});
  expect_equal(with_channels({1, 1, 3, {1, 2, 3}}, 3), {1, 1, 3, {1, 2, 3}});
  EXPECT_THROW(with_channels({1, 1, 1, {1}}, 2), Error);
}

TEST(ImageSize, TheMiddleOrABorder) {
  const Image wide{2, 5, 1, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10}};
  expect_equal(center_of(wide, 4, 4), {2, 2, 1, {2, 3, 7, 8}});
  expect_equal(center_of(wide, 10, 25), wide);
  expect_equal(center_of(wide, 300, 100), {2, 1, 1, {3, 8}});
  const Image tall{3, 1, 3, {1, 2, 3, 4, 5, 6, 7, 8, 9}};
  expect_equal(center_of(tall, 7, 7), {1, 1, 3, {4, 5, 6}});
  expect_equal(bordered(tall, 1, 1), {3, 3, 3, {0, 0, 0, 1, 2, 3, 0, 0, 0,  //
                                                0, 0, 0, 4, 5, 6, 0, 0, 0,  //
                                                0, 0, 0, 7, 8, 9, 0, 0, 0}});
  expect_equal(bordered({1, 2, 1, {8, 9}}, 3, 2), {3, 2, 1, {0, 0, 8, 9, 0, 0}});
  EXPECT_THROW(center_of(wide, 0, 4), Error);
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
