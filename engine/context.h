// Everything one training or evaluation run owns on a device: stream, memory pools, tape, step state.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/files/check.h"
#include "engine/tape.h"
#include "engine/tensor.h"
#include "kernels/device/device.h"
#include "kernels/device/memory.h"
#include "kernels/device/step_state.h"
#include "kernels/device/tuning.h"

namespace preceptor {

using kernels::tuning;  // which implementation was chosen for which shape, kept with a run

enum class Lifetime {
  persistent,  // parameters, gradients, optimizer state, statistics, staging buffers
  step,        // made within a step, gone at its end
};

class Context {
 public:
  // threads: OpenMP threads on the cpu, 0 for all. seed: for everything random on the device. Errors: usage, for
  // Precision::bfloat16 and tf32 on the cpu, whose kernels compute only with floats.
  static std::unique_ptr<Context> on_cpu(int threads, std::uint64_t seed);
  // memory: bytes of device memory, 0 for as much as is useful (kernels::Reservation).
  Context(kernels::Device device, std::uint64_t seed, Precision precision = Precision::float32, std::size_t memory = 0);
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  kernels::Stream& stream() { return stream_; }
  const kernels::Device& device() const { return stream_.device(); }
  std::string device_name() const;  // "cpu", "cuda" or "emulated"
  std::string card_name() const;    // product name of a cuda device's card; empty for others
  kernels::Pool& pool(Lifetime lifetime) { return lifetime == Lifetime::step ? *step_now_ : persistent_; }
  Tape& tape() { return tape_; }

  // Storage of feature maps and of the convolution weights that meet them. Everything else is float32.
  Storage map_storage() const { return precision_ == Precision::bfloat16 ? Storage::bfloat16 : Storage::float32; }

  // True if convolutions of floats multiply in tf32.
  bool multiplies_tf32() const { return precision_ == Precision::tf32; }

  // True if a convolution can apply the batch norm before it as it reads, and compute the statistics for the one after
  // it as it stores.
  bool fuses_batch_norms() const;

  // An uninitialized tensor. Rank 4 is a feature map: it gets the device's channel block and map_storage().
  Tensor empty(const Shape& shape, Lifetime lifetime = Lifetime::step);
  Tensor empty(const Shape& shape, Storage storage, Lifetime lifetime = Lifetime::step);
  Tensor zeros(const Shape& shape, Lifetime lifetime = Lifetime::step);  // float32
  // Raw memory of the step pool for a kernel's workspace or index array.
  std::shared_ptr<Buffer> scratch(std::size_t bytes);

  // Returns the result of `body`, whose launches may run concurrently with those that follow, until join_branch(). Its
  // step memory is a pool of its own, whose size is measured the first time: `body` must make the same calls every
  // time, and is called twice then.
  template <class Body>
  auto in_branch(const Body& body) {
    const Branch branch(*this, [&] { body(); });
    return body();
  }
  void join_branch() { stream_.join_branch(); }

  // Peak bytes of step memory of `body`, which is called without launching anything and must leave no tensor behind.
  std::size_t measure_step(const std::function<void()>& body);

  // Number of live tensors of the step, the branch included; see Pool::expose().
  std::size_t live_in_step() const { return step_.live() + (branch_ ? branch_->live() : 0); }
  void expose_step();

  // Learning rate, step count and seed in device memory; kernels read them, so a recorded step can be replayed.
  kernels::StepState* step_state() { return step_state_; }
  kernels::StepState read_step_state();
  void write_step_state(const kernels::StepState& state);
  void set_learning_rate(float learning_rate);
  void advance_step();  // the last launch of a step

  // Copies bytes within the device or between it and the host: one launch. The second form also waits for it.
  void copy(void* to, const void* from, std::size_t bytes) { run(kernels::Copy{to, from, bytes}); }
  void copy_and_wait(void* to, const void* from, std::size_t bytes);

  // Adds one launch; a kernel that needs a workspace gets it from the step pool.
  template <class Arguments>
  void run(const Arguments& arguments) {
    stream_.submit(ready(arguments).arguments);
  }
  // The same with the arguments that `make` returns for a storage type, given as a value of that type:
  //   run(x.storage(), [&]<class T>(T) { return kernels::ReluForward<T>{x.map<T>(), y.map<T>()}; });
  // The only switch over storage types.
  template <class Make>
  void run(Storage storage, const Make& make) {
    if (storage == Storage::bfloat16)
      stream_.submit(ready(make(kernels::bfloat16())).arguments);
    else
      stream_.submit(ready(make(float())).arguments);
  }

 private:
  // While one is alive, launches and step tensors belong to the branch.
  class Branch {
   public:
    Branch(Context& context, const std::function<void()>& measured);
    ~Branch();
    Branch(const Branch&) = delete;
    Branch& operator=(const Branch&) = delete;

   private:
    Context& context_;
    kernels::Pool* before_;
  };

  // Arguments and their workspace.
  template <class Arguments>
  struct Ready {
    Arguments arguments;
    std::shared_ptr<Buffer> workspace;
  };
  template <class Arguments>
  Ready<Arguments> ready(const Arguments& arguments);

  Precision precision_;
  kernels::Stream stream_;
  std::shared_ptr<kernels::Reservation> reservation_;
  kernels::Pool persistent_, step_;
  std::optional<kernels::Pool> branch_;
  void* branch_memory_ = nullptr;
  kernels::Pool* step_now_ = &step_;  // or the branch's, or a measurement's
  bool measuring_ = false;
  Tape tape_;
  kernels::StepState* step_state_;
};

// A context on the device of this name, with `threads` where it has them (0: all). Errors: usage, for an unknown or
// unusable device, and as the constructor.
std::unique_ptr<Context> open_context(const std::string& device, int threads, std::uint64_t seed,
                                      Precision precision = Precision::float32);
// Errors: usage, with the reason why no CUDA device can be used.
void require_cuda();
// Threads that a device of this name uses by default.
int default_threads(const std::string& device);

class Buffer {
 public:
  Buffer(kernels::Pool& pool, std::size_t bytes) : pool_(pool), data_(pool.allocate(bytes)) {}
  ~Buffer() { pool_.release(data_); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  void* data() const { return data_; }

 private:
  kernels::Pool& pool_;
  void* data_;
};

template <class Arguments>
Context::Ready<Arguments> Context::ready(const Arguments& arguments) {
  Ready<Arguments> ready{arguments, nullptr};
  if constexpr (requires { workspace_bytes(arguments, device()); }) {
    const std::size_t bytes = workspace_bytes(arguments, device());
    if (bytes > 0) ready.workspace = scratch(bytes);
    ready.arguments.workspace = bytes > 0 ? ready.workspace->data() : nullptr;
  }
  return ready;
}

}  // namespace preceptor
