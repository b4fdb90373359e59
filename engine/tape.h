// The tape: what was computed, in order, and how to walk it back.
#pragma once

#include <functional>
#include <vector>

#include "engine/tensor.h"

namespace preceptor {

// Linear list of recorded ops. Every op with a watched input appends one node; backward() visits them from the last to
// the first and then forgets them. A tensor is watched when its slot is not negative.
class Tape {
 public:
  // Receives the derivative of the total loss by the op's output; loss ops receive an undefined tensor.
  using Backward = std::function<void(const Tensor& d_output)>;

  // Whether an op with this input has to record itself.
  bool watches(const Tensor& input) const { return !paused_ && input.slot() >= 0; }
  bool recording() const { return !paused_; }

  // Appends a node and gives `output` its slot.
  void record(Tensor& output, Backward backward);

  // Appends a loss: it needs no upstream derivative, because the total loss is the plain sum of all recorded losses
  // (weights are arguments of the loss ops).
  void record_loss(Backward backward);

  // Starts watching a tensor that no op made (an input whose derivative is wanted); see gradient().
  void watch(Tensor& tensor);

  // Adds a contribution to the derivative by `input`; ignored when input is not watched. The first contribution is
  // kept without a copy; sharing its memory with other tensors is fine, it is written to only when nobody else has it.
  void accumulate(const Tensor& input, Tensor contribution);

  // What accumulate() has added up by `input` so far, for an op that adds its own share as it computes it and then
  // gives the sum to accumulate(); undefined where there is nothing yet.
  Tensor take(const Tensor& input);

  // Walks back, then forgets all ops. Gradients of watched inputs stay readable until clear().
  void backward();

  // Walks back from those losses alone that were recorded while size() went from `first` to `last`, each as if no
  // factor scaled it, and forgets nothing. Parameters that depend on them have their gradient then, all others keep
  // what they had. backward() may follow, and gives the same bits as without: everything is kept until then, so the
  // step takes the memory of a gradient more.
  void backward_only(std::size_t first, std::size_t last);

  // The derivative by a tensor given to watch(), after backward(); undefined if the loss does not depend on it.
  Tensor gradient(const Tensor& watched) const;

  // Forgets everything, for example after a forward pass whose gradient is not wanted.
  void clear() { nodes_.clear(); }

  std::size_t size() const { return nodes_.size(); }

  // Nothing is recorded while one of these is alive: evaluation.
  class Pause {
   public:
    explicit Pause(Tape& tape) : tape_(tape), before_(tape.paused_) { tape.paused_ = true; }
    ~Pause() { tape_.paused_ = before_; }
    Pause(const Pause&) = delete;
    Pause& operator=(const Pause&) = delete;

   private:
    Tape& tape_;
    bool before_;
  };

  // What a loss whose backward pass runs weighs in the gradient, for gradients that do not go through accumulate():
  // those of parameters. nullptr: 1.
  const float* factor() const { return factor_; }

  // Losses recorded while one of these is alive weigh `factor` times as much in the gradient. The factor is a float in
  // device memory, read at every backward(): it may change between replays of a recorded step. nullptr: 1.
  class Scaled {
   public:
    Scaled(Tape& tape, const float* factor) : tape_(tape), before_(tape.factor_) { tape.factor_ = factor; }
    ~Scaled() { tape_.factor_ = before_; }
    Scaled(const Scaled&) = delete;
    Scaled& operator=(const Scaled&) = delete;

   private:
    Tape& tape_;
    const float* before_;
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
  const float* factor_ =
      nullptr;  // of losses that are being recorded or, in backward(), of the one whose backward pass runs
};

}  // namespace preceptor
