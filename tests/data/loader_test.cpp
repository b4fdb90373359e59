// The loader: same batches for any number of threads, every image once, safe to restart or leave at any moment.
#include "data/batches/loader.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <limits>
#include <set>
#include <thread>

#include "data/batches/sampling.h"
#include "data/random.h"
#include "kernels/device/error.h"

namespace preceptor::test {
namespace {

// Images of 3x5 grey pixels that all hold their number; two labels: the number and its double.
Dataset numbered(int count) {
  Dataset data;
  data.task = Task::multi_label;
  data.height = 3;
  data.width = 5;
  data.channels = 1;
  data.outputs = 2;
  data.train.count = count;
  std::vector<std::uint8_t> pixels;
  for (int i = 0; i < count; ++i) {
    pixels.insert(pixels.end(), 15, static_cast<std::uint8_t>(i));
    data.train.labels.insert(data.train.labels.end(), {static_cast<float>(i), static_cast<float>(2 * i)});
  }
  data.train.images = std::make_shared<MemoryImages>(std::move(pixels), 15);
  return data;
}

LoaderOptions shuffled(int batch, int threads, std::uint64_t seed = 7) {
  LoaderOptions options;
  options.batch = batch;
  options.shuffle = true;
  options.seed = seed;
  options.threads = threads;
  return options;
}

// The image numbers of one epoch in order; checks that pixels and labels belong to them.
std::vector<int> epoch_of(Loader& loader, std::int64_t epoch) {
  std::vector<int> order;
  loader.start(epoch);
  while (const Batch* batch = loader.next()) {
    EXPECT_EQ(batch->size, loader.batch_size());
    for (int i = 0; i < batch->size; ++i) {
      const int image = batch->positions[static_cast<std::size_t>(i)];
      EXPECT_EQ(batch->images[static_cast<std::size_t>(i) * 15], image % 256);
      EXPECT_EQ(batch->images[static_cast<std::size_t>(i) * 15 + 14], image % 256);
      EXPECT_EQ(batch->labels[static_cast<std::size_t>(i) * 2 + 1], 2 * image);
      if (i < batch->valid) order.push_back(image);
    }
  }
  EXPECT_EQ(loader.next(), nullptr);
  return order;
}

TEST(Loader, ThreadsAndPrefetchChangeNothing) {
  const Dataset data = numbered(203);
  Loader reference(data, data.train, shuffled(8, 1));
  std::vector<std::vector<int>> expected;
  for (int epoch = 0; epoch < 3; ++epoch) expected.push_back(epoch_of(reference, epoch));
  for (const int threads : {1, 2, 4}) {
    for (const int prefetch : {1, 3, 100}) {
      LoaderOptions options = shuffled(8, threads);
      options.prefetch = prefetch;
      Loader loader(data, data.train, options);
      for (int epoch = 0; epoch < 3; ++epoch)
        EXPECT_EQ(epoch_of(loader, epoch), expected[static_cast<std::size_t>(epoch)]);
    }
  }
}

TEST(Loader, ShufflesEveryEpochAnewAndShowsEveryImage) {
  const Dataset data = numbered(96);
  Loader loader(data, data.train, shuffled(8, 2));
  EXPECT_EQ(loader.batches_per_epoch(), 12);
  const std::vector<int> first = epoch_of(loader, 0), second = epoch_of(loader, 1);
  EXPECT_EQ(std::set<int>(first.begin(), first.end()).size(), 96u);
  EXPECT_EQ(std::set<int>(second.begin(), second.end()).size(), 96u);
  EXPECT_NE(first, second);
  EXPECT_EQ(epoch_of(loader, 0), first);
  Loader other(data, data.train, shuffled(8, 2, 8));
  EXPECT_NE(epoch_of(other, 0), first);
}

TEST(Loader, LeavesOutAnIncompleteShuffledBatch) {
  const Dataset data = numbered(21);
  Loader loader(data, data.train, shuffled(8, 2));
  EXPECT_EQ(loader.batches_per_epoch(), 2);
  EXPECT_EQ(epoch_of(loader, 0).size(), 16u);
}

TEST(Loader, PadsTheLastBatchOfAnEvaluation) {
  const Dataset data = numbered(21);
  LoaderOptions options;
  options.batch = 8;
  options.threads = 2;
  Loader loader(data, data.train, options);
  EXPECT_EQ(loader.batches_per_epoch(), 3);
  const std::vector<int> order = epoch_of(loader, 0);
  ASSERT_EQ(order.size(), 21u);
  for (int i = 0; i < 21; ++i) EXPECT_EQ(order[static_cast<std::size_t>(i)], i);
  loader.start(0);
  const Batch* last = nullptr;
  for (int i = 0; i < 3; ++i) last = loader.next();
  ASSERT_NE(last, nullptr);
  EXPECT_EQ(last->valid, 5);
  EXPECT_EQ(last->positions, (std::vector<std::int32_t>{16, 17, 18, 19, 20, 20, 20, 20}));
}

TEST(Loader, SmallSplitsGiveOneBatch) {
  const Dataset data = numbered(5);
  for (const bool shuffle : {true, false}) {
    LoaderOptions options = shuffled(64, 2);
    options.shuffle = shuffle;
    Loader loader(data, data.train, options);
    EXPECT_EQ(loader.batch_size(), 5);
    EXPECT_EQ(loader.batches_per_epoch(), 1);
    EXPECT_EQ(epoch_of(loader, 0).size(), 5u);
  }
}

TEST(Loader, RestartsInTheMiddleOfAnEpoch) {
  const Dataset data = numbered(200);
  Loader reference(data, data.train, shuffled(4, 1));
  const std::vector<int> expected = epoch_of(reference, 9);
  Loader loader(data, data.train, shuffled(4, 4));
  for (int taken = 0; taken < 50; ++taken) {
    loader.start(taken);
    for (int i = 0; i < taken % 7; ++i) loader.next();
    EXPECT_EQ(epoch_of(loader, 9), expected) << "after " << taken % 7 << " batches";
  }
}

TEST(Loader, StopsAtAnyMoment) {
  const Dataset data = numbered(200);
  for (int round = 0; round < 60; ++round) {
    Loader loader(data, data.train, shuffled(4, 1 + round % 4));
    if (round % 5 == 0) continue;
    loader.start(round);
    for (int i = 0; i < round % 9; ++i) EXPECT_NE(loader.next(), nullptr);
  }
}

// The batch in the caller's hands must stay as it is while the threads run ahead.
TEST(Loader, DoesNotOverwriteTheBatchInUse) {
  const Dataset data = numbered(64);
  LoaderOptions options = shuffled(4, 4);
  const std::vector<std::int32_t> order = permutation(64, RandomStream(options.seed, 0));
  options.prefetch = 1;
  Loader loader(data, data.train, options);
  loader.start(0);
  auto expected = order.begin();
  while (const Batch* batch = loader.next()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    EXPECT_EQ(batch->positions, std::vector<std::int32_t>(expected, expected + 4));
    for (int i = 0; i < 4; ++i) EXPECT_EQ(batch->images[static_cast<std::size_t>(i) * 15], expected[i]);
    expected += 4;
  }
  EXPECT_EQ(expected, order.end());
}

// Images that are slow to read, some of them broken, as files are.
class SlowImages final : public ImageSource {
 public:
  SlowImages(Images images, std::set<int> broken)
      : ImageSource(images->count(), images->image_bytes()), images_(std::move(images)), broken_(std::move(broken)) {}
  void read(int position, std::span<std::uint8_t> pixels) const override {
    ++reads;
    std::this_thread::sleep_for(std::chrono::microseconds(position * 37 % 300));
    if (broken_.contains(position)) throw Error(ErrorKind::data, "image " + std::to_string(position) + ": broken");
    images_->read(position, pixels);
  }
  bool decodes() const override { return true; }

