// Findings of preceptor-data check on data with known faults.
#include "data/dataset_report.h"

#include "data/batches/pixel_sums.h"
#include "data/formats/open_dataset.h"
#include "data/storage/image_hash.h"
#include "tests/data/made_tree.h"
#include "tests/data/real_data.h"

namespace preceptor::test {
namespace {

using Texts = std::vector<std::string>;

// A smooth picture: bright spots at random places.
Image spots(int size, std::uint32_t seed) {
  Image image{size, size, 1, std::vector<std::uint8_t>(static_cast<std::size_t>(size) * size, 0)};
  for (int s = 0; s < 12; ++s) {
    seed = seed * 1664525u + 1013904223u;
    const double row = (seed >> 8) % 1000 / 1000.0 * size, column = (seed >> 18) % 1000 / 1000.0 * size;
    for (int y = 0; y < size; ++y)
      for (int x = 0; x < size; ++x) {
        const double away = ((y - row) * (y - row) + (x - column) * (x - column)) / (size * size);
        auto& pixel = image.pixels[static_cast<std::size_t>(y) * size + x];
        pixel = static_cast<std::uint8_t>(std::min(230.0, pixel + 120 / (1 + 60 * away)));
      }
  }
  return image;
}

TEST(DatasetReport, FindsEveryFault) {
  const MadeTree tree;
  Image darker = spots(64, 1);
  for (std::uint8_t& pixel : darker.pixels) pixel = static_cast<std::uint8_t>(pixel * 0.85);
  tree.file("train/a.png", png(spots(64, 1)));
  tree.file("train/b.png", png(spots(64, 2)));
  tree.file("train/c.png", png(spots(64, 2)));  // b again
  tree.file("val/d.png", png(darker));          // looks like a
  tree.file("val/e.pgm", pnm(spots(64, 2)));    // b, stored otherwise
  tree.file("test/f.png", png(spots(32, 3)));   // another size
  tree.grey("test/g.png", 77, 64);              // constant
  tree.file("test/h.png", png(spots(64, 4)).substr(0, 200));
  tree.file("Data_Entry_2017.csv",
            "Image Index,Finding Labels,Patient ID\na.png,Mass,1\nb.png,Edema,2\nc.png,No Finding,2\nd.png,Mass,1\n"
            "e.pgm,Mass,2\nf.png,Mass,3\ng.png,No Finding,4\nh.png,No Finding,2\n");
  const Dataset data = open_dataset("chestxray14:" + tree.path("") + "?size=64");
  for (const int threads : {1, 3}) {
    const DatasetReport report = examine(data, threads);
    ASSERT_EQ(report.splits.size(), 3u);
    EXPECT_EQ(report.splits[0].images * 100 + report.splits[1].images * 10 + report.splits[2].images, 323);
    EXPECT_EQ(report.splits[0].patients * 100 + report.splits[1].patients * 10 + report.splits[2].patients, 223);
    EXPECT_EQ(report.splits[0].labels[4].positive, 1);
    EXPECT_EQ(report.splits[0].labels[4].negative, 2);
    EXPECT_EQ(report.splits[1].undefined().size(), 14u) << "mass is always there, the others never";
    EXPECT_EQ(report.splits[2].undefined().size(), 13u);
    EXPECT_EQ(report.shared[0].patients, (Texts{"1", "2"}));
    EXPECT_EQ(report.shared[1].patients, (Texts{"2"}));
    EXPECT_EQ(report.shared[2].patients, (Texts{"2"}));
    ASSERT_EQ(report.unreadable.size(), 1u);
    EXPECT_EQ(report.unreadable[0].image.split + report.unreadable[0].image.id, "testh.png");
    EXPECT_NE(report.unreadable[0].reason.find("h.png: "), std::string::npos);
    ASSERT_EQ(report.constant.size(), 1u);
    EXPECT_EQ(report.constant[0].id, "g.png");
    ASSERT_EQ(report.identical.size(), 1u);
    EXPECT_EQ(report.identical[0].images.size(), 3u);
    EXPECT_EQ(report.identical[0].images[2].id, "e.pgm");
    EXPECT_TRUE(report.identical[0].across_splits());
    ASSERT_EQ(report.alike.size(), 1u);
    EXPECT_EQ(report.alike[0].images[0].id + report.alike[0].images[1].id, "a.pngd.png");
    EXPECT_EQ(report.forms, (std::map<std::string, int>{
                                {"32x32 PNG grey 8 bit", 1}, {"64x64 PGM grey", 1}, {"64x64 PNG grey 8 bit", 5}}));
    // Half of the pixels of test are those of g, 77.
    PixelSums test(1);
    test.add(resized(spots(32, 3), 64, 64).pixels);
    test.add(std::vector<std::uint8_t>(64 * 64, 77));
    EXPECT_EQ(report.splits[2].mean[0], test.mean(0) / 255);
    EXPECT_EQ(report.splits[2].deviation[0], test.deviation(0) / 255);
  }
}

TEST(DatasetReport, CountsClassesAndUnknownLabels) {
  const Dataset fundus = open_dataset("phantom:fundus?n=40&val=4&test=4&size=16");
  const DatasetReport classes = examine(fundus, 0);
  int images = 0;
  for (const LabelReport& label : classes.splits[0].labels) images += label.positive;
  EXPECT_EQ(images, 40);
  Dataset chest = open_dataset("phantom:chest?n=40&val=4&test=4&size=16");
  chest.val.labels = std::vector<float>(20, std::numeric_limits<float>::quiet_NaN());
  const DatasetReport findings = examine(chest, 0);
  EXPECT_EQ(findings.splits[1].labels[2].unknown, 4);
  EXPECT_EQ(findings.splits[1].undefined().size(), 5u);
}

TEST(PixelSums, MeanAndDeviationOfEveryChannel) {
  PixelSums sums(3), rest(3);
  sums.add(std::vector<std::uint8_t>{0, 10, 255});
  rest.add(std::vector<std::uint8_t>{4, 10, 251, 8, 10, 247});
  sums.add(rest);
  EXPECT_EQ(sums.pixels(), 3u);
  EXPECT_DOUBLE_EQ(sums.mean(0), 4);
  EXPECT_DOUBLE_EQ(sums.mean(2), 251);
  EXPECT_DOUBLE_EQ(sums.deviation(0) * sums.deviation(0), 32.0 / 3);
  EXPECT_EQ(sums.deviation(1), 0);
}

TEST(ImageHash, TellsBytesAndPicturesApart) {
  std::vector<std::uint8_t> bytes(100, 7);
  const std::uint64_t hash = content_hash(bytes);
  EXPECT_EQ(content_hash(bytes), hash);
  EXPECT_NE(content_hash(bytes, 1), hash);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] ^= 1;
    EXPECT_NE(content_hash(bytes), hash) << i;
    bytes[i] ^= 1;
  }
  bytes.push_back(0);
  EXPECT_NE(content_hash(bytes), hash);
  // Bits by hand: brighter to the right in the first row only, at its first pixel.
  Image steps{16, 17, 1, std::vector<std::uint8_t>(16 * 17, 50)};
  for (int x = 1; x < 17; ++x) steps.pixels[static_cast<std::size_t>(x)] = 60;
  EXPECT_EQ(difference_hash(steps), (DifferenceHash{1, 0, 0, 0}));
  EXPECT_EQ(distance({1, 0, 0, 0}, {2, 0, 0, std::uint64_t{1} << 63}), 3);
  const DifferenceHash look = difference_hash(spots(96, 5));
  EXPECT_LE(distance(look, difference_hash(resized(spots(96, 5), 64, 64))), near_distance);
  EXPECT_GT(distance(look, difference_hash(spots(96, 6))), 4 * near_distance);
}

