// preceptor-data preview as users run it.
#include "data/dataset.h"
#include "data/images/image.h"
#include "process.h"

namespace preceptor::test {
namespace {

const std::string phantoms = "phantom:fundus?n=20&val=8&test=8&size=16";

Arguments preview(const Arguments& more) { return with({"preceptor-data", "preview", phantoms, "--batch", "5"}, more); }

// Image i of the grid of three columns, without the gaps.
std::vector<std::uint8_t> cell(const Image& grid, int i) {
  std::vector<std::uint8_t> pixels;
  for (int y = 0; y < 16; ++y)
    for (int x = 0; x < 16 * 3; ++x)
      pixels.push_back(grid.pixels[static_cast<std::size_t>((i / 3 * 18 + y) * grid.width * 3 + i % 3 * 18 * 3 + x)]);
  return pixels;
}

TEST(Preview, WithoutChangesItShowsTheImages) {
  const Workplace place;
  std::istringstream ids(place.run(preview({"--out", "batch.png"})));
  const Image grid = read_image(place.path("batch.png"));
  EXPECT_EQ(grid.height, 2 * 18 - 2);
  EXPECT_EQ(grid.width, 3 * 18 - 2);
  EXPECT_EQ(grid.channels, 3);
  const Dataset data = open_dataset(phantoms);
  int seen = 0;
  for (std::string id; std::getline(ids, id); ++seen) {
    const auto found = std::find(data.train.ids.begin(), data.train.ids.end(), id);
    ASSERT_NE(found, data.train.ids.end()) << id;
    // Normalized and back again, every byte is the same.
    EXPECT_EQ(cell(grid, seen), read_pixels(*data.train.images, static_cast<int>(found - data.train.ids.begin())));
  }
  EXPECT_EQ(seen, 5);
}

TEST(Preview, TheSameOnEveryDeviceAndForAnyNumberOfThreads) {
  const Workplace place;
  const Arguments changes = {"--augment",
                             "flip,shift=2,rotate=15,scale=0.1,crop=0.2,contrast=0.2,brightness=0.1,noise=0.05,"
                             "cutout=4,mixup=0.4"};
  place.run(preview(with(changes, {"--out", "cpu.png", "--threads", "2"})));
  place.run(preview(with(changes, {"--out", "one.png", "--threads", "1"})));
  place.run(preview(with(changes, {"--out", "emulated.png", "--device", "emulated"})));
  place.run(preview(with(changes, {"--out", "later.png", "--epoch", "2"})));
  place.run(preview(with(changes, {"--out", "other.png", "--seed", "1"})));
  place.run(preview({"--out", "plain.png"}));
  EXPECT_TRUE(place.bytes("one.png") == place.bytes("cpu.png"));
  for (const char* other : {"later.png", "other.png", "plain.png"})
    EXPECT_FALSE(place.bytes(other) == place.bytes("cpu.png")) << other;
  const Image cpu = read_image(place.path("cpu.png")), emulated = read_image(place.path("emulated.png"));
  ASSERT_EQ(cpu.pixels.size(), emulated.pixels.size());
  // The same places and numbers; a value that lies between two bytes may be rounded to either.
  for (std::size_t i = 0; i < cpu.pixels.size(); ++i) ASSERT_NEAR(cpu.pixels[i], emulated.pixels[i], 1) << i;
}

TEST(Preview, NamesWhatIsWrong) {
  const Workplace place;
  place.refuse(preview({"--augment", "turn=1"}), 64, {"--augment", "rotate"});
  place.refuse(preview({"--normalise", "none"}), 64, {"--normalise"});
  place.refuse(preview({"--out", "no/folder.png"}), 74, {"no/folder.png"});
  place.refuse({"preceptor-data", "preview", "medmnist:none.npz"}, 66, {"none.npz"});
  place.refuse({"preceptor-data"}, 64, {"a command is missing"});
}

}  // namespace
}  // namespace preceptor::test
