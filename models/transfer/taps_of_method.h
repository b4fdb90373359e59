// Which maps of two networks a feature method compares, and how maps of different sizes meet.
#pragma once

#include <utility>
#include <vector>

#include "models/transfer/method.h"

namespace preceptor {

// The keys tap (of both networks) and teacher_tap (of the teacher, where its names differ).
std::vector<MethodKey> tap_keys(const std::string& tap);

struct TapPair {
  Tap student, teacher;
};
// The pairs that the settings name. "stages": the ends of all stages, paired from the last to the first, as many as
// both networks have; "last": the last of these; else the names, one by one. before_relu: stages as they are before
// their last ReLU. Errors: usage, naming the taps that there are.
std::vector<TapPair> pair_taps(const MethodSetup& setup, const MethodSettings& settings, bool before_relu = false);

// The rule for maps of different height and width: the larger one is averaged over whole windows to the size of the
// smaller, so its sides must be the same multiple of the other's. size_after says the size for a pair. Errors: usage.
std::pair<int, int> size_after(const MethodSettings& settings, const TapPair& pair);
std::pair<Tensor, Tensor> at_one_size(const Tensor& student, const Tensor& teacher);

}  // namespace preceptor