TEST(RealReport, FilmsThatLeakPatients) {
  const std::string path = real_file("nih1000_64");
  if (!std::filesystem::exists(path)) GTEST_SKIP() << path << " is absent; set PRECEPTOR_DATA";
  const DatasetReport report = examine(open_dataset("chestxray14:" + path), 0);
  EXPECT_EQ(report.shared[0].patients.size(), 15u);
  EXPECT_EQ(report.shared[1].patients.size(), 8u);
  EXPECT_EQ(report.shared[2].patients.size(), 9u);
  EXPECT_EQ(report.forms, (std::map<std::string, int>{{"64x64 PNG RGB 8 bit", 979}, {"64x64 PNG RGBA 8 bit", 21}}));
  EXPECT_TRUE(report.unreadable.empty());
  EXPECT_TRUE(report.alike.empty());
  const DatasetReport npz = examine(open_dataset("medmnist:" + path + "/nih1000_64_chestmnist_layout.npz"), 0);
  EXPECT_EQ(npz.splits[1].undefined(), Texts{"hernia"});
}

TEST(RealReport, FilmsThatStandInTwoSplits) {
  const std::string path = real_file("medmnist28/pneumoniamnist_reconstructed.npz");
  if (!std::filesystem::exists(path)) GTEST_SKIP() << path << " is absent; set PRECEPTOR_DATA";
  int with_val = 0, with_test = 0;
  for (const DuplicateGroup& group : examine(open_dataset("medmnist:" + path), 0).identical) {
    with_val += group.images.front().split == "train" && group.images.back().split == "val";
    with_test += group.images.back().split == "test" && group.across_splits();
  }
  EXPECT_EQ(with_val, 8);
  EXPECT_EQ(with_test, 0);
}

}  // namespace
}  // namespace preceptor::test
