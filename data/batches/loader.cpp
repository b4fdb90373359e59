// The loader: a bounded ring of batches that background threads fill in the order of use.
#include "data/batches/loader.h"

#include <algorithm>
#include <cmath>
#include <condition_variable>
#include <cstring>
#include <exception>
#include <mutex>
#include <numeric>
#include <thread>

#include "data/batches/mixup.h"
#include "engine/files/check.h"

namespace preceptor {

// Batch b of an epoch lives in slot b % slots and is filled in pieces of `piece` images: the whole batch for images in
// memory, one image if each must be decoded. The mutex guards the fields below it; a piece of a slot's buffers belongs
// to the thread that claimed it until no piece is missing, then the slot belongs to the caller until the next call.
struct Loader::State {
  State(const Dataset& data, const Split& part, const LoaderOptions& chosen)
      : dataset(data), split(part), options(chosen) {}
  ~State();
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  void work();
  void gather(int batch, int first_row, Batch& target) const;
  void mix(int batch, Batch& target) const;
  void expect_all(std::size_t slot);
  void draw_order();

  const Dataset& dataset;
  const Split& split;
  const LoaderOptions options;
  int batch_size = 0;
  int batches = 0;
  int piece = 1;   // images
  int pieces = 1;  // of a batch
  std::size_t image_bytes = 0;
  std::vector<double> reach;        // running sums of the weights
  std::vector<std::int32_t> order;  // written only by start(), while no thread gathers; so is the epoch
  std::int64_t epoch = 0;
  std::vector<Batch> slots;

