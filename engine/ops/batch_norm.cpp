// Batch norm with the residual sum and ReLU that follow it.
#include "kernels/batch_norm/batch_norm.h"

#include "engine/ops/convolution.h"
#include "engine/ops/launch.h"

namespace preceptor {

namespace {

// Computes y, if defined, from the batch's own statistics, and updates the running ones.
BatchNormStatistics normalize(const Tensor& x, const BatchNormParameters& p, bool relu, const Tensor& residual,
                              const Tensor& y) {
  Context& context = x.context();
  const BatchNormStatistics statistics{context.empty({6, p.gamma.shape()[0]})};
  context.run(x.storage(), [&]<class T>(T) {
    return kernels::BatchNormForward<T>{.x = x.map<T>(),
                                        .statistics = x.statistics(),
                                        .residual = residual.map<T>(),
                                        .y = y.map<T>(),
                                        .gamma = p.gamma.value(),
                                        .beta = p.beta.value(),
                                        .running_mean = p.running_mean.value(),
                                        .running_variance = p.running_variance.value(),
                                        .mean = statistics.mean(),
                                        .rstd = statistics.rstd(),
                                        .scale = statistics.scale(),
                                        .offset = statistics.offset(),
                                        .rounding_errors = statistics.rounding_errors(),
                                        .epsilon = p.epsilon,
                                        .momentum = p.momentum,
                                        .relu = relu};
  });
  return statistics;
}

// Records normalize().
void record(const Tensor& x, const BatchNormParameters& p, bool relu, const Tensor& residual,
            const BatchNormStatistics& statistics, Tensor& y) {
  Context& context = x.context();
  const bool recording = context.tape().recording();
  const bool want_gamma = recording && p.gamma.requires_grad(), want_beta = recording && p.beta.requires_grad();
  const bool want_residual = residual.defined() && context.tape().requires_grad(residual);
  if (!want_gamma && !want_beta && !want_residual && !context.tape().requires_grad(x)) return;

  // Without a residual the gradient recomputes where the ReLU let x pass; y need not be kept for that.
  const Tensor kept = relu && residual.defined() ? y : Tensor();
  context.tape().record(y, [=, shortcut = residual.shape_only(), &context](const Tensor& d_y) {
    // The incoming derivative is usually not shared; then one of the results takes its memory.
    const bool reuse = d_y.owns_alone();
    const Tensor d_residual = !want_residual ? Tensor() : reuse ? d_y : context.empty(x.shape());
    const Tensor so_far = context.tape().take(x);
    const Tensor d_x = so_far.defined() && so_far.owns_alone() ? so_far
                       : reuse && !want_residual               ? d_y
                                                               : context.empty(x.shape());
    context.run(x.storage(), [&]<class T>(T) {
      return kernels::BatchNormBackward<T>{.x = x.map<T>(),
                                           .y = kept.map<T>(),
                                           .d_y = d_y.map<T>(),
                                           .d_x_so_far = so_far.map<T>(),
                                           .d_x = d_x.map<T>(),
                                           .d_residual = d_residual.map<T>(),
                                           .mean = statistics.mean(),
                                           .rstd = statistics.rstd(),
                                           .scale = statistics.scale(),
                                           .offset = statistics.offset(),
                                           .rounding_errors = statistics.rounding_errors(),
                                           .d_gamma = want_gamma ? p.gamma.gradient() : nullptr,
                                           .d_beta = want_beta ? p.beta.gradient() : nullptr,
                                           .relu = relu,
                                           .batch_statistics = true};
    });
    if (want_residual) context.tape().accumulate(shortcut, d_residual);
    context.tape().accumulate(x, d_x);
  });
}

void require_fits(const Tensor& x, const BatchNormParameters& p) {
  const Shape channels{x.shape().rank() == 4 ? x.shape()[1] : 0};
  require(p.gamma.shape() == channels && p.beta.shape() == channels, "batch_norm: input ", x.shape(), " does not fit ",
          p.gamma.name(), " of ", p.gamma.shape());
}

}  // namespace

Tensor batch_norm(const Tensor& x, const BatchNormParameters& p, bool batch_statistics, bool relu,
                  const Tensor& residual) {
  require_fits(x, p);
  require(!residual.defined() || residual.shape() == x.shape(), "batch_norm: input ", x.shape(), " and residual ",
          residual.shape(), " differ");
  Context& context = x.context();
  Tensor y = context.empty(x.shape());
  if (batch_statistics) {
    const BatchNormStatistics statistics = normalize(x, p, relu, residual, y);
    record(x, p, relu, residual, statistics, y);
    return y;
  }
  const Tape& tape = context.tape();
  require(!tape.requires_grad(x) && !(residual.defined() && tape.requires_grad(residual)) &&
              !(tape.recording() && (p.gamma.requires_grad() || p.beta.requires_grad())),
          "batch_norm: the form with fixed statistics is for inference and frozen layers; ", p.gamma.name(),
          " or its input is being trained");
  launch<kernels::BatchNormInference>(x, residual, y, p.gamma.value(), p.beta.value(), p.running_mean.value(),
                                      p.running_variance.value(), nullptr, p.epsilon, relu);
  return y;
}

Tensor batch_norm_convolution(const Tensor& x, const BatchNormParameters& p, const Parameter& weight,
                              const ConvolutionOptions& options) {
  require_fits(x, p);
  // If convolutions do not normalize as they read, the batch norm does it while x is in its cache.
  Context& context = x.context();
  Tensor activation = context.fuses_batch_norms() ? x.shape_only() : context.empty(x.shape());
  activation.set_slot(-1);
  const BatchNormStatistics statistics = normalize(x, p, true, Tensor(), activation);
  record(x, p, true, Tensor(), statistics, activation);
  return convolution(activation, x, statistics, weight, nullptr, options);
}

}  // namespace preceptor
