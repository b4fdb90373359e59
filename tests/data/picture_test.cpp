// Pictures that are written: PNG files read back, grids, and boxes around the findings of phantoms.
#include "data/images/png_writer.h"
#include "data/phantoms/chest.h"
#include "data/phantoms/phantom.h"
#include "engine/files/check.h"
#include "image_writer.h"

namespace preceptor::test {
namespace {

TEST(PngWriter, ReadsBack) {
  const TemporaryFolder folder;
  for (const int channels : {1, 3})
    for (const auto& [height, width] : {std::pair{1, 1}, std::pair{7, 13}, std::pair{40, 3}}) {
      const Image image = drawn(height, width, channels);
      write_bytes(folder.file("a.png"), png_bytes(image));
      const Image back = read_image(folder.file("a.png"));
      EXPECT_EQ(back.height, height);
      EXPECT_EQ(back.width, width);
      EXPECT_EQ(back.channels, channels);
      EXPECT_EQ(back.pixels, image.pixels);
    }
  EXPECT_THROW(png_bytes({2, 2, 1, {1, 2, 3}}), Error);
  EXPECT_THROW(png_bytes({1, 1, 2, {1, 2}}), Error);
}

TEST(ImageGrid, RowsAndColumns) {
  const Image a{1, 2, 1, {10, 20}}, b{1, 2, 1, {30, 40}}, c{1, 2, 3, {1, 2, 3, 4, 5, 6}};
  const Image row = image_grid({a, b}, 5);
  EXPECT_EQ(row.height, 1);
  EXPECT_EQ(row.pixels, (std::vector<std::uint8_t>{10, 20, 255, 255, 30, 40}));
  const Image grid = image_grid({a, b, c}, 2);
  ASSERT_EQ(grid.height, 4);
  ASSERT_EQ(grid.width, 6);
  ASSERT_EQ(grid.channels, 3);
  EXPECT_EQ(grid.pixels[0], 10);
  EXPECT_EQ(grid.pixels[4 * 3], 30);
  EXPECT_EQ(grid.pixels[3 * 18 + 5], 6);
  EXPECT_EQ(grid.pixels[3 * 18 + 6], 255);
  EXPECT_TRUE(image_grid({}, 3).pixels.empty());
  EXPECT_THROW(image_grid({a, drawn(2, 2, 1)}, 2), Error);
  EXPECT_THROW(image_grid({a}, 0), Error);
}

// Whatever is drawn around the finding differs only within its box, and the finding is where the patient says.
TEST(PhantomBox, HoldsTheFinding) {
  PhantomOptions options;
  options.site = 'b';
  options.size = 64;
  const auto names = phantom::chest_findings();
  std::vector<int> found(names.size());
  for (int index = 0; index < 60; ++index) {
    const Phantoms one = make_phantoms(options, PhantomPart::test, index, 1);
    const phantom::ChestPatient patient = phantom::draw_chest_patient(
        options.site, RandomStream(options.seed, static_cast<int>(options.kind), options.site,
                                   static_cast<int>(PhantomPart::test), index));
    for (int label = 0; label < static_cast<int>(names.size()); ++label) {
      const std::optional<Box> box = phantom_box(options, PhantomPart::test, index, label);
      if (one.labels[static_cast<std::size_t>(label)] < 0.5f) {
        EXPECT_FALSE(box) << index << " " << names[label];
        continue;
      }
      if (!box) continue;
      ++found[static_cast<std::size_t>(label)];
      EXPECT_TRUE(box->left >= 0 && box->top >= 0 && box->right <= 64 && box->bottom <= 64 && box->area() > 0);
      if (names[label] != "nodule") continue;
      // From the frame of the body to that of the picture: render_chest backwards.
      const float c = std::cos(patient.rotation) * patient.zoom, s = std::sin(patient.rotation) * patient.zoom;
      const float x = patient.nodule.side * patient.nodule.x, y = patient.nodule.y;
      const float u = c * x - s * y + patient.shift_x, v = s * x + c * y + patient.shift_y;
      EXPECT_NEAR((box->left + box->right) / 2, 32 * (u + 1), 2.5) << index;
      EXPECT_NEAR((box->top + box->bottom) / 2, 32 * (v + 1), 2.5) << index;
    }
  }
  for (std::size_t label = 0; label < names.size(); ++label) EXPECT_GE(found[label], 3) << names[label];
  options.kind = PhantomKind::fundus;
  EXPECT_THROW(phantom_box(options, PhantomPart::test, 0, 0), Error);
}

}  // namespace
}  // namespace preceptor::test
