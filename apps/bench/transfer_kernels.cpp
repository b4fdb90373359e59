// Logits, maps, rows and relations as transfer methods compare them, and what teachers do with images and answers.
#include <algorithm>
#include <numeric>

#include "apps/bench/kernel_bench.h"
#include "kernels/attention_fusion/attention_fusion.h"
#include "kernels/attention_transfer/attention_transfer.h"
#include "kernels/average_logits/average_logits.h"
#include "kernels/convert_layout/convert_layout.h"
#include "kernels/decoupled_kl/decoupled_kl.h"
#include "kernels/dropout/dropout.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/gaussian_likelihood/gaussian_likelihood.h"
#include "kernels/gram_matrix/gram_matrix.h"
#include "kernels/l2_normalize/l2_normalize.h"
#include "kernels/nce_loss/nce_loss.h"
#include "kernels/pointwise_loss/pointwise_loss.h"
#include "kernels/relational_loss/relational_loss.h"
#include "kernels/resize/resize.h"
#include "kernels/softened_kl/softened_kl.h"
#include "kernels/softmax/softmax.h"

namespace preceptor {
namespace {

template <class T>
void time_softened_kl(KernelBench& bench) {
  if (!bench.possible<kernels::SoftenedKl<T>>()) return;
  // On a card a batch is too small to measure: 2^23 logits.
  const std::vector<int> all_classes =
      bench.on_cuda() ? std::vector{2, 14, 100, 1000, 32768, 262144} : std::vector{14, 1000};
  for (const int classes : all_classes) {
    const int rows = bench.on_cuda() ? std::max(bench.options().batch, (1 << 23) / classes) : bench.options().batch;
    const std::size_t count = static_cast<std::size_t>(rows) * classes;
    const auto student = bench.normal_values<T>(count), teacher = bench.normal_values<T>(count),
               gradient = bench.normal_values<T>(count);
    const Tensor loss = bench.normal({rows});
    bench.time(kernels::SoftenedKl<T>{.student = student.data(),
                                      .teacher = teacher.data(),
                                      .loss = loss.data(),
                                      .d_student = gradient.data(),
                                      .rows = rows,
                                      .classes = classes,
                                      .temperature = 4,
                                      .scale = 1.0f / static_cast<float>(rows)},
               message(rows, "x", classes, storage_text<T>));
  }
}

void time_logits(KernelBench& bench) {
  constexpr int classes = 1000, members = 3;
  const int rows = bench.options().batch;
  const std::string shape = message(rows, "x", classes);
  const Tensor student = bench.normal({rows, classes}), teacher = bench.normal({rows, classes});
  const Tensor gradient = bench.normal({rows, classes}), loss = bench.normal({rows});
  const auto labels = bench.to_device(std::vector<float>(static_cast<std::size_t>(rows)));
  const auto zeros = bench.to_device(std::vector<float>(static_cast<std::size_t>(rows) * classes));
  bench.time(kernels::SoftenedBinaryKl<float>{.student = student.data(),
                                              .teacher = teacher.data(),
                                              .targets = zeros.data(),
                                              .loss = loss.data(),
                                              .d_student = gradient.data(),
                                              .rows = rows,
                                              .labels = classes,
                                              .temperature = 4,
                                              .weight = 1},
             shape);
  bench.time(kernels::DecoupledKl{.student = student.data(),
                                  .teacher = teacher.data(),
                                  .labels = labels.data(),
                                  .loss = loss.data(),
                                  .d_student = gradient.data(),
                                  .rows = rows,
                                  .classes = classes,
                                  .temperature = 4,
                                  .of_target = 1,
                                  .of_others = 8,
                                  .scale = 1},
             shape);
  const kernels::TemperatureSoftmax forward{.logits = student.data(),
                                            .p = teacher.data(),
                                            .rows = rows,
                                            .classes = classes,
                                            .temperature = 4,
                                            .independent = false};
  bench.context().run(forward);  // the gradient needs true probabilities
  bench.time(forward, shape);
  bench.time(kernels::TemperatureSoftmaxBackward{.p = teacher.data(),
                                                 .d_p = student.data(),
                                                 .d_logits = gradient.data(),
                                                 .rows = rows,
                                                 .classes = classes,
                                                 .temperature = 4,
                                                 .independent = false},
             shape);
  const Tensor logits = bench.normal({members, rows, classes});
  const auto weights = bench.to_device(std::vector<float>(members * classes, 1.0f / members));
  bench.time(kernels::AverageLogits<float>{.logits = logits.data(),
                                           .weights = weights.data(),
                                           .combined = gradient.data(),
                                           .members = members,
                                           .rows = rows,
                                           .classes = classes,
                                           .multi_label = false},
             message(members, "x", shape));
}

void time_maps(KernelBench& bench) {
  const int batch = bench.options().batch, channels = 64, side = (bench.options().size + 3) / 4;
  const Shape shape{batch, channels, side, side};
  const std::string text = message(batch, "x", channels, "x", side, "x", side);
  const Tensor a = bench.normal(shape), b = bench.normal(shape), out = bench.normal(shape), other = bench.normal(shape);
  const Tensor by_channel = bench.normal({channels}), losses = bench.normal({std::max(batch, channels)});
  const Tensor d_by_channel = bench.normal({channels});
  bench.time(kernels::AttentionTransfer<float>{.student = a.map(),
                                               .teacher = b.map(),
                                               .loss = losses.data(),
                                               .d_student = out.map(),
                                               .weight = 1,
                                               .epsilon = 1e-12f,
                                               .workspace = nullptr},
             text);
  bench.time(kernels::GaussianLikelihood<float>{.prediction = a.map(),
                                                .target = b.map(),
                                                .raw = by_channel.data(),
                                                .loss = losses.data(),
                                                .d_prediction = out.map(),
                                                .d_raw = d_by_channel.data(),
                                                .weight = 1,
                                                .least = 1e-5f},
             text);
  const Tensor attention = bench.normal({batch, 2, side, side}), d_attention = bench.normal({batch, 2, side, side});
  bench.time(
      kernels::AttentionFusion<float>{.x = a.map(), .y = b.map(), .attention = attention.map(), .out = out.map()},
      text);
  bench.time(kernels::AttentionFusionBackward<float>{.x = a.map(),
                                                     .y = b.map(),
                                                     .attention = attention.map(),
                                                     .d_out = a.map(),
                                                     .d_x = out.map(),
                                                     .d_y = other.map(),
                                                     .d_attention = d_attention.map()},
             text);
  const Tensor products = bench.normal({batch, channels, channels});
  const std::string product_text = message(text, " times itself");
  bench.time(kernels::GramMatrix<float>{.x = a.map(), .y = b.map(), .products = products.data(), .scale = 1},
             product_text);
  bench.time(
      kernels::GramMatrixBackward<float>{
          .other = b.map(), .d_products = products.data(), .d_x = out.map(), .scale = 1, .transposed = false},
      product_text);
  bench.time(kernels::LeakyReluForward<float>{.x = a.map(), .y = out.map(), .slope = 0.1f}, text);
  bench.time(kernels::LeakyReluBackward<float>{.y = a.map(), .d_y = b.map(), .d_x = out.map(), .slope = 0.1f}, text);
  bench.time(kernels::MarginRelu<float>{.x = a.map(), .y = out.map(), .margin = by_channel.data()}, text);
  bench.time(
      kernels::Dropout<float>{
          .x = a.map(), .y = out.map(), .state = bench.context().step_state(), .layer = 0, .probability = 0.5f},
      text);
  bench.time(kernels::ConvertLayout<float, float>{a.map(), out.map()}, text);
}

void time_resizing(KernelBench& bench) {
  struct Case {
    int channels, from, to;
    kernels::ResizeRule rule;
    const char* name;
  };
  const int size = bench.options().size;
  for (const Case& one : {Case{3, size, 2 * size, kernels::ResizeRule::linear, "linear"},
                          Case{64, (size + 7) / 8, (size + 3) / 4, kernels::ResizeRule::nearest, "nearest"},
                          Case{64, (size + 3) / 4, 4, kernels::ResizeRule::mean, "mean"}}) {
    const Tensor x = bench.normal({bench.options().batch, one.channels, one.from, one.from});
    const Tensor y = bench.normal({bench.options().batch, one.channels, one.to, one.to});
    const kernels::Axis axis(one.from, one.to, one.rule);
    const auto first = bench.to_device(axis.first);
    const auto weight = bench.to_device(axis.weight);
    bench.time(kernels::Resize<float>{x.map(), y.map(), first.data(), weight.data(), first.data(), weight.data(),
                                      axis.taps, axis.taps},
               message(bench.options().batch, "x", one.channels, "x", one.from, "x", one.from, " to ", one.to, "x",
                       one.to, ", ", one.name));
  }
}

void time_rows(KernelBench& bench) {
  const int rows = bench.options().batch, side = (bench.options().size + 3) / 4, columns = 64 * side * side;
  const std::string shape = message(rows, "x", columns);
  const Tensor a = bench.normal({rows, columns}), b = bench.normal({rows, columns}),
               out = bench.normal({rows, columns});
  const Tensor by_row = bench.normal({rows}), square = bench.normal({rows, rows}),
               d_square = bench.normal({rows, rows});
  bench.time(kernels::PointwiseLoss<float>{.student = a.data(),
                                           .teacher = b.data(),
                                           .loss = by_row.data(),
                                           .d_student = out.data(),
                                           .rows = rows,
                                           .columns = columns,
                                           .kind = kernels::PointwiseLossKind::square,
                                           .scale = 1,
                                           .parameter = 0},
             shape);
  bench.time(kernels::L2Normalize<float>{.x = a.data(),
                                         .y = out.data(),
                                         .inverse = by_row.data(),
                                         .outer = rows,
                                         .length = columns,
                                         .inner = 1,
                                         .center = false,
                                         .scale = 1,
                                         .epsilon = 1e-12f},
             shape);
  bench.time(kernels::L2NormalizeBackward<float>{.y = a.data(),
                                                 .d_y = b.data(),
                                                 .inverse = by_row.data(),
                                                 .d_x = out.data(),
                                                 .outer = rows,
                                                 .length = columns,
                                                 .inner = 1,
                                                 .center = false,
                                                 .scale = 1},
             shape);
  const kernels::SquaredDistances distances{
      .x = a.data(), .distances = square.data(), .rows = rows, .columns = columns};
  bench.context().run(distances);  // the losses need true distances
  bench.time(distances, shape);
  bench.time(
      kernels::SquaredDistancesBackward{
          .x = a.data(), .d_distances = square.data(), .d_x = out.data(), .rows = rows, .columns = columns},
      shape);
  for (const kernels::Relation relation : {kernels::Relation::distances, kernels::Relation::angles})
    bench.time(kernels::RelationalLoss{.student = square.data(),
                                       .teacher = square.data(),
                                       .loss = by_row.data(),
                                       .d_student = d_square.data(),
                                       .rows = rows,
                                       .relation = relation,
                                       .weight = 1},
               message(rows, "x", rows, relation == kernels::Relation::angles ? ", angles" : ", distances"));
}

// The sizes of Tian et al. 2020 for CIFAR: 50,000 images, 16,384 negatives, embeddings of 128.
void time_contrast(KernelBench& bench) {
  constexpr int images = 50000, negatives = 16384, candidates = negatives + 1, columns = 128;
  const int rows = bench.options().batch;
  const std::string shape = message(rows, "x", negatives, " of ", images, " rows of ", columns);
  const Tensor anchors = bench.normal({rows, columns}), bank = bench.normal({images, columns});
  const Tensor scores = bench.normal({rows, candidates}), loss = bench.normal({rows});
  const Tensor gradient = bench.normal({rows, columns}), constant = bench.normal({1});
  std::vector<int> all(images), own(static_cast<std::size_t>(rows));
  std::iota(all.begin(), all.end(), 0);
  std::iota(own.begin(), own.end(), 0);
  const auto order = bench.to_device(all), positions = bench.to_device(own);
  const auto excluded = bench.to_device(std::vector<int>(images, 1));
  const auto index = bench.to_device(std::vector<int>(static_cast<std::size_t>(rows) * candidates));
  const kernels::DrawNegatives draw{.positions = positions.data(),
                                    .order = order.data(),
                                    .first = order.data(),
                                    .excluded = excluded.data(),
                                    .state = bench.context().step_state(),
                                    .index = index.data(),
                                    .rows = rows,
                                    .negatives = negatives,
                                    .images = images};
  const kernels::NceScores score{.anchors = anchors.data(),
                                 .bank = bank.data(),
                                 .index = index.data(),
                                 .scores = scores.data(),
                                 .rows = rows,
                                 .columns = columns,
                                 .candidates = candidates,
                                 .temperature = 10};
  const std::int64_t count = static_cast<std::int64_t>(rows) * candidates;
  const kernels::NceConstant mean{
      .scores = scores.data(), .count = count, .images = images, .constant = constant.data()};
  bench.context().run(draw);  // each needs what the one before it wrote
  bench.context().run(score);
  bench.context().run(mean);
  bench.time(draw, shape);
  bench.time(score, shape);
  bench.time(mean, shape);
  bench.time(kernels::NceLoss{.scores = scores.data(),
                              .index = index.data(),
                              .bank = bank.data(),
                              .constant = constant.data(),
                              .loss = loss.data(),
                              .d_anchors = gradient.data(),
                              .rows = rows,
                              .columns = columns,
                              .candidates = candidates,
                              .images = images,
                              .temperature = 10,
                              .scale = 1},
             shape);
  bench.time(kernels::UpdateBank{.bank = bank.data(),
                                 .embeddings = anchors.data(),
                                 .positions = positions.data(),
                                 .rows = rows,
                                 .columns = columns,
                                 .momentum = 0.5f},
             shape);
}

}  // namespace

std::vector<KernelGroup> transfer_kernels() {
  using namespace kernels;
  return {{{SoftenedKl<float>::name},
           [](KernelBench& bench) {
             time_softened_kl<float>(bench);
             time_softened_kl<bfloat16>(bench);
           }},
          {{SoftenedBinaryKl<float>::name, DecoupledKl::name, TemperatureSoftmax::name,
            TemperatureSoftmaxBackward::name, AverageLogits<float>::name},
           time_logits},
          {{AttentionTransfer<float>::name, GaussianLikelihood<float>::name, AttentionFusion<float>::name,
            AttentionFusionBackward<float>::name, GramMatrix<float>::name, GramMatrixBackward<float>::name,
            LeakyReluForward<float>::name, LeakyReluBackward<float>::name, MarginRelu<float>::name,
            Dropout<float>::name, ConvertLayout<float, float>::name},
           time_maps},
          {{Resize<float>::name}, time_resizing},
          {{PointwiseLoss<float>::name, L2Normalize<float>::name, L2NormalizeBackward<float>::name,
            SquaredDistances::name, SquaredDistancesBackward::name, RelationalLoss::name},
           time_rows},
          {{DrawNegatives::name, NceScores::name, NceConstant::name, NceLoss::name, UpdateBank::name}, time_contrast}};
}

}  // namespace preceptor
