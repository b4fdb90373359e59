// PNG files: every kind against the samples it was written from, and damaged ones.
#include <gtest/gtest.h>

#include "data/images/decode.h"
#include "kernels/device/error.h"
#include "tests/data/png_writer.h"

namespace preceptor::test {
namespace {

std::vector<int> random_samples(std::size_t count, int depth, std::uint32_t seed) {
  std::vector<int> samples(count);
  for (int& sample : samples) {
    seed = seed * 1664525u + 1013904223u;
    sample = static_cast<int>(seed >> (32 - depth));
  }
  return samples;
}

// What read_image promises of samples of up to 8 bits.
Image expected_image(int height, int width, const PngKind& kind, const std::vector<int>& samples,
                     const std::string& palette) {
  Image image{height, width, kind.color == 0 || kind.color == 4 ? 1 : 3, {}};
  const int stored = kind.samples();
  for (int i = 0; i < height * width; ++i)
    for (int c = 0; c < image.channels; ++c) {
      const int sample = samples[static_cast<std::size_t>(i * stored + (stored > c ? c : 0))];
      const int value = kind.color == 3 ? static_cast<unsigned char>(palette[static_cast<std::size_t>(3 * sample + c)])
                                        : sample * 255 / ((1 << kind.depth) - 1);
      image.pixels.push_back(static_cast<std::uint8_t>(value));
    }
  return image;
}

std::string any_palette(int colors) {
  std::string palette;
  for (int i = 0; i < 3 * colors; ++i) palette += static_cast<char>(i * 37 + 11);
  return palette;
}

TEST(Png, EveryKindOfUpToEightBits) {
  for (const auto& [color, depth] :
       {std::pair{0, 1}, {0, 2}, {0, 4}, {0, 8}, {2, 8}, {3, 1}, {3, 2}, {3, 4}, {3, 8}, {4, 8}, {6, 8}})
    for (const bool interlaced : {false, true})
      for (const auto& [height, width] : {std::pair{1, 1}, {5, 3}, {13, 31}, {32, 17}}) {
        const PngKind kind{color, depth, interlaced, -1};
        SCOPED_TRACE(::testing::Message() << "colour type " << color << ", " << depth << " bits, interlaced "
                                          << interlaced << ", " << height << "x" << width);
        const std::string palette = color == 3 ? any_palette(1 << depth) : "";
        const auto samples = random_samples(static_cast<std::size_t>(height * width * kind.samples()), depth,
                                            static_cast<unsigned>(width));
        const Image image = decode_png(png_of(height, width, kind, samples, palette), "x");
        const Image expected = expected_image(height, width, kind, samples, palette);
        EXPECT_EQ(image.channels, expected.channels);
        EXPECT_TRUE(image.pixels == expected.pixels);
      }
}

// Two rows are decoded at a time where both have a slow prediction.
TEST(Png, EveryPredictionBelowEveryOther) {
  for (int prediction = 0; prediction < 5; ++prediction)
    for (const int color : {0, 2, 4, 6})
      for (const int width : {1, 2, 3, 64}) {
        const PngKind kind{color, 8, false, prediction};
        const auto samples = random_samples(static_cast<std::size_t>(7 * width * kind.samples()), 8, 5);
        EXPECT_TRUE(decode_png(png_of(7, width, kind, samples), "x").pixels ==
                    expected_image(7, width, kind, samples, "").pixels)
            << prediction << " " << color << " " << width;
      }
}

TEST(Png, SixteenBitsOfColorAreScaledAndOfGreyWindowed) {
  const PngKind color{2, 16, false, -1};
  const std::vector<int> values = {0, 257, 65535, 128, 129, 32768};
  EXPECT_EQ(decode_png(png_of(1, 2, color, values), "x").pixels, (std::vector<std::uint8_t>{0, 1, 255, 0, 1, 128}));
  // 12 bits in 16, as scanners write them: the whole range is used, and the brightest half per cent does not decide it.
  std::vector<int> film(1000, 100);
  for (std::size_t i = 0; i < 500; ++i) film[i] = 4100;
  for (std::size_t i = 500; i < 504; ++i) film[i] = 65535;
  film[504] = 2100;
  const Image image = decode_png(png_of(25, 40, {0, 16, true, -1}, film), "x");
  EXPECT_EQ(image.pixels[0], 255);
  EXPECT_EQ(image.pixels[500], 255);
  EXPECT_EQ(image.pixels[504], 128);
  EXPECT_EQ(image.pixels[505], 0);
}

void refuse(const std::string& bytes, const std::string& word) {
  try {
    decode_png(bytes, "file.png");
    ADD_FAILURE() << "read: " << word;
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::data);
    EXPECT_EQ(std::string(error.what()).rfind("file.png: ", 0), 0u) << error.what();
    EXPECT_NE(std::string(error.what()).find(word), std::string::npos) << error.what();
  }
}

TEST(Png, NamesWhatIsWrong) {
  const PngKind grey{};
  const std::string sound = png_of(20, 20, grey, random_samples(400, 8, 1)), end = chunk("IEND", "");
  for (const std::size_t size : {std::size_t{20}, std::size_t{60}, sound.size() / 2, sound.size() - 1})
    refuse(sound.substr(0, size), "ends early");
  std::string damaged = sound;
  damaged[sound.size() / 2] = static_cast<char>(damaged[sound.size() / 2] ^ 1);
  refuse(damaged, "checksum");
  const std::string header = png_header(20, 20, grey);
  const std::string row(21, '\0');
  std::string rows;
  for (int i = 0; i < 20; ++i) rows += row;
  EXPECT_EQ(decode_png(header + chunk("IDAT", deflated(rows)) + end, "x").pixels, std::vector<std::uint8_t>(400, 0));
  refuse(header + chunk("IDAT", deflated(rows + row)) + end, "more than 20x20");
  refuse(header + chunk("IDAT", deflated(rows.substr(21))) + end, "ends early");
  refuse(header + chunk("IDAT", "nonsense") + end, "damaged");
  refuse(header + chunk("IDAT", deflated("\5" + rows.substr(1))) + end, "prediction");
  refuse(header + header.substr(8) + end, "two headers");
  refuse(header.substr(0, 8) + chunk("IDAT", "") + end, "IHDR");
  refuse(header + chunk("JUNK", "") + end, "not known");
  refuse(png_header(20, 20, {3, 8, false, 0}) + chunk("IDAT", deflated(rows)) + end, "no palette");
  refuse(png_of(1, 1, {3, 8, false, 0}, {5}, any_palette(5)), "no colour 5");
  for (const auto& [color, depth] : {std::pair{2, 4}, {3, 16}, {1, 8}, {0, 3}, {5, 8}, {6, 2}, {7, 8}})
    refuse(png_header(1, 1, {color, depth, false, 0}) + end, "which no PNG has");
}

TEST(Png, TakesNoMemoryForWhatIsNotThere) {
  const std::string little = chunk("IDAT", deflated("nothing")) + chunk("IEND", "");
  refuse(png_header(20000, 20000, {}) + little, "2^26");
  refuse(png_header(0, 5, {}) + little, "0x5");
  refuse(png_header(-1, -1, {}) + little, "2^26");
  // 512 MB of samples that 20 bytes cannot hold.
  refuse(png_header(8192, 8192, {6, 16, false, 0}) + little, "cannot hold");
}

}  // namespace
}  // namespace preceptor::test
