// Mixup: lambda against the Beta distribution, images and labels against the definition.
#include "data/batches/mixup.h"

#include <gtest/gtest.h>

#include <cmath>

#include "data/batches/loader.h"
#include "kernels/device/error.h"

namespace preceptor::test {
namespace {

TEST(Mixup, SharesFollowTheBetaDistribution) {
  // The larger of x and 1 - x, x from Beta(a, a): its mean square is that of x and 1 - x together minus what the
  // smaller has; E[x (1 - x)] = a / (2 (2 a + 1)) holds for both orders alike.
  for (const double alpha : {0.05, 0.2, 0.4, 1.0}) {
    constexpr int rows = 20000;
    const Mixture mixture = draw_mixture(rows, alpha, RandomStream(3));
    double sum = 0, squares = 0;
    for (const int weight : mixture.weights) {
      EXPECT_GE(weight, mixture_whole / 2);
      EXPECT_LE(weight, mixture_whole);
      const double share = static_cast<double>(mixture_lambda(weight)), product = share * (1 - share);
      sum += product;
      squares += product * product;
    }
    const double mean = sum / rows, deviation = std::sqrt(squares / rows - mean * mean);
    EXPECT_NEAR(mean, alpha / (2 * (2 * alpha + 1)), 5 * deviation / std::sqrt(rows) + 0x1p-16) << alpha;
  }
}

TEST(Mixup, MixesARowWithItsPartner) {
  const Mixture mixture{2, {mixture_whole, mixture_whole / 2, mixture_whole / 4 * 3}};
  std::vector<std::uint8_t> values = {10, 20, 30, 40, 250, 60};
  mix_rows(mixture, values);
  EXPECT_EQ(values, (std::vector<std::uint8_t>{10, 20, 20, 30, 195, 55}));  // partners: row 2, 0, 1
  EXPECT_EQ(partners_of(mixture, {1, 2, 3}), (std::vector<float>{3, 1, 2}));
}

TEST(Mixup, EveryRowHasAnotherAsItsPartner) {
  for (int rows = 1; rows < 40; ++rows) {
    const Mixture mixture = draw_mixture(rows, 0.5, RandomStream(rows));
    EXPECT_EQ(mixture.offset == 0, rows == 1);
    EXPECT_LT(mixture.offset, rows);
  }
}

// Image i is 8 bytes of value 10 i, its label i.
Dataset numbered(int count) {
  Dataset data;
  data.height = 2;
  data.width = 4;
  data.channels = 1;
  data.outputs = count;
  std::vector<std::uint8_t> pixels;
  for (int i = 0; i < count; ++i) {
    pixels.insert(pixels.end(), 8, static_cast<std::uint8_t>(10 * i));
    data.train.labels.push_back(static_cast<float>(i));
  }
  data.train.count = count;
  data.train.images = std::make_shared<MemoryImages>(std::move(pixels), 8);
  return data;
}

struct Seen {
  std::vector<std::uint8_t> images;
  std::vector<float> labels, partners, lambda;
  bool operator==(const Seen&) const = default;
};

Seen epoch_of(const Dataset& data, int threads, std::uint64_t seed) {
  LoaderOptions options;
  options.batch = 5;
  options.shuffle = true;
  options.threads = threads;
  options.seed = seed;
  options.mixup = 0.5;
  Loader loader(data, data.train, options);
  Seen seen;
  for (const std::int64_t epoch : {0, 1}) {
    loader.start(epoch);
    while (const Batch* batch = loader.next()) {
      seen.images.insert(seen.images.end(), batch->images.begin(), batch->images.end());
      seen.labels.insert(seen.labels.end(), batch->labels.begin(), batch->labels.end());
      seen.partners.insert(seen.partners.end(), batch->partner_labels.begin(), batch->partner_labels.end());
      seen.lambda.insert(seen.lambda.end(), batch->lambda.begin(), batch->lambda.end());
    }
  }
  return seen;
}

TEST(Mixup, TheLoaderTellsWhatItMixed) {
  const Dataset data = numbered(20);
  const Seen seen = epoch_of(data, 1, 4);
  ASSERT_EQ(seen.lambda.size(), 40u);
  ASSERT_EQ(seen.images.size(), 320u);
  for (std::size_t i = 0; i < 40; ++i) {
    EXPECT_NE(seen.labels[i], seen.partners[i]);
    const double mixed =
        10 * static_cast<double>(seen.lambda[i] * seen.labels[i] + (1 - seen.lambda[i]) * seen.partners[i]);
    EXPECT_NEAR(seen.images[8 * i + 3], mixed, 0.501);  // rounded to the nearest byte
  }
  for (const int threads : {2, 4}) EXPECT_TRUE(epoch_of(data, threads, 4) == seen);
  EXPECT_FALSE(epoch_of(data, 1, 5) == seen);
}

TEST(Mixup, NeedsShuffledBatches) {
  const Dataset data = numbered(4);
  LoaderOptions options;
  options.mixup = 0.2;
  EXPECT_THROW(Loader(data, data.train, options), Error);
  options.shuffle = true;
  options.mixup = 1.1;
  EXPECT_THROW(Loader(data, data.train, options), Error);
}

}  // namespace
}  // namespace preceptor::test
