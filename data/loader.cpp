// The loader: a bounded ring of batches that background threads fill in order of need.
#include "data/loader.h"

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <numeric>
#include <thread>

#include "data/random.h"
#include "engine/check.h"

namespace preceptor {

// Batch b of an epoch lives in slot b % slots. The fields below the mutex are guarded by it; a slot's buffers belong to
// the thread that claimed its batch until the batch is marked ready, and to the caller from then until the next call.
struct Loader::State {
  State(const Dataset& data, const Split& part, const LoaderOptions& chosen)
      : dataset(data), split(part), options(chosen) {}
  ~State();
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  void work();
  void gather(int batch, Batch& target) const;

  const Dataset& dataset;
  const Split& split;
  const LoaderOptions options;
  int batch_size = 0;
  int batches = 0;
  std::size_t image_bytes = 0;
  std::vector<std::int32_t> order;  // written by start() alone, while no thread gathers
  std::vector<Batch> slots;

  std::mutex mutex;
  std::condition_variable room;   // a batch may be claimed
  std::condition_variable ready;  // a batch is complete, or the last gathering thread has finished
  std::vector<char> complete;     // [slots]
  int claimed = 0;                // batches claimed by threads in this epoch
  int released = 0;               // batches the caller is done with
  int returned = 0;               // batches given to the caller
  int gathering = 0;              // threads at work on a slot
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

void Loader::State::gather(int batch, Batch& target) const {
  const int first = batch * batch_size;
  const auto label_width = static_cast<std::size_t>(dataset.label_width());
  target.valid = std::min(batch_size, split.count - first);
  for (int i = 0; i < batch_size; ++i) {
    const std::int32_t image = order[static_cast<std::size_t>(std::min(first + i, split.count - 1))];
    target.index[i] = image;
    std::memcpy(target.images.data() + i * image_bytes, split.images.data() + image * image_bytes, image_bytes);
    std::copy_n(split.labels.data() + image * label_width, label_width, target.labels.data() + i * label_width);
  }
}

void Loader::State::work() {
  const int capacity = static_cast<int>(slots.size());
  std::unique_lock lock(mutex);
  while (true) {
    room.wait(lock, [&] { return stopped || (!paused && claimed < batches && claimed < released + capacity); });
    if (stopped) return;
    const int batch = claimed++;
    ++gathering;
    lock.unlock();
    gather(batch, slots[batch % capacity]);
    lock.lock();
    complete[batch % capacity] = 1;
    --gathering;
    ready.notify_all();
  }
}

Loader::Loader(const Dataset& dataset, const Split& split, const LoaderOptions& options) {
  require(split.count > 0, "loader: the split has no images");
  require(options.batch > 0 && options.threads > 0 && options.prefetch > 0, "loader: batch ", options.batch,
          ", threads ", options.threads, " and prefetch ", options.prefetch, " must be at least 1");
  state_ = std::make_unique<State>(dataset, split, options);
  State& s = *state_;
  s.image_bytes = static_cast<std::size_t>(dataset.height) * dataset.width * dataset.channels;
  const auto count = static_cast<std::size_t>(split.count);
  const auto label_width = static_cast<std::size_t>(dataset.label_width());
  require(split.images.size() == count * s.image_bytes && split.labels.size() == count * label_width,
          "loader: ", split.images.size(), " image bytes and ", split.labels.size(), " labels for ", split.count,
          " images of ", dataset.height, "x", dataset.width, "x", dataset.channels);
  s.batch_size = std::min(options.batch, split.count);
  s.batches = options.shuffle ? split.count / s.batch_size : (split.count - 1) / s.batch_size + 1;
  s.order.resize(count);
  std::iota(s.order.begin(), s.order.end(), 0);
  // One slot more than are kept ready: the caller holds one.
  s.slots.resize(static_cast<std::size_t>(options.prefetch) + 1);
  for (Batch& batch : s.slots) {
    const auto size = static_cast<std::size_t>(s.batch_size);
    batch.size = s.batch_size;
    batch.images.resize(size * s.image_bytes);
    batch.labels.resize(size * label_width);
    batch.index.resize(size);
  }
  s.complete.assign(s.slots.size(), 0);
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
  if (s.options.shuffle) s.order = permutation(s.split.count, RandomStream(s.options.seed, epoch));
  std::fill(s.complete.begin(), s.complete.end(), 0);
  s.claimed = s.released = s.returned = 0;
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
    s.complete[slot_of(s.released)] = 0;
    ++s.released;
    s.room.notify_one();
  }
  if (s.returned == s.batches) return nullptr;
  const std::size_t slot = slot_of(s.returned);
  s.ready.wait(lock, [&] { return s.complete[slot] != 0; });
  ++s.returned;
  return &s.slots[slot];
}

}  // namespace preceptor
