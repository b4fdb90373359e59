// Recording and the backward pass.
#include "engine/tape.h"

#include <utility>

#include "engine/context.h"
#include "kernels/elementwise/elementwise.h"

namespace preceptor {

void Tape::record(Tensor& output, Backward backward) {
  output.set_slot(static_cast<int>(nodes_.size()));
  nodes_.push_back({std::move(backward), Tensor()});
}

void Tape::record_loss(Backward backward) { nodes_.push_back({std::move(backward), Tensor(), true, factor_}); }

void Tape::watch(Tensor& tensor) { record(tensor, nullptr); }

void Tape::accumulate(const Tensor& input, Tensor contribution) {
  if (input.slot() < 0) return;
  if (factor_ != nullptr)
    input.context().run(input.storage(), [&]<class T>(T) {
      return kernels::ScaleBy<T>{contribution.data<T>(), factor_,
                                 static_cast<std::int64_t>(contribution.shape().elements())};
    });
  Tensor& gradient = nodes_[static_cast<std::size_t>(input.slot())].gradient;
  if (!gradient.defined()) {
    gradient = std::move(contribution);
    return;
  }
  Context& context = input.context();
  Tensor sum = gradient.owns_alone()       ? gradient
               : contribution.owns_alone() ? contribution
                                           : context.empty(input.shape(), input.storage());
  context.run(input.storage(), [&]<class T>(T) {
    return kernels::Add<T>{gradient.map<T>(), contribution.map<T>(), sum.map<T>()};
  });
  gradient = std::move(sum);
}

Tensor Tape::take(const Tensor& input) {
  if (input.slot() < 0 || factor_ != nullptr) return Tensor();
  return std::exchange(nodes_[static_cast<std::size_t>(input.slot())].gradient, Tensor());
}

void Tape::backward() {
  for (std::size_t i = nodes_.size(); i-- > 0;) {
    if (!nodes_[i].backward) continue;
    // Moved out, so that what the op kept is released as soon as its gradient is done.
    const Backward step = std::move(nodes_[i].backward);
    const Tensor d_output = std::move(nodes_[i].gradient);
    nodes_[i].backward = nullptr;
    if (!nodes_[i].is_loss && !d_output.defined()) continue;
    const Scaled scaled(*this, nodes_[i].factor);
    step(d_output);
  }
  while (!nodes_.empty() && !nodes_.back().gradient.defined()) nodes_.pop_back();
}

void Tape::backward_only(std::size_t first, std::size_t last) {
  const Scaled unscaled(*this, nullptr);
  for (std::size_t i = nodes_.size(); i-- > 0;) {
    const Tensor d_output = std::move(nodes_[i].gradient);
    nodes_[i].gradient = Tensor();
    if (!nodes_[i].backward) continue;
    // What an op kept is its own still, so nothing of it is written to, and the walk can be repeated.
    if (nodes_[i].is_loss ? first <= i && i < last : d_output.defined()) nodes_[i].backward(d_output);
  }
}

Tensor Tape::gradient(const Tensor& watched) const {
  const auto slot = static_cast<std::size_t>(watched.slot());
  return watched.slot() >= 0 && slot < nodes_.size() ? nodes_[slot].gradient : Tensor();
}

}  // namespace preceptor
