// Construction of contexts and tensors.
#include "engine/context.h"

#include "kernels/elementwise/elementwise.h"

namespace preceptor {
namespace {

Precision checked(Precision precision, const kernels::Device& device) {
  require(precision != Precision::tf32,
          "--precision tf32: no kernel of this build uses it, float products are computed as float");
  require(precision != Precision::bfloat16 || device.kind != kernels::DeviceKind::cpu,
          "--precision bf16 is for cuda and emulated: the cpu computes with floats only");
  return precision;
}

}  // namespace

std::unique_ptr<Context> Context::on_cpu(int threads, std::uint64_t seed) {
  return std::make_unique<Context>(kernels::cpu_device(threads), seed);
}

Context::Context(kernels::Device device, std::uint64_t seed, Precision precision)
    : precision_(checked(precision, device)),
      stream_(device),
      persistent_(device, "persistent"),
      step_(device, "step"),
      step_state_(static_cast<kernels::StepState*>(persistent_.allocate(sizeof(kernels::StepState)))) {
  write_step_state({0.0f, 0, seed});
}

Context::~Context() {
  tape_.clear();
  persistent_.release(step_state_);
}

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

kernels::StepState Context::read_step_state() {
  kernels::StepState state;
  run(kernels::Copy{&state, step_state_, sizeof state});
  stream_.synchronize();
  return state;
}

void Context::write_step_state(const kernels::StepState& state) {
  run(kernels::Copy{step_state_, &state, sizeof state});
  stream_.synchronize();
}

void Context::set_learning_rate(float learning_rate) {
  run(kernels::Copy{&step_state_->learning_rate, &learning_rate, sizeof learning_rate});
  stream_.synchronize();
}

}  // namespace preceptor
