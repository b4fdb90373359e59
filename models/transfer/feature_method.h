// Methods that compare maps of two networks: which ones, and how maps of different sizes and channels meet.
#pragma once

#include <utility>
#include <vector>

#include "models/transfer/method.h"

namespace preceptor {

// `keys`, and tap (of both networks) and teacher_tap (of the teacher, where its names differ).
std::vector<MethodKey> with_taps(const std::string& tap, std::vector<MethodKey> keys);

struct TapPair {
  Tap student, teacher;
};

class FeatureMethod : public TransferMethod {
 public:
  struct PairRule {
    bool before_relu = false;  // stages as they are before their last ReLU
    bool one_size = false;     // the maps of a pair meet at one size
  };

  // Reads the pairs that the settings name. "stages": the ends of all stages, paired from the last to the first, as
  // many as both networks have; "middle", "last": that one of them; else the names, one by one. Errors: usage, naming
  // the taps that there are, or as require_one_size().
  FeatureMethod(const MethodSetup& setup, const MethodSettings& settings, PairRule rule);
  FeatureMethod(const MethodSetup& setup, const MethodSettings& settings) : FeatureMethod(setup, settings, {}) {}

  // The terms of all pairs in turn.
  std::vector<Tensor> losses(const TransferInput& in) override;

 protected:
  // One more pair, after those of the settings.
  void add_pair(const Tap& student, const Tap& teacher);

  // The terms of one pair, for methods that do not override losses().
  virtual std::vector<Tensor> pair_losses(std::size_t, const Tensor& /*student*/, const Tensor& /*teacher*/) {
    return {};
  }

  const Tensor& student_map(const TransferInput& in, std::size_t pair) const {
    return in.student.taps.at(student_taps_[pair]);
  }
  const Tensor& teacher_map(const TransferInput& in, std::size_t pair) const {
    return in.teacher.taps.at(teacher_taps_[pair]);
  }

  std::vector<TapPair> pairs_;

 private:
  PairRule rule_;
};

// The rule for maps of different height and width: the larger one is averaged over whole windows to the size of the
// smaller, so its sides must be the same multiple of the other's. Errors of the first: usage, before a step is made.
void require_one_size(const MethodSettings& settings, const Tap& first, const Tap& second);
std::pair<Tensor, Tensor> at_one_size(const Tensor& first, const Tensor& second);

// weight times the mean of the squares of student - teacher, which has its shape or is undefined: zeros.
Tensor mean_square(const Tensor& student, const Tensor& teacher, float weight);

// Layers that project a student's maps to a teacher's channels; trained with the student, discarded with the method.
// Their convolutions are direct: through the three layers of a factor transfer Winograd rounds gradients to 2e-6 of the
// largest, these to 6e-7.

// A 1x1 convolution without a bias, started as Regressor. Adds `name`.weight.
Parameter make_projection(Parameters& parameters, const std::string& name, int in, int out, std::uint64_t seed);

// A convolution with a bias that keeps the size, started uniformly in +-1 / sqrt(fan in) as torch's Conv2d.
struct Regressor {
  Parameter weight, bias;

  // Adds `name`.weight and `name`.bias. kernel: odd.
  Regressor(Parameters& parameters, const std::string& name, int in, int out, std::uint64_t seed, int kernel = 1);
  Tensor operator()(const Tensor& x) const {
    return convolution(x, weight, &bias, {.padding = weight.shape()[2] / 2, .direct = true});
  }
};

// A convolution without a bias that keeps the size, started as Regressor, followed by a batch norm.
ConvolutionBatchNorm make_connector(Parameters& parameters, const std::string& name, int in, int out,
                                    std::uint64_t seed, int kernel = 1);

// A linear layer, started as Regressor, whose rows are scaled to unit length.
struct Embedding {
  Parameter weight, bias;

  // Adds `name`.weight and `name`.bias.
  Embedding(Parameters& parameters, const std::string& name, int in, int out, std::uint64_t seed);
  Tensor operator()(const Tensor& x) const { return l2_normalize_rows(linear(x, weight, bias)); }
};

}  // namespace preceptor
