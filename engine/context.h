// Everything one training or evaluation run owns on a device: stream, memory pools, tape, step state.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "engine/files/check.h"
#include "engine/tape.h"
#include "engine/tensor.h"
#include "kernels/device/device.h"
#include "kernels/device/memory.h"
#include "kernels/optimizer/optimizer.h"

namespace preceptor {

enum class Lifetime {
  persistent,  // parameters, gradients, optimizer state, statistics, staging buffers
  step,        // made within a step, gone at its end
};

class Context {
 public:
  // threads: OpenMP threads on the cpu, 0 for all. seed: of everything random on the device. Errors: usage, for
  // Precision::bfloat16 and tf32 on the cpu, whose kernels compute with floats only.
  static std::unique_ptr<Context> on_cpu(int threads, std::uint64_t seed);
  // memory: bytes of the device, 0 for as many as is useful (kernels::Reservation).
  Context(kernels::Device device, std::uint64_t seed, Precision precision = Precision::float32, std::size_t memory = 0);
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  kernels::Stream& stream() { return stream_; }
  const kernels::Device& device() const { return stream_.device(); }
  kernels::Pool& pool(Lifetime lifetime) { return lifetime == Lifetime::step ? *step_now_ : persistent_; }
  Tape& tape() { return tape_; }

  // How feature maps are stored, and the weights of convolutions where they meet maps. Everything else is float32.
  Storage map_storage() const { return precision_ == Precision::bfloat16 ? Storage::bfloat16 : Storage::float32; }

  // Whether convolutions of floats multiply them as tf32.
  bool multiplies_tf32() const { return precision_ == Precision::tf32; }

  // Whether a convolution takes a batch norm before it, and the statistics of one behind it, along as it reads and
  // stores.
  bool fuses_batch_norms() const;

  // An uninitialized tensor. Rank 4 is a feature map: it gets the device's channel block and map_storage().
  Tensor empty(const Shape& shape, Lifetime lifetime = Lifetime::step);
  Tensor empty(const Shape& shape, Storage storage, Lifetime lifetime = Lifetime::step);
  Tensor zeros(const Shape& shape, Lifetime lifetime = Lifetime::step);  // float32
  // Raw memory of the step pool for a kernel's workspace or index array.
  std::shared_ptr<Buffer> scratch(std::size_t bytes);

  // The result of `body`, whose launches may run beside those that follow, until join_branch(). What it makes in the
  // step pool lies apart, in memory whose size is measured the first time: such a body makes the same calls every time,
  // and is then called twice.
  template <class Body>
  auto in_branch(const Body& body) {
    const Branch branch(*this, [&] { body(); });
    return body();
  }
  void join_branch() { stream_.join_branch(); }

  // Bytes of the step pool that `body` takes, which is called without launching anything; it holds nothing at its end.
  std::size_t measure_step(const std::function<void()>& body);

  // Of tensors of a step, those of a branch too: how many there are; see Pool::expose().
  std::size_t live_in_step() const { return step_.live() + (branch_ ? branch_->live() : 0); }
  void expose_step();

  // Learning rate, step count and seed in device memory; kernels read them, so a recorded step can be replayed.
  kernels::StepState* step_state() { return step_state_; }
  kernels::StepState read_step_state();
  void write_step_state(const kernels::StepState& state);
  void set_learning_rate(float learning_rate);
  void advance_step() { run(kernels::AdvanceStep{step_state_}); }  // the last launch of a step

  // Adds one launch.
  template <class Arguments>
  void run(const Arguments& arguments) {
    kernels::run(arguments, stream_);
  }
  // The same for a kernel that has a workspace.
  template <class Arguments>
  void run_with_workspace(Arguments arguments);

  // The same with the arguments that `make` returns for a storage type; it is called with a value of that type:
  //   run(x.storage(), [&]<class T>(T) { return kernels::ReluForward<T>{x.map<T>(), y.map<T>()}; });
  template <class Make>
  void run(Storage storage, const Make& make) {
    with_type(storage, [&](auto type) { run(make(type)); });
  }
  template <class Make>
  void run_with_workspace(Storage storage, const Make& make) {
    with_type(storage, [&](auto type) { run_with_workspace(make(type)); });
  }

 private:
  // As long as it lives, launches and tensors of a step belong to the branch.
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

  Precision precision_;
  kernels::Stream stream_;
  std::shared_ptr<kernels::Reservation> reservation_;
  kernels::Pool persistent_, step_;
  std::optional<kernels::Pool> branch_;
  void* branch_memory_ = nullptr;
  kernels::Pool* step_now_ = &step_;  // or that of the branch, or of a measurement
  bool measuring_ = false;
  Tape tape_;
  kernels::StepState* step_state_;
};

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
void Context::run_with_workspace(Arguments arguments) {
  const std::size_t bytes = workspace_bytes(arguments, device());
  const std::shared_ptr<Buffer> workspace = bytes ? scratch(bytes) : nullptr;
  arguments.workspace = workspace ? workspace->data() : nullptr;
  run(arguments);
}

}  // namespace preceptor
