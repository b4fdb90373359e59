// Construction of contexts and tensors.
#include "engine/context.h"

#include "kernels/convolution/convolution.h"
#include "kernels/device/card.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/optimizer/optimizer.h"

namespace preceptor {
namespace {

Precision checked(Precision precision, const kernels::Device& device) {
  require(precision == Precision::float32 || device.kind != kernels::DeviceKind::cpu, "--precision ",
          precision == Precision::tf32 ? "tf32" : "bf16",
          " is for cuda and emulated: the cpu computes with floats only");
  return precision;
}

}  // namespace

std::unique_ptr<Context> Context::on_cpu(int threads, std::uint64_t seed) {
  return std::make_unique<Context>(kernels::cpu_device(threads), seed);
}

Context::Context(kernels::Device device, std::uint64_t seed, Precision precision, std::size_t memory)
    : precision_(checked(precision, device)),
      stream_(device),
      reservation_(std::make_shared<kernels::Reservation>(device, "of a context", memory)),
      persistent_(reservation_, "persistent", kernels::Side::beginning),
      step_(reservation_, "step", kernels::Side::end),
      step_state_(static_cast<kernels::StepState*>(persistent_.allocate(sizeof(kernels::StepState)))) {
  write_step_state({0.0f, 0, seed});
}

Context::~Context() {
  tape_.clear();
  branch_.reset();
  if (branch_memory_) persistent_.release(branch_memory_);
  persistent_.release(step_state_);
}

std::string Context::device_name() const { return kernels::to_string(device().kind); }

std::string Context::card_name() const { return kernels::card_name(device()); }

bool Context::fuses_batch_norms() const { return kernels::fuses_batch_norms(device()); }

Tensor Context::empty(const Shape& shape, Lifetime lifetime) {
  return empty(shape, shape.rank() == 4 ? map_storage() : Storage::float32, lifetime);
}

Tensor Context::empty(const Shape& shape, Storage storage, Lifetime lifetime) {
  const int block = shape.rank() == 4 ? device().channel_block(shape[1]) : 1;
  return Tensor(*this, shape, storage, std::make_shared<Buffer>(pool(lifetime), shape.elements() * bytes_of(storage)),
                block);
}

Tensor Context::zeros(const Shape& shape, Lifetime lifetime) {
  Tensor tensor = empty(shape, Storage::float32, lifetime);
  run(kernels::Fill{tensor.data(), 0.0f, static_cast<std::int64_t>(shape.elements())});
  return tensor;
}

std::shared_ptr<Buffer> Context::scratch(std::size_t bytes) { return std::make_shared<Buffer>(step_, bytes); }

std::size_t Context::measure_step(const std::function<void()>& body) {
  // Only address space: nothing in it is touched.
  kernels::Pool measured(kernels::Device{}, "measured");
  const Restored pool(step_now_, &measured);
  const Restored measuring(measuring_, true);
  stream_.without_launching(body);
  return measured.extent();
}

Context::Branch::Branch(Context& context, const std::function<void()>& measured)
    : context_(context), before_(context.step_now_) {
  if (context.measuring_) return;
  if (!context.branch_) {
    const std::size_t bytes = context.measure_step(measured);
    context.branch_memory_ = context.persistent_.allocate(bytes);
    context.branch_.emplace(std::make_shared<kernels::Reservation>(context.device(), context.branch_memory_, bytes),
                            "branch", kernels::Side::beginning);
  }
  context.stream_.begin_branch();
  context.step_now_ = &*context.branch_;
}

Context::Branch::~Branch() {
  context_.step_now_ = before_;
  context_.stream_.end_branch();
}

void Context::expose_step() {
  step_.expose();
  if (branch_) branch_->expose();
}

kernels::StepState Context::read_step_state() {
  kernels::StepState state;
  copy_and_wait(&state, step_state_, sizeof state);
  return state;
}

void Context::write_step_state(const kernels::StepState& state) { copy_and_wait(step_state_, &state, sizeof state); }

void Context::set_learning_rate(float learning_rate) {
  copy_and_wait(&step_state_->learning_rate, &learning_rate, sizeof learning_rate);
}

void Context::advance_step() { run(kernels::AdvanceStep{step_state_}); }

void Context::copy_and_wait(void* to, const void* from, std::size_t bytes) {
  copy(to, from, bytes);
  stream_.synchronize();
}

std::unique_ptr<Context> open_context(const std::string& device, int threads, std::uint64_t seed, Precision precision) {
  return std::make_unique<Context>(kernels::open_device(device, threads), seed, precision);
}

void require_cuda() { kernels::cuda_device(); }

int default_threads(const std::string& device) { return kernels::open_device(device, 0).threads; }

}  // namespace preceptor
