// The ops: checked shapes, one or a few launches, and the gradient recorded on the tape. Each is defined, with its
// gradient, in engine/ops/. All throw Error (usage) for shapes that do not fit.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "engine/context.h"
#include "engine/parameters.h"
#include "kernels/pointwise_loss/kind.h"
#include "kernels/relational_loss/relation.h"
#include "kernels/resize/axis.h"

namespace preceptor {

struct ConvolutionOptions {
  int stride = 1;
  int padding = 0;
  bool direct = false;      // no Winograd, which is faster and rounds more
  bool statistics = false;  // y keeps its channel statistics for the batch norm that follows, if the device computes
                            // them while it stores y
};

// y [n, out, h', w'] from x [n, in, h, w] and weight [out, in, kh, kw]; h' = (h + 2 padding - kh) / stride + 1.
Tensor convolution(const Tensor& x, const Parameter& weight, const Parameter* bias, const ConvolutionOptions& options);

struct BatchNormParameters {
  Parameter gamma, beta;                     // [c]
  Parameter running_mean, running_variance;  // [c], statistics
  float epsilon = 1e-5f;
  float momentum = 0.1f;
};

// relu?(batch_norm(x) + residual?); with batch statistics, which also move the running ones, or with the running ones.
// x is not read if it keeps its statistics.
Tensor batch_norm(const Tensor& x, const BatchNormParameters& parameters, bool batch_statistics, bool relu,
                  const Tensor& residual = Tensor());

// convolution(relu(batch_norm(x))) with batch statistics: the order of DenseNet. relu(batch_norm(x)) is not kept: the
// backward pass recomputes it as it reads, and so does the forward pass if Context::fuses_batch_norms().
Tensor batch_norm_convolution(const Tensor& x, const BatchNormParameters& norm, const Parameter& weight,
                              const ConvolutionOptions& options);

// A convolution with a batch norm of fixed statistics folded into it. refresh() after the parameters changed.
struct FoldedConvolution {
  Tensor weight;  // device order
  Tensor bias;    // [out]
  void refresh(const Parameter& weight, const BatchNormParameters& norm);
};

// relu?(convolution + bias + residual?) without a gradient. A residual that is passed as an rvalue and
// owns its memory alone gives it to the result.
Tensor folded_convolution(const Tensor& x, const FoldedConvolution& folded, const Parameter& weight,
                          const ConvolutionOptions& options, bool relu, Tensor residual = Tensor());

Tensor relu(const Tensor& x);                     // rank 4
Tensor leaky_relu(const Tensor& x, float slope);  // rank 4; slope in (0, 1): what negative values are multiplied by
// max(x, the margin of its channel) of a contiguous map, without a gradient; margins [c].
Tensor margin_relu(const Tensor& x, const Tensor& margins);
Tensor add(const Tensor& a, const Tensor& b);  // rank 4, equal shapes

// Concatenation in one wider map: pieces are copied to their channels, then joined without another copy; the gradient
// of a piece is a range of the gradient of the whole. If the wider map keeps statistics, those of the piece are
// computed once, for all batch norms that read it.
Tensor copy_into(const Tensor& x, const Tensor& into);  // a copy of x in channels of a wider map
// The same with dropout: in every step each value is 0 with the probability, in [0, 1), else divided by what that
// leaves. Layers of one network drop independently when their numbers, from 0, differ.
Tensor dropout_into(const Tensor& x, float probability, int layer, const Tensor& into);
// The channels of `first` and of `second`, which follow them directly in the same map, as one tensor.
Tensor join_channels(const Tensor& first, const Tensor& second);

Tensor max_pool(const Tensor& x, int window, int stride, int padding);
Tensor average_pool(const Tensor& x, int window, int stride, int padding, bool count_padding = true);
Tensor global_average_pool(const Tensor& x);  // [n, c, h, w] -> [n, c]

// y [n, out] from x [n, in], weight [out, in], bias [out].
Tensor linear(const Tensor& x, const Parameter& weight, const Parameter& bias);

// Loss terms. Each returns [rows], whose sum is weight times the mean loss, and is part of the total loss that
// Tape::backward() differentiates. No gradient flows to the teacher or the labels.
// labels [rows]; row_weights [rows]: what each row counts, undefined: 1.
Tensor softmax_cross_entropy(const Tensor& logits, const Tensor& labels, float weight = 1.0f,
                             const Tensor& row_weights = Tensor());
Tensor binary_cross_entropy(const Tensor& logits, const Tensor& targets, float weight = 1.0f);  // NaN targets: unknown
Tensor softened_kl(const Tensor& student, const Tensor& teacher, float temperature, float weight = 1.0f);
// targets may be undefined: then every label counts; else those that are not NaN, of_present times where they are 1 and
// of_absent times where they are 0.
Tensor softened_binary_kl(const Tensor& student, const Tensor& teacher, const Tensor& targets, float temperature,
                          float weight = 1.0f, float of_present = 1.0f, float of_absent = 1.0f);
// Zhao et al. 2022: the divergence of label against others of_target times, that among the others of_others times. Rows
// with a NaN label are left out, but count for the mean.
Tensor decoupled_kl(const Tensor& student, const Tensor& teacher, const Tensor& labels, float temperature,
                    float of_target, float of_others, float weight = 1.0f);
// student and teacher are feature maps of equal n, h, w. Released-code reading; paper: the norms themselves, averaged
// over images.
Tensor attention_transfer(const Tensor& student, const Tensor& teacher, float weight = 1.0f, bool paper = false);

// scale times the sum over all entries of a loss on student - teacher (kernels/pointwise_loss/kind.h), [n] by
// image or row. Both have one shape; teacher may be undefined: zeros. parameter: the p of the kinds that have one.
using kernels::PointwiseLossKind;
Tensor pointwise_loss(PointwiseLossKind kind, const Tensor& student, const Tensor& teacher, float scale,
                      float parameter = 0);
// weight times the L2 norm of student - teacher over all entries; [n], of which the first holds it.
Tensor l2_norm_loss(const Tensor& student, const Tensor& teacher, float weight);

// A teacher's logits that labels alone decide, without a gradient: of_label for the row's class, or targets that are 1,
// of_others elsewhere; the student's own where a label is NaN, so that they agree.
Tensor label_logits(const Tensor& student, const Tensor& labels, float of_label, float of_others);

// scale (x - m) / |x - m|, |.| the L2 norm of a group, m its mean or 0. A group whose norm is at most epsilon is
// divided by epsilon instead and passes no gradient: dead maps and constant rows give neither NaN nor large numbers.
struct L2NormalizeOptions {
  bool center = false;
  float scale = 1, epsilon = 1e-12f;
};
Tensor l2_normalize_rows(const Tensor& x, const L2NormalizeOptions& options = {});     // [rows, columns], each row
Tensor l2_normalize_columns(const Tensor& x, const L2NormalizeOptions& options = {});  // [rows, columns], each column
Tensor l2_normalize_maps(const Tensor& x, const L2NormalizeOptions& options = {});     // [n, c, h, w], each h x w

// Each image as a row [n, c * h * w] of float32, in the device's order of channels and positions: for products and sums
// over a whole image, where the order does not matter. Copies only if x is not contiguous,
// or stored as bfloat16.
Tensor as_rows(const Tensor& x);
// [n, c] as maps [n, c, 1, 1] of one position; a map is returned unchanged.
Tensor as_map(const Tensor& x);
// a b^T: [m, n] from a [m, k] and b [n, k].
Tensor matmul_nt(const Tensor& a, const Tensor& b);
// scale times the sums over positions of every channel of x times every channel of y, [n, cx * cy]; equal n, h, w.
Tensor gram_matrix(const Tensor& x, const Tensor& y, float scale);
// softmax(logits / temperature) by row, or with `independent` the sigmoid of every entry: with a gradient.
Tensor temperature_softmax(const Tensor& logits, float temperature, bool independent);

// weight times the mean of ((prediction - target)^2 / v + log v) / 2, v = log(1 + exp(raw)) + 1e-5 by channel: the
// negative log likelihood of Gaussians, of two maps of one shape and raw [c]; [c], whose sum is the loss.
Tensor gaussian_likelihood(const Tensor& prediction, const Tensor& target, const Parameter& raw, float weight);

// |x_i - x_j|^2 of all rows of x [n, k]: [n, n].
Tensor squared_distances(const Tensor& x);
// weight times a loss on two matrices of relations [n, n] (kernels/relational_loss/relation.h); [n].
using kernels::Relation;
Tensor relational_loss(Relation relation, const Tensor& student, const Tensor& teacher, float weight);

// Resizes maps from one size to another by a rule (kernels/resize); the tables of weights are made once.
using kernels::ResizeRule;
class Resizer {
 public:
  Resizer(Context& context, int height, int width, int to_height, int to_width, ResizeRule rule = ResizeRule::linear);
  Tensor operator()(const Tensor& x) const;  // [n, c, height, width] -> [n, c, to_height, to_width]

