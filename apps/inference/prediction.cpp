// Evaluation batches: normalize, forward, loss, probabilities.
#include "apps/inference/prediction.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "data/batches/loader.h"
#include "data/predictions/grades.h"
#include "engine/ops.h"

namespace preceptor {
namespace {

// For the first images of a batch; the rest is padding.
TapRelations::Batch relate(const Tensor& map, int images) {
  const Tensor rows = as_rows(map);
  const auto all = static_cast<std::size_t>(rows.shape()[0]), valid = static_cast<std::size_t>(images);
  const std::vector<float> products = matmul_nt(rows, rows).to_host();
  TapRelations::Batch batch{images, {}};
  for (std::size_t i = 0; i < valid; ++i)
    batch.products.insert(batch.products.end(), products.begin() + static_cast<std::ptrdiff_t>(i * all),
                          products.begin() + static_cast<std::ptrdiff_t>(i * all + valid));
  return batch;
}

}  // namespace

PredictionTable prediction_table(const Dataset& dataset, const Split& split, const std::string& name,
                                 const Predictions& predictions) {
  PredictionTable table;
  table.source = dataset.source + ", " + name;
  table.task = dataset.task;
  table.label_names = dataset.label_names;
  table.ids = split.ids;
  table.columns = split.columns;
  table.labels = split.labels;
  table.probabilities.assign(predictions.probabilities.begin(), predictions.probabilities.end());
  table.decisions = predictions.decisions;
  return table;
}

Predictions predict_split(Context& context, Network& network, const ModelCard& card, const Dataset& dataset,
                          const Split& split, const PredictionOptions& options) {
  Loader loader(dataset, split,
                {.batch = options.batch, .threads = loading_threads(split, context.device().threads), .prefetch = 2});
  const int batch = loader.batch_size();
  const bool independent = dataset.task == Task::multi_label || card.cumulative;
  AugmentOptions normalization;
  normalization.mean = card.mean;
  normalization.deviation = card.deviation;
  const Shape images{batch, dataset.channels, dataset.height, dataset.width};
  const Buffer staged(context.pool(Lifetime::persistent), images.elements());
  const Buffer total(context.pool(Lifetime::persistent), sizeof(double));
  const Tensor labels = context.empty(independent ? Shape{batch, network.options().outputs} : Shape{batch});
  double loss = 0, known = 0;
  context.copy(total.data(), &loss, sizeof loss);

  const auto outputs = static_cast<std::size_t>(dataset.outputs);
  Predictions predictions;
  predictions.probabilities.reserve(static_cast<std::size_t>(split.count) * outputs);
  for (const std::string& tap : options.taps) predictions.relations.push_back({tap, {}});
  loader.start(0);
  while (const Batch* next = loader.next()) {
    std::vector<float> targets = next->labels;
    const auto valid = static_cast<std::ptrdiff_t>(next->valid) * dataset.label_width();
    // The rows that fill up the last batch count as unknown.
    std::fill(targets.begin() + valid, targets.end(), std::numeric_limits<float>::quiet_NaN());
    if (card.cumulative) targets = cumulative_targets(targets, dataset.outputs);
    const auto known_here =
        static_cast<double>(std::count_if(targets.begin(), targets.end(), [](float t) { return !std::isnan(t); }));
    known += known_here;
    context.copy(staged.data(), next->images.data(), next->images.size());
    context.copy(labels.data(), targets.data(), targets.size() * sizeof(float));
    const Tensor input = augment(context, static_cast<const std::uint8_t*>(staged.data()), images, normalization);
    const Features features =
        network.forward(options.resizer ? (*options.resizer)(input) : input, Mode::inference, options.taps);
    const Tensor& logits = features.logits;
    for (TapRelations& relations : predictions.relations)
      relations.batches.push_back(relate(features.taps.at(relations.tap), next->valid));
    if (known_here > 0) {
      // Weighted with the number of known labels, the mean loss of the batch becomes its sum.
      const auto weight = static_cast<float>(known_here);
      const Tensor rows =
          independent ? binary_cross_entropy(logits, labels, weight) : softmax_cross_entropy(logits, labels, weight);
      accumulate_sum(rows, static_cast<double*>(total.data()));
    }
    std::vector<float> scores = (independent ? sigmoid(logits) : softmax(logits)).to_host();
    if (card.cumulative) scores = grade_probabilities(scores, dataset.outputs);
    predictions.probabilities.insert(predictions.probabilities.end(), scores.begin(),
                                     scores.begin() + static_cast<std::ptrdiff_t>(next->valid * outputs));
  }
  context.copy_and_wait(&loss, total.data(), sizeof loss);
  if (card.cumulative)
    predictions.decisions =
        median_grades({predictions.probabilities.begin(), predictions.probabilities.end()}, dataset.outputs);
  predictions.loss = known > 0 ? loss / known : std::numeric_limits<double>::quiet_NaN();
  return predictions;
}

}  // namespace preceptor