  std::mutex mutex;
  std::condition_variable room;              // a batch may be claimed
  std::condition_variable ready;             // a batch is complete, or the last gathering thread has finished
  std::vector<int> missing;                  // [slots] pieces
  std::vector<int> failed;                   // [slots] the first piece with an error, `pieces` without any
  std::vector<std::exception_ptr> failures;  // [slots]
  std::int64_t claimed = 0;                  // pieces claimed by threads in this epoch
  int released = 0;                          // batches the caller is done with
  int returned = 0;                          // batches given to the caller
  int gathering = 0;                         // threads at work on a slot
  bool started = false;
  bool paused = true;
  bool stopped = false;
  std::vector<std::thread> threads;
};

Loader::State::~State() {
  {
    const std::lock_guard lock(mutex);
    stopped = true;
  }
  room.notify_all();
  for (std::thread& thread : threads) thread.join();
}

void Loader::State::gather(int batch, int first_row, Batch& target) const {
  const int first = batch * batch_size;
  const auto label_width = static_cast<std::size_t>(dataset.label_width());
  if (first_row == 0) target.valid = std::min(batch_size, split.count - first);
  for (int i = first_row; i < std::min(batch_size, first_row + piece); ++i) {
    const std::int32_t image = order[std::min(first + i, split.count - 1)];
    target.positions[i] = image;
    if (options.pixels && first + i < split.count)
      split.images->read(image, {target.images.data() + i * image_bytes, image_bytes});
    std::copy_n(split.labels.data() + image * label_width, label_width, target.labels.data() + i * label_width);
  }
}

void Loader::State::mix(int batch, Batch& target) const {
  const Mixture mixture = draw_mixture(target.size, options.mixup, RandomStream(options.seed, epoch, batch, 1));
  mix_rows(mixture, target.images);
  target.lambda.clear();
  for (const int weight : mixture.weights) target.lambda.push_back(mixture_lambda(weight));
  target.partner_labels = partners_of(mixture, target.labels);
}

void Loader::State::work() {
  const int capacity = static_cast<int>(slots.size());
  std::unique_lock lock(mutex);
  while (true) {
    room.wait(lock, [&] {
      const std::int64_t batch = claimed / pieces;
      return stopped || (!paused && batch < batches && batch < released + capacity);
    });
    if (stopped) return;
    const int batch = static_cast<int>(claimed / pieces), part = static_cast<int>(claimed % pieces);
    ++claimed;
    ++gathering;
    const std::size_t slot = static_cast<std::size_t>(batch % capacity);
    lock.unlock();
    std::exception_ptr failure;
    try {
      gather(batch, part * piece, slots[slot]);
    } catch (...) {
      failure = std::current_exception();
    }
    lock.lock();
    if (options.mixup > 0 && missing[slot] == 1 && !failure && !failures[slot]) {  // all others are done
      lock.unlock();
      mix(batch, slots[slot]);
      lock.lock();
    }
    if (failure && part < failed[slot]) {
      failed[slot] = part;
      failures[slot] = failure;
    }
    --missing[slot];
    --gathering;
    if (missing[slot] == 0 || gathering == 0) ready.notify_all();
  }
}

void Loader::State::expect_all(std::size_t slot) {
  missing[slot] = failed[slot] = pieces;
  failures[slot] = nullptr;
}

void Loader::State::draw_order() {
  RandomStream random(options.seed, epoch);
  if (reach.empty()) {
    order = permutation(split.count, random);
    return;
  }
  for (std::int32_t& image : order) {
    const auto found = std::upper_bound(reach.begin(), reach.end(), random.uniform() * reach.back());
    image = static_cast<std::int32_t>(std::min<std::ptrdiff_t>(found - reach.begin(), split.count - 1));
  }
}

Loader::Loader(const Dataset& dataset, const Split& split, const LoaderOptions& options) {
  require(split.count > 0, "loader: the split has no images");
  require(options.batch > 0 && options.threads > 0 && options.prefetch > 0, "loader: batch ", options.batch,
          ", threads ", options.threads, " and prefetch ", options.prefetch, " must be at least 1");
  state_ = std::make_unique<State>(dataset, split, options);
  State& s = *state_;
  s.image_bytes = dataset.image_bytes();
  const auto count = static_cast<std::size_t>(split.count);
  const auto label_width = static_cast<std::size_t>(dataset.label_width());
  require(split.images != nullptr && split.images->count() == split.count &&
              split.images->image_bytes() == s.image_bytes && split.labels.size() == count * label_width,
          "loader: images or labels do not belong to a split of ", split.count, " images of ", dataset.height, "x",
          dataset.width, "x", dataset.channels);
  require(options.weights.empty() || (options.shuffle && options.weights.size() == count),
          "loader: ", options.weights.size(), " weights for ", split.count, " images");
  for (const double weight : options.weights) {
    require(weight >= 0 && std::isfinite(weight), "loader: an image has weight ", weight);
    s.reach.push_back(weight + (s.reach.empty() ? 0 : s.reach.back()));
  }
  require(s.reach.empty() || s.reach.back() > 0, "loader: all images have weight 0");
  require(options.mixup >= 0 && options.mixup <= 1 && (options.mixup == 0 || options.shuffle), "loader: mixup ",
          options.mixup, " is not from 0 to 1, or without shuffle");
  require(options.pixels || options.mixup == 0, "loader: mixup needs pixels");
  s.batch_size = std::min(options.batch, split.count);
  s.piece = options.pixels && split.images->decodes() ? 1 : s.batch_size;
  s.pieces = (s.batch_size - 1) / s.piece + 1;
  s.batches = options.shuffle ? split.count / s.batch_size : (split.count - 1) / s.batch_size + 1;
  s.order.resize(count);
  std::iota(s.order.begin(), s.order.end(), 0);
  // One slot more than are prefetched: the caller holds one.
  s.slots.resize(static_cast<std::size_t>(options.prefetch) + 1);
  for (Batch& batch : s.slots) {
    const auto size = static_cast<std::size_t>(s.batch_size);
    batch.size = s.batch_size;
    if (options.pixels) batch.images.resize(size * s.image_bytes);
    batch.labels.resize(size * label_width);
    batch.positions.resize(size);
  }
  s.missing.resize(s.slots.size());
  s.failed.resize(s.slots.size());
  s.failures.resize(s.slots.size());
  for (int t = 0; t < options.threads; ++t) s.threads.emplace_back([&s] { s.work(); });
}

Loader::~Loader() = default;

int Loader::batch_size() const { return state_->batch_size; }

int Loader::batches_per_epoch() const { return state_->batches; }

void Loader::start(std::int64_t epoch) {
  State& s = *state_;
  std::unique_lock lock(s.mutex);
  s.paused = true;
  s.ready.wait(lock, [&] { return s.gathering == 0; });
  s.epoch = epoch;
  if (s.options.shuffle) s.draw_order();
  for (std::size_t slot = 0; slot < s.slots.size(); ++slot) s.expect_all(slot);
  s.claimed = 0;
  s.released = s.returned = 0;
  s.started = true;
  s.paused = false;
  lock.unlock();
  s.room.notify_all();
}

const Batch* Loader::next() {
  State& s = *state_;
  std::unique_lock lock(s.mutex);
  require(s.started, "loader: next() before start()");
  const auto slot_of = [&](int batch) { return static_cast<std::size_t>(batch) % s.slots.size(); };
  if (s.released < s.returned) {
    s.expect_all(slot_of(s.released));
    ++s.released;
    s.room.notify_all();
  }
  if (s.returned == s.batches) return nullptr;
  const std::size_t slot = slot_of(s.returned);
  s.ready.wait(lock, [&] { return s.missing[slot] == 0; });
  if (s.failures[slot]) std::rethrow_exception(s.failures[slot]);
  ++s.returned;
  Batch& batch = s.slots[slot];
  for (int i = batch.valid; i < batch.size && s.options.pixels; ++i)
    std::memcpy(batch.images.data() + i * s.image_bytes, batch.images.data() + (batch.valid - 1) * s.image_bytes,
                s.image_bytes);
  return &batch;
}

int loading_threads(const Split& split, int threads) {
  return split.images != nullptr && split.images->decodes() ? std::max(1, threads) : 1;
}

}  // namespace preceptor
