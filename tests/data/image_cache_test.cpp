// The cache: the same images as decoding gives, refused as soon as one of their files changes.
#include "data/storage/image_cache.h"
#include "data/formats/open_dataset.h"

#include <unistd.h>

#include "data/batches/loader.h"
#include "tests/data/made_tree.h"

namespace preceptor::test {
namespace {

class ImageCache : public ::testing::Test {
 protected:
  ImageCache() {
    for (int i = 0; i < 12; ++i)
      tree.file(name(i), png(drawn(20 + i, 30, i % 2 == 0 ? 1 : 3, static_cast<std::uint32_t>(i))));
  }
  static std::string name(int i) {
    return std::string("set/") + (i % 3 == 0 ? "a/" : "b/") + std::to_string(i) + ".png";
  }
  Dataset open(const std::string& cache, const std::string& keys = "size=16") const {
    return open_dataset("folder:" + tree.path("set") + "?" + keys + (cache.empty() ? "" : "&cache=" + cache));
  }
  std::string write(bool skip = false) const {
    const std::string path = tree.path("cache");
    write_image_cache(path, listed_images(open("no")), skip, 2, {});
    return path;
  }
  static std::vector<std::vector<std::uint8_t>> pixels(const Dataset& data) {
    std::vector<std::vector<std::uint8_t>> all;
    for (const Split* split : {&data.train, &data.val, &data.test})
      for (int i = 0; i < split->count; ++i) all.push_back(read_pixels(*split->images, i));
    return all;
  }

  MadeTree tree;
};

TEST_F(ImageCache, GivesTheSameImages) {
  const std::string path = write();
  const Dataset decoded = open("no"), cached = open(path);
  EXPECT_TRUE(decoded.train.images->decodes());
  EXPECT_FALSE(cached.train.images->decodes());
  EXPECT_EQ(pixels(cached), pixels(decoded));
  // Other splits of the same images are served by it too.
  EXPECT_EQ(pixels(open(path, "size=16&fold=1/4&seed=3&n=4")), pixels(open("no", "size=16&fold=1/4&seed=3&n=4")));
}

TEST_F(ImageCache, IsFoundBesideTheData) {
  const Dataset decoded = open("no");
  EXPECT_EQ(decoded.cache_path, tree.path("set") + "/images.16x16x1.cache.safetensors");
  write_image_cache(decoded.cache_path, listed_images(decoded), false, 0, {});
  EXPECT_FALSE(open("").train.images->decodes());
  EXPECT_TRUE(open("", "size=15").train.images->decodes()) << "that one is of another size";
  EXPECT_TRUE(open("no").train.images->decodes());
}

TEST_F(ImageCache, IsNeverStale) {
  const std::string path = write();
  const std::string one = tree.path(name(4)), bytes = read_bytes(one);
  // Written anew with the same content: hashed, accepted, and the new stamp noted.
  write_bytes(one, bytes);
  const std::string before = read_bytes(path);
  EXPECT_FALSE(open(path).train.images->decodes());
  EXPECT_NE(read_bytes(path), before);
  // The same size, another pixel.
  std::string other = png(drawn(24, 30, 1, 99));
  write_bytes(one, other);
  expect_error([&] { open(path); }, ErrorKind::data, {path + ": is stale", name(4).substr(6)});
  write_bytes(one, bytes);
  EXPECT_FALSE(open(path).train.images->decodes());
  std::filesystem::remove(one);
  EXPECT_FALSE(open(path).train.images->decodes()) << "what is no longer part of the data does not matter";
}

TEST_F(ImageCache, DecodesWhatItLacks) {
  const std::string path = write();
  tree.file("set/b/99.png", png(drawn(20, 20, 1, 5)));
  EXPECT_EQ(pixels(open(path)), pixels(open("no")));
}

TEST_F(ImageCache, UnreadableImagesStopItOrAreLeftOut) {
  tree.file(name(5), "no image");
  expect_error([&] { write(); }, ErrorKind::data, {name(5).substr(4)});
  EXPECT_FALSE(std::filesystem::exists(tree.path("cache")) || std::filesystem::exists(tree.path("cache.tmp")));
  const CacheResult result = write_image_cache(tree.path("cache"), listed_images(open("no")), true, 1, {});
  EXPECT_EQ(result.images, 11);
  ASSERT_EQ(result.unreadable.size(), 1u);
  const Dataset cached = open(tree.path("cache"), "size=16&split=test");
  for (int i = 0; i < cached.test.count; ++i) {
    if (cached.test.ids[static_cast<std::size_t>(i)] == name(5).substr(4))
      expect_error([&] { read_pixels(*cached.test.images, i); }, ErrorKind::data, {"5.png"});
    else
      read_pixels(*cached.test.images, i);
  }
  expect_error(
      [&] {
        write_image_cache(tree.path("x"), listed_images(open_dataset("phantom:chest?n=4&val=1&test=1")), false, 1, {});
      },
      ErrorKind::usage, {"in memory"});
}

TEST_F(ImageCache, RefusesDamagedFiles) {
  const std::string path = write(), sound = read_bytes(path);
  expect_error([&] { open(path, "size=8"); }, ErrorKind::data, {"16x16x1", "8x8x1"});
  expect_error([&] { open(tree.path("none")); }, ErrorKind::missing_input, {"none"});
  const auto refuse = [&](const std::string& bytes) {
    write_bytes(tree.path("bad"), bytes);
    expect_error([&] { open(tree.path("bad")); }, ErrorKind::data, {tree.path("bad") + ": "});
  };
  refuse("");
  refuse("short");
  refuse(sound.substr(0, 100));
  refuse(sound.substr(0, sound.size() - 1));
  refuse(std::string(8, '\xff') + sound.substr(8));
  for (const char* word : {"images\"", "content\"", "stamps\"", "ids\"", "preceptor-images-1", "data_offsets"}) {
    std::string bad = sound;
    bad[bad.find(word)] = 'X';
    refuse(bad);
  }
  // Any byte of the header may be wrong: an Error, or images that are there.
  std::uint32_t bits = 5;
  for (int i = 0; i < 300; ++i) {
    std::string bad = sound;
    bits = bits * 1664525u + 1013904223u;
    bad[(bits >> 8) % 420] = static_cast<char>(bits >> 3);
    write_bytes(tree.path("bad"), bad);
    try {
      pixels(open(tree.path("bad")));
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::data);
    }
  }
}

}  // namespace
}  // namespace preceptor::test
