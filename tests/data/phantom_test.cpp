// Phantoms: determined by their names alone, nested, different between sites, and every finding leaves its mark.
#include "data/phantoms/phantom.h"
#include "data/formats/open_dataset.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <set>

#include "data/phantoms/chest.h"
#include "data/phantoms/fundus.h"

namespace preceptor::test {
namespace {

using phantom::ChestPatient;
using phantom::FundusEye;

constexpr PhantomKind kinds[] = {PhantomKind::chest, PhantomKind::fundus};

PhantomOptions options_of(PhantomKind kind, char site = 'a') {
  PhantomOptions options;
  options.kind = kind;
  options.site = site;
  return options;
}

std::vector<std::uint8_t> image_of(const Phantoms& split, int image) {
  const std::size_t bytes = split.images.size() / static_cast<std::size_t>(split.count);
  const auto begin = split.images.begin() + static_cast<std::ptrdiff_t>(bytes * image);
  return {begin, begin + static_cast<std::ptrdiff_t>(bytes)};
}

TEST(Phantom, ThreadsChangeNothing) {
  for (const PhantomKind kind : kinds) {
    const Phantoms one = make_phantoms(options_of(kind), PhantomPart::train, 0, 40, 1);
    for (const int threads : {2, 4}) {
      const Phantoms more = make_phantoms(options_of(kind), PhantomPart::train, 0, 40, threads);
      EXPECT_EQ(one.images, more.images);
      EXPECT_EQ(one.labels, more.labels);
    }
  }
}

TEST(Phantom, SmallerPartsAreTheBeginningOfLargerOnes) {
  for (const PhantomKind kind : kinds) {
    const Phantoms all = make_phantoms(options_of(kind), PhantomPart::train, 0, 30);
    const Phantoms end = make_phantoms(options_of(kind), PhantomPart::train, 20, 10);
    const std::size_t image = all.images.size() / 30, label = all.labels.size() / 30;
    EXPECT_TRUE(
        std::equal(end.images.begin(), end.images.end(), all.images.begin() + static_cast<std::ptrdiff_t>(20 * image)));
    EXPECT_TRUE(
        std::equal(end.labels.begin(), end.labels.end(), all.labels.begin() + static_cast<std::ptrdiff_t>(20 * label)));
  }
}

TEST(Phantom, PartsSitesAndSeedsShareNoImage) {
  for (const PhantomKind kind : kinds) {
    std::set<std::vector<std::uint8_t>> seen;
    int drawn = 0;
    for (const char site : {'a', 'b', 'c'}) {
      for (const std::uint64_t seed : {0u, 1u}) {
        for (const PhantomPart part : {PhantomPart::train, PhantomPart::val, PhantomPart::test}) {
          PhantomOptions options = options_of(kind, site);
          options.seed = seed;
          const Phantoms split = make_phantoms(options, part, 0, 10);
          for (int i = 0; i < split.count; ++i, ++drawn) seen.insert(image_of(split, i));
        }
      }
    }
    EXPECT_EQ(static_cast<int>(seen.size()), drawn);
  }
}

TEST(Phantom, SizesShowTheSamePatient) {
  for (const PhantomKind kind : kinds) {
    PhantomOptions options = options_of(kind);
    const Phantoms small = make_phantoms(options, PhantomPart::test, 0, 20);
    options.size = 64;
    const Phantoms large = make_phantoms(options, PhantomPart::test, 0, 20);
    EXPECT_EQ(small.labels, large.labels);
    const int channels = kind == PhantomKind::chest ? 1 : 3;
    double difference = 0;
    for (std::size_t at = 0; at < small.images.size(); ++at) {
      const std::size_t c = at % channels, column = at / channels % 32, row = at / channels / 32 % 32;
      const std::size_t image = at / channels / 1024 * 4096;
      double mean = 0;
      for (std::size_t k = 0; k < 4; ++k) {
        mean += large.images[(image + (2 * row + k / 2) * 64 + 2 * column + k % 2) * channels + c] / 4.0;
      }
      difference += std::abs(mean - small.images[at]);
    }
    EXPECT_LT(difference / static_cast<double>(small.images.size()), 9);
  }
}

TEST(Phantom, ChestPrevalencesAreThoseOfTheSite) {
  // Measured shares may leave these bounds with a probability below one in a thousand.
  const Phantoms a = make_phantoms(options_of(PhantomKind::chest, 'a'), PhantomPart::train, 0, 1000);
  const Phantoms c = make_phantoms(options_of(PhantomKind::chest, 'c'), PhantomPart::train, 0, 1000);
  double share_a[5] = {}, share_c[5] = {};
  for (std::size_t i = 0; i < a.labels.size(); ++i) {
    EXPECT_TRUE(a.labels[i] == 0 || a.labels[i] == 1);
    share_a[i % 5] += a.labels[i] / 1000;
    share_c[i % 5] += c.labels[i] / 1000;
  }
  for (const double share : share_a) {
    EXPECT_GT(share, 0.08);
    EXPECT_LT(share, 0.35);
  }
  EXPECT_GT(share_c[0], share_a[0] + 0.05);  // opacity
  EXPECT_GT(share_c[1], share_a[1] + 0.05);  // effusion
  EXPECT_GT(share_c[2], share_a[2] + 0.05);  // cardiomegaly
}

TEST(Phantom, FundusGradesAllOccur) {
  for (const char site : {'a', 'b', 'c'}) {
    const Phantoms split = make_phantoms(options_of(PhantomKind::fundus, site), PhantomPart::train, 0, 800);
    int counts[5] = {};
    for (int i = 0; i < split.count; ++i) ++counts[static_cast<int>(split.labels[static_cast<std::size_t>(i)])];
    for (const int count : counts) EXPECT_GT(count, 15) << site;
    EXPECT_EQ(*std::max_element(counts, counts + 5), counts[0]) << site;
  }
}

// Mean difference between the grey-level distributions of two sets of pictures (their Wasserstein distance).
double distance(Phantoms one, Phantoms other) {
  std::sort(one.images.begin(), one.images.end());
  std::sort(other.images.begin(), other.images.end());
  double sum = 0;
  for (std::size_t i = 0; i < one.images.size(); ++i) sum += std::abs(one.images[i] - other.images[i]);
  return sum / static_cast<double>(one.images.size());
}

TEST(Phantom, SitesLookDifferent) {
  for (const PhantomKind kind : kinds) {
    for (const auto& [one, other] : {std::pair{'a', 'b'}, {'a', 'c'}, {'b', 'c'}}) {
      const Phantoms first = make_phantoms(options_of(kind, one), PhantomPart::train, 0, 200);
      const Phantoms again = make_phantoms(options_of(kind, one), PhantomPart::val, 0, 200);
      const Phantoms second = make_phantoms(options_of(kind, other), PhantomPart::train, 0, 200);
      const std::string pair = std::string(1, one) + " and " + other;
      EXPECT_LT(distance(first, again), 3) << pair;
      EXPECT_GT(distance(first, second), 6) << pair;
    }
  }
}

// Largest absolute difference over the picture.
int largest_change(const std::vector<std::uint8_t>& one, const std::vector<std::uint8_t>& other) {
  int largest = 0;
  for (std::size_t i = 0; i < one.size(); ++i) largest = std::max(largest, std::abs(one[i] - other[i]));
  return largest;
}

TEST(ChestPhantom, EveryFindingChangesThePictureAndItsLabelAlone) {
  const std::vector<std::string>& names = phantom::chest_findings();
  ASSERT_EQ(names, (std::vector<std::string>{"opacity", "effusion", "cardiomegaly", "nodule", "pneumothorax"}));
  for (const char site : {'a', 'b', 'c'}) {
    std::vector<double> sums(names.size(), 0);
    for (int i = 0; i < 30; ++i) {
      ChestPatient healthy = phantom::draw_chest_patient(site, RandomStream(9, i));
      healthy.opacity.present = healthy.effusion.present = healthy.nodule.present = healthy.pneumothorax.present =
          false;
      healthy.heart_ratio = 0.44f;
      EXPECT_EQ(healthy.labels(), (std::array<float, 5>{}));
      std::vector<std::uint8_t> before(1024), after(1024);
      phantom::render_chest(healthy, site, 32, before.data());
      for (std::size_t finding = 0; finding < names.size(); ++finding) {
        ChestPatient ill = healthy;
        if (finding == 0) ill.opacity.present = true;
        if (finding == 1) ill.effusion.present = true;
        if (finding == 2) ill.heart_ratio = 0.53f;
        if (finding == 3) ill.nodule.present = true;
        if (finding == 4) ill.pneumothorax.present = true;
        for (std::size_t k = 0; k < names.size(); ++k) EXPECT_EQ(ill.labels()[k], k == finding ? 1 : 0);
        phantom::render_chest(ill, site, 32, after.data());
        const int change = largest_change(before, after);
        EXPECT_GT(change, 0) << names[finding] << " at site " << site << ", patient " << i;
        sums[finding] += change;
      }
    }
    // On average each can be seen above the noise, whose standard deviation is at most 12 grey levels.
    for (std::size_t k = 0; k < names.size(); ++k) EXPECT_GT(sums[k] / 30, 12) << names[k] << " at site " << site;
  }
}

TEST(ChestPhantom, HeartRatioIsMeasuredInThePicture) {
  ChestPatient patient = phantom::draw_chest_patient('a', RandomStream(3));
  patient.opacity.present = patient.effusion.present = patient.nodule.present = patient.pneumothorax.present = false;
  double previous = 0;
  for (const float ratio : {0.40f, 0.46f, 0.52f, 0.58f}) {
    patient.heart_ratio = ratio;
    std::vector<std::uint8_t> image(64 * 64);
    phantom::render_chest(patient, 'a', 64, image.data());
    double sum = 0;
    for (const std::uint8_t pixel : image) sum += pixel;
    EXPECT_GT(sum, previous);  // a larger heart covers more of the dark lungs
    previous = sum;
  }
}

TEST(FundusPhantom, EveryLesionChangesThePicture) {
  for (int i = 0; i < 20; ++i) {
    FundusEye healthy = phantom::draw_fundus_eye('a', RandomStream(4, i));
    healthy.aneurysms = healthy.haemorrhages = healthy.exudates = healthy.cotton_spots = healthy.new_vessels = 0;
    healthy.preretinal_bleeding = false;
    std::vector<std::uint8_t> before(64 * 64 * 3), after(before.size());
    phantom::render_fundus(healthy, 'a', 64, before.data());
    for (int lesion = 0; lesion < 6; ++lesion) {
      FundusEye ill = healthy;
      if (lesion == 0) ill.aneurysms = 5;
      if (lesion == 1) ill.haemorrhages = 5;
      if (lesion == 2) ill.exudates = 7;
      if (lesion == 3) ill.cotton_spots = 3;
      if (lesion == 4) ill.new_vessels = 2;
      if (lesion == 5) ill.preretinal_bleeding = true;
      phantom::render_fundus(ill, 'a', 64, after.data());
      EXPECT_GT(largest_change(before, after), 12) << "lesion " << lesion << ", eye " << i;
    }
  }
}

TEST(FundusPhantom, LesionsFollowTheGrade) {
  for (int i = 0; i < 500; ++i) {
    const FundusEye eye = phantom::draw_fundus_eye('c', RandomStream(5, i));
    EXPECT_EQ(eye.grade == 0, eye.aneurysms == 0);
    EXPECT_EQ(eye.grade >= 2, eye.haemorrhages > 0);
    EXPECT_EQ(eye.grade == 4, eye.new_vessels > 0);
    EXPECT_TRUE(eye.grade >= 2 || eye.exudates + eye.cotton_spots == 0);
  }
}

TEST(FundusPhantom, OutsideOfTheFieldIsBlack) {
  const Phantoms split = make_phantoms(options_of(PhantomKind::fundus), PhantomPart::val, 0, 5);
  for (int i = 0; i < split.count; ++i) {
    const auto image = image_of(split, i);
    EXPECT_EQ(image[0] + image[1] + image[2], 0);
    EXPECT_GT(image[(16 * 32 + 16) * 3], 40);
  }
}

TEST(Phantom, OpensByName) {
  const Dataset chest = open_dataset("phantom:chest?site=b&n=12&val=3&test=4&size=28&seed=5");
  EXPECT_EQ(chest.task, Task::multi_label);
  EXPECT_EQ(chest.outputs, 5);
  EXPECT_EQ(chest.source, "phantom:chest?site=b&n=12&val=3&test=4&size=28&seed=5");
  EXPECT_EQ(chest.height, 28);
  EXPECT_EQ(chest.channels, 1);
  EXPECT_EQ(chest.train.images->count(), 12);
  EXPECT_EQ(chest.train.images->image_bytes(), 28u * 28);
  EXPECT_EQ(chest.train.ids.at(11), "train/11");
  EXPECT_EQ(chest.train.column("site")->at(0), "b");
  EXPECT_EQ(chest.val.count * 10 + chest.test.count, 34);
  PhantomOptions options = options_of(PhantomKind::chest, 'b');
  options.size = 28;
  options.seed = 5;
  const Phantoms last = make_phantoms(options, PhantomPart::test, 3, 1);
  EXPECT_EQ(read_pixels(*chest.test.images, 3), last.images);
  const Dataset fundus = open_dataset("phantom:fundus?n=6&val=1&test=1");
  EXPECT_EQ(fundus.task, Task::ordinal);
  EXPECT_EQ(fundus.outputs, 5);
  EXPECT_EQ(fundus.channels, 3);
  EXPECT_EQ(fundus.train.labels.size(), 6u);
}

}  // namespace
}  // namespace preceptor::test