  mutable std::atomic<int> reads = 0;

 private:
  Images images_;
  std::set<int> broken_;
};

TEST(Loader, ThreadsThatDecodeChangeNothing) {
  Dataset data = numbered(93);
  Loader reference(data, data.train, shuffled(8, 1));
  const std::vector<int> expected = epoch_of(reference, 2);
  Dataset slow = data;
  slow.train.images = std::make_shared<SlowImages>(data.train.images, std::set<int>{});
  for (const int threads : {1, 2, 5}) {
    Loader loader(slow, slow.train, shuffled(8, threads));
    EXPECT_EQ(epoch_of(loader, 2), expected);
    LoaderOptions options;
    options.batch = 40;
    options.threads = threads;
    Loader in_order(slow, slow.train, options);
    const auto& images = dynamic_cast<const SlowImages&>(*slow.train.images);
    images.reads = 0;
    const std::vector<int> order = epoch_of(in_order, 0);
    ASSERT_EQ(order.size(), 93u);
    for (int i = 0; i < 93; ++i) EXPECT_EQ(order[static_cast<std::size_t>(i)], i);
    EXPECT_EQ(images.reads, 93) << "the rows that fill up the last batch are not decoded";
  }
  EXPECT_EQ(loading_threads(slow.train, 5), 5);
  EXPECT_EQ(loading_threads(data.train, 5), 1);
}

TEST(Loader, AnErrorComesInPlaceOfItsBatch) {
  Dataset data = numbered(64);
  data.train.images = std::make_shared<SlowImages>(data.train.images, std::set<int>{29, 26, 50});
  for (const int threads : {1, 4}) {
    LoaderOptions options;
    options.batch = 8;
    options.threads = threads;
    Loader loader(data, data.train, options);
    for (int round = 0; round < 2; ++round) {
      loader.start(round);
      for (int i = 0; i < 3; ++i) ASSERT_NE(loader.next(), nullptr);
      try {
        loader.next();
        FAIL();
      } catch (const Error& error) {
        EXPECT_STREQ(error.what(), "image 26: broken") << "the first of the batch, whoever was faster";
      }
    }
  }
}

TEST(Loader, DrawsByWeight) {
  const Dataset data = numbered(4);
  LoaderOptions options = shuffled(4, 1);
  options.weights = {1, 0, 2, 1};
  std::vector<int> counts(4, 0);
  Loader loader(data, data.train, options), other(data, data.train, options);
  for (int epoch = 0; epoch < 2000; ++epoch) {
    const std::vector<int> drawn = epoch_of(loader, epoch);
    ASSERT_EQ(drawn.size(), 4u);
    for (const int image : drawn) ++counts[static_cast<std::size_t>(image)];
    if (epoch < 20) {
      EXPECT_EQ(epoch_of(other, epoch), drawn);
    }
  }
  EXPECT_EQ(counts[1], 0);
  for (const int image : {0, 2, 3}) {  // five standard deviations of 8000 draws
    const double chance = options.weights[static_cast<std::size_t>(image)] / 4;
    EXPECT_NEAR(counts[static_cast<std::size_t>(image)], 8000 * chance, 5 * std::sqrt(8000 * chance * (1 - chance)));
  }
  for (const std::vector<double>& wrong : {std::vector<double>{1, 1}, {0, 0, 0, 0}, {1, -1, 1, 1}}) {
    options.weights = wrong;
    EXPECT_THROW(Loader(data, data.train, options), Error);
  }
}

TEST(Sampling, WeightsByHand) {
  Split classes;
  classes.count = 5;
  classes.labels = {0, 0, 0, 0, 1};
  EXPECT_EQ(sampling_weights(classes, Task::multi_class, 2, Sampling::balanced),
            (std::vector<double>{0.25, 0.25, 0.25, 0.25, 1}));
  EXPECT_EQ(sampling_weights(classes, Task::ordinal, 2, Sampling::square_root),
            (std::vector<double>{0.5, 0.5, 0.5, 0.5, 1}));
  EXPECT_TRUE(sampling_weights(classes, Task::multi_class, 2, Sampling::shuffle).empty());
  Split findings;
  findings.count = 4;  // the first finding twice, the second once, none twice; unknown counts as absent
  findings.labels = {1, 1, 1, 0, 0, std::numeric_limits<float>::quiet_NaN(), 0, 0};
  EXPECT_EQ(sampling_weights(findings, Task::multi_label, 2, Sampling::balanced),
            (std::vector<double>{1.5, 0.5, 0.5, 0.5}));
}

TEST(Loader, RefusesWrongUse) {
  const Dataset data = numbered(4);
  Dataset empty = numbered(0), torn = numbered(4);
  torn.train.labels.pop_back();
  EXPECT_THROW(Loader(empty, empty.train, {}), Error);
  EXPECT_THROW(Loader(torn, torn.train, {}), Error);
  EXPECT_THROW(Loader(data, data.train, shuffled(0, 1)), Error);
  EXPECT_THROW(Loader(data, data.train, shuffled(1, 0)), Error);
  Loader loader(data, data.train, {});
  EXPECT_THROW(loader.next(), Error);
}

TEST(RandomStream, IsNamedByItsNumbers) {
  EXPECT_EQ(RandomStream(1, 2).bits(), RandomStream(1, 2).bits());
  EXPECT_NE(RandomStream(1, 2).bits(), RandomStream(2, 1).bits());
  EXPECT_NE(RandomStream(0, 1).bits(), RandomStream(1, 0).bits());
  EXPECT_NE(RandomStream(0).bits(), RandomStream(0, 0).bits());
}

TEST(RandomStream, DrawsEvenlyBelowALimit) {
  RandomStream random(11);
  int counts[3] = {};
  for (int i = 0; i < 30000; ++i) ++counts[random.below(3)];
  for (const int count : counts) EXPECT_NEAR(count, 10000, 400);  // five standard deviations
}

TEST(RandomStream, EveryPermutationIsEquallyLikely) {
  std::vector<int> counts(6, 0);
  for (int i = 0; i < 12000; ++i) {
    const std::vector<std::int32_t> order = permutation(3, RandomStream(i));
    ++counts[static_cast<std::size_t>(order[0] * 2 + (order[1] > order[2]))];
  }
  for (const int count : counts) EXPECT_NEAR(count, 2000, 205);  // five standard deviations
}

TEST(RandomStream, NormalNumbersHaveMeanZeroAndVarianceOne) {
  RandomStream random(12);
  double sum = 0, squares = 0;
  for (int i = 0; i < 20000; ++i) {
    const double value = random.normal();
    sum += value;
    squares += value * value;
  }
  EXPECT_NEAR(sum / 20000, 0, 0.036);
  EXPECT_NEAR(squares / 20000, 1, 0.051);
}

}  // namespace
}  // namespace preceptor::test