 private:
  struct Table {
    int taps;
    Tensor first, weight;  // first holds whole numbers
  };
  struct Side {
    int height, width;
    Table rows, columns;  // that give maps of this size
  };
  static Table table(Context& context, const kernels::Axis& axis);
  static void run(const Tensor& x, const Tensor& y, const Side& to);
  Side from_, to_;
};

// x sigmoid(attention[:, 0]) + y sigmoid(attention[:, 1]) for maps [n, c, h, w] and attention [n, 2, h, w]; Chen et al.
// 2021 (reviewkd).
Tensor attention_fusion(const Tensor& x, const Tensor& y, const Tensor& attention);

// Contrast with a bank of embeddings (kernels/nce_loss).
struct NegativeSource {
  Tensor order, first, excluded;  // [images] whole numbers, see kernels/nce_loss/nce_loss.h
};
// [rows, 1 + negatives] whole numbers: the row's own image, then others. positions [rows]: of each row's image, in
// device memory.
Tensor draw_candidates(Context& context, const std::int32_t* positions, int rows, const NegativeSource& source,
                       int negatives);
// weight times the noise-contrastive loss of anchors [rows, columns] with the bank's rows of their candidates; [rows].
// constant [1] is estimated from this batch where it is 0.
Tensor nce_loss(const Tensor& anchors, const Parameter& bank, const Tensor& candidates, const Parameter& constant,
                double temperature, float weight);
// Moves the bank's row of every image towards its embedding, keeping `momentum` of the old row, then scales it to unit
// length again.
void update_bank(const Parameter& bank, const Tensor& embeddings, const std::int32_t* positions, float momentum);

// Without gradients from here on.
// Copies x to the rows of `rows` that begin after `*position` blocks of its size; the position is in device memory.
void copy_to_rows(const Tensor& x, const Tensor& rows, const std::int32_t* position);
// Adds the sum of the values to *total, in device memory.
void accumulate_sum(const Tensor& values, double* total);
// One tensor of logits whose probabilities are the weighted mean of several teachers', each [rows, classes].
// weights [teachers, classes] in device memory, see kernels/average_logits; multi_label: sigmoids instead of a softmax.
Tensor average_logits(const std::vector<Tensor>& logits, const Tensor& weights, bool multi_label);
Tensor softmax(const Tensor& logits);
Tensor sigmoid(const Tensor& logits);

struct AugmentOptions {
  std::vector<float> mean, deviation;  // per channel, of pixel / 255
  bool random = false;                 // all that follows; false: only normalization
  bool flip = false;                   // mirrors half of the images left-right
  int shift = 0;                       // pixels
  float rotate = 0;                    // degrees either way, to 180
  float scale = 0;                     // of the size, 0.1: 0.9 to 1.1; to 0.9
  float crop = 0;                      // of the size that a window may lack, 0.1: 0.9 to 1; to 0.9
  float brightness = 0;                // of the range of pixels, either way; to 1
  float contrast = 0;                  // of the distance from the mean, 0.1: 0.9 to 1.1; to 1
  float noise = 0;                     // deviation, of the range of pixels; to 1
  int cutout = 0;                      // edge of a square, pixels
  // [n] in device memory: which of the bytes' images each one is; nullptr: they are the n of the batch, in order.
  const std::int32_t* rows = nullptr;
};

// Network input [n, c, h, w] from staged bytes [n, h, w, c] in device memory: kernels/augment/augment.h says in which
// order things are done.
Tensor augment(Context& context, const std::uint8_t* images, const Shape& shape, const AugmentOptions& options);
// The same from bytes in host memory, which may be freed afterwards; not for a recorded step.
Tensor augment_from_host(Context& context, std::span<const std::uint8_t> images, const Shape& shape,
                         const AugmentOptions& options);

}  // namespace preceptor
