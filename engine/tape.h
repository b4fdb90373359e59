// The tape: the recorded ops in order, and the backward pass over them.
#pragma once

#include <functional>
#include <utility>
#include <vector>

#include "engine/tensor.h"

namespace preceptor {

// Restores a variable at the end of the scope.
template <class T>
class Restored {
 public:
  Restored(T& variable, T during) : variable_(variable), before_(std::exchange(variable, during)) {}
  ~Restored() { variable_ = before_; }
  Restored(const Restored&) = delete;
  Restored& operator=(const Restored&) = delete;

 private:
  T& variable_;
  T before_;
};

// Linear list of recorded ops. Every op with a watched input appends one node; backward() visits them from the last to
// the first and then forgets them. A tensor is watched when its slot is not negative.
class Tape {
 public:
  // Receives the derivative of the total loss by the op's output; loss ops receive an undefined tensor.
  using Backward = std::function<void(const Tensor& d_output)>;

  // An op with this input has to record itself.
  bool requires_grad(const Tensor& input) const { return !paused_ && input.slot() >= 0; }
  bool recording() const { return !paused_; }

  // Appends a node and gives `output` its slot.
  void record(Tensor& output, Backward backward);

  // The same for an op of one input, if that requires a gradient: `backward` computes the derivative by the input, for
  // which there is memory already. The input's values are not kept.
  void record(Tensor& output, const Tensor& input,
              std::function<void(const Tensor& d_output, const Tensor& d_input)> backward);

  // Appends a loss: it needs no upstream derivative, because the total loss is the plain sum of all recorded losses
  // (weights are arguments of the loss ops).
  void record_loss(Backward backward);
  // The same for a loss whose derivative by `input` is known already, if that requires a gradient.
  void record_loss(const Tensor& input, const Tensor& d_input);

  // Starts watching a tensor that no op made (an input whose derivative is wanted); see gradient().
  void watch(Tensor& tensor);

  // Adds a contribution to the derivative by `input`; ignored when input is not watched. The first contribution is
  // kept without a copy and may share its memory with other tensors: it is written to only if it is the sole owner.
  void accumulate(const Tensor& input, Tensor contribution);

  // Takes the derivative by `input` accumulated so far, for an op that adds its contribution in the same kernel and
  // passes the sum to accumulate(); undefined if there is none yet.
  Tensor take(const Tensor& input);

  // Runs the backward pass, then forgets all ops. Gradients of watched inputs stay readable until clear().
  void backward();

  // Runs the backward pass only from the losses recorded while size() went from `first` to `last`, without their
  // factors, and forgets nothing. Afterwards parameters that depend on them hold the gradient, all others are
  // unchanged. A later backward() gives the same bits as without this call. Since all values are kept until then, the
  // step needs the memory of one more gradient.
  void backward_only(std::size_t first, std::size_t last);

  // The derivative by a tensor given to watch(), after backward(); undefined if the loss does not depend on it.
  Tensor gradient(const Tensor& watched) const;

  // Forgets everything, for example after a forward pass whose gradient is not wanted.
  void clear() { nodes_.clear(); }

  std::size_t size() const { return nodes_.size(); }

  // Nothing is recorded while one of these is alive: evaluation.
  struct Pause : Restored<bool> {
    explicit Pause(Tape& tape) : Restored(tape.paused_, true) {}
  };

  // Weight of the loss whose backward pass is running, for gradients that do not go through accumulate(): those of
  // parameters. nullptr: 1.
  const float* factor() const { return factor_; }

  // Losses recorded while one of these is alive weigh `factor` times as much in the gradient. The factor is a float in
  // device memory, read at every backward(): it may change between replays of a recorded step. nullptr: 1.
  struct Scaled : Restored<const float*> {
    Scaled(Tape& tape, const float* factor) : Restored(tape.factor_, factor) {}
  };

 private:
  struct Node {
    Backward backward;  // empty for watched inputs
    Tensor gradient;
    bool is_loss = false;
    const float* factor = nullptr;  // of a loss
  };
  std::vector<Node> nodes_;
  bool paused_ = false;
  const float* factor_ = nullptr;
};

}  // namespace preceptor
