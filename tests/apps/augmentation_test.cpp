// The text of --augment: what it means, its shortest form, and texts that mean nothing.
#include "apps/training/options/augmentation.h"

#include <gtest/gtest.h>

#include "kernels/device/error.h"

namespace preceptor::test {
namespace {

TEST(Augmentation, EveryNameReachesItsSetting) {
  const Augmentation all = parse_augmentation(
      "flip,shift=4,rotate=10,scale=0.1,crop=0.2,contrast=0.3,brightness=0.25,noise=0.02,cutout=8,mixup=0.4");
  const AugmentOptions input = all.input({0.5f}, {0.25f});
  EXPECT_TRUE(input.random && input.flip);
  EXPECT_EQ(input.shift, 4);
  EXPECT_EQ(input.rotate, 10);
  EXPECT_EQ(input.scale, 0.1f);
  EXPECT_EQ(input.crop, 0.2f);
  EXPECT_EQ(input.contrast, 0.3f);
  EXPECT_EQ(input.brightness, 0.25f);
  EXPECT_EQ(input.noise, 0.02f);
  EXPECT_EQ(input.cutout, 8);
  EXPECT_EQ(input.mean, std::vector<float>{0.5f});
  EXPECT_EQ(input.deviation, std::vector<float>{0.25f});
  EXPECT_EQ(all.mixup, 0.4);
}

TEST(Augmentation, ItsShortestTextReadsBack) {
  EXPECT_EQ(to_string(parse_augmentation("")), "");
  EXPECT_EQ(to_string(parse_augmentation("rotate=0,shift=0")), "");
  EXPECT_EQ(to_string(parse_augmentation("mixup=0.20,rotate=1e1,flip,shift=4")), "flip,shift=4,rotate=10,mixup=0.2");
  const std::string all =
      "flip,shift=1,rotate=0.1,scale=0.9,crop=0.9,contrast=1,brightness=1,noise=1,cutout=65535,mixup=1";
  EXPECT_EQ(to_string(parse_augmentation(all)), all);
}

TEST(Augmentation, RefusesWhatMeansNothing) {
  for (const char* text :
       {"turn=3", "flip=1", "shift", "shift=", "shift=-1", "shift=2.5", "shift=2 ", "rotate=181", "scale=0.91",
        "crop=nan", "noise=inf", "mixup=2", "flip,flip", ",", "flip,,shift=1", " flip"}) {
    try {
      parse_augmentation(text);
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::usage);
      EXPECT_EQ(std::string(error.what()).rfind("--augment", 0), 0u) << error.what();
    }
  }
}

}  // namespace
}  // namespace preceptor::test
