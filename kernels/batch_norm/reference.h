// The batch norm family as plain loops over plain-order arrays: the specification that every device is tested against.
#pragma once

#include <cmath>
#include <vector>

namespace preceptor::kernels::reference {

// Arrays are [images, channels, plane], vectors of statistics and parameters [channels].
struct BatchNormSizes {
  int images, channels, plane;

  std::size_t elements() const { return static_cast<std::size_t>(images) * channels * plane; }
  double values_per_channel() const { return static_cast<double>(images) * plane; }
};

// Calls visit(channel, position in an array) for every element.
template <class Visit>
void for_each_element(const BatchNormSizes& s, const Visit& visit) {
  std::size_t at = 0;
  for (int image = 0; image < s.images; ++image)
    for (int channel = 0; channel < s.channels; ++channel)
      for (int i = 0; i < s.plane; ++i) visit(static_cast<std::size_t>(channel), at++);
}

template <class T>
struct BatchStatistics {
  std::vector<T> mean, variance;  // biased: divided by the number of values
};

template <class T>
BatchStatistics<T> batch_statistics(const BatchNormSizes& s, const std::vector<T>& x) {
  const T count = static_cast<T>(s.values_per_channel());
  BatchStatistics<T> result{std::vector<T>(s.channels, T(0)), std::vector<T>(s.channels, T(0))};
  for_each_element(s, [&](std::size_t channel, std::size_t at) { result.mean[channel] += x[at] / count; });
  for_each_element(s, [&](std::size_t channel, std::size_t at) {
    const T difference = x[at] - result.mean[channel];
    result.variance[channel] += difference * difference / count;
  });
  return result;
}

// y = relu?(gamma (x - mean) / sqrt(variance + epsilon) + beta + residual?); no residual: an empty vector.
template <class T>
std::vector<T> batch_norm_apply(const BatchNormSizes& s, const std::vector<T>& x, const std::vector<T>& residual,
                                const std::vector<T>& gamma, const std::vector<T>& beta,
                                const BatchStatistics<T>& statistics, T epsilon, bool relu) {
  std::vector<T> y(s.elements());
  for_each_element(s, [&](std::size_t channel, std::size_t at) {
    const T deviation = std::sqrt(statistics.variance[channel] + epsilon);
    T value = gamma[channel] * (x[at] - statistics.mean[channel]) / deviation + beta[channel];
    if (!residual.empty()) value += residual[at];
    y[at] = relu && value < 0 ? T(0) : value;
  });
  return y;
}

template <class T>
struct BatchNormGradients {
  std::vector<T> d_x, d_residual, d_gamma, d_beta;
};

// y: output of a forward pass with ReLU; empty without. fixed: the statistics do not depend on x.
template <class T>
BatchNormGradients<T> batch_norm_backward(const BatchNormSizes& s, const std::vector<T>& x, const std::vector<T>& y,
                                          const std::vector<T>& d_y, const std::vector<T>& gamma,
                                          const std::vector<T>& mean, const std::vector<T>& rstd, bool fixed) {
  BatchNormGradients<T> result{std::vector<T>(s.elements()), std::vector<T>(s.elements()),
                               std::vector<T>(s.channels, T(0)), std::vector<T>(s.channels, T(0))};
  const auto normalized = [&](std::size_t channel, std::size_t at) { return (x[at] - mean[channel]) * rstd[channel]; };
  for_each_element(s, [&](std::size_t channel, std::size_t at) {
    const T gradient = y.empty() || y[at] > 0 ? d_y[at] : T(0);
    result.d_residual[at] = gradient;
    result.d_beta[channel] += gradient;
    result.d_gamma[channel] += gradient * normalized(channel, at);
  });
  const T count = static_cast<T>(s.values_per_channel());
  for_each_element(s, [&](std::size_t channel, std::size_t at) {
    T gradient = result.d_residual[at];
    // Moving x moves the mean and the variance too; what that does to all outputs is taken off again.
    if (!fixed) gradient -= (result.d_beta[channel] + normalized(channel, at) * result.d_gamma[channel]) / count;
    result.d_x[at] = gamma[channel] * rstd[channel] * gradient;
  });
  return result;
}

// running = (1 - momentum) running + momentum batch, the variance unbiased.
template <class T>
void move_running_statistics(const BatchNormSizes& s, const BatchStatistics<T>& batch, T momentum,
                             BatchStatistics<T>& running) {
  const T count = static_cast<T>(s.values_per_channel());
  for (int c = 0; c < s.channels; ++c) {
    const T unbiased = count > 1 ? batch.variance[c] * count / (count - 1) : batch.variance[c];
    running.mean[c] = (1 - momentum) * running.mean[c] + momentum * batch.mean[c];
    running.variance[c] = (1 - momentum) * running.variance[c] + momentum * unbiased;
  }
}

}  // namespace preceptor::kernels::reference
