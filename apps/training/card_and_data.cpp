// Normalisation measured on images, and the checks of a checkpoint against data.
#include "apps/training/card_and_data.h"

#include <algorithm>
#include <cmath>

#include "engine/check.h"

namespace preceptor {
namespace {

std::string list(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text.size() > 200 ? text.substr(0, 200) + " ..." : text;
}

}  // namespace

void measure_normalisation(const Dataset& dataset, const Split& split, ModelCard& card) {
  const auto channels = static_cast<std::size_t>(dataset.channels);
  // Whole numbers, so the result does not depend on the order: 2^64 / 255^2 leaves room for 10^14 pixels.
  std::vector<std::uint64_t> sum(channels, 0), squares(channels, 0);
  for (std::size_t i = 0; i < split.images.size(); ++i) {
    const std::uint64_t value = split.images[i];
    sum[i % channels] += value;
    squares[i % channels] += value * value;
  }
  const double pixels = static_cast<double>(split.images.size() / channels);
  card.mean.clear();
  card.deviation.clear();
  for (std::size_t c = 0; c < channels; ++c) {
    const double mean = static_cast<double>(sum[c]) / pixels;
    const double variance = static_cast<double>(squares[c]) / pixels - mean * mean;
    card.mean.push_back(static_cast<float>(mean / 255));
    // Images of one grey value have no deviation to divide by.
    card.deviation.push_back(static_cast<float>(std::max(std::sqrt(std::max(variance, 0.0)), 1.0) / 255));
  }
}

void use_imagenet_normalisation(ModelCard& card) {
  card.mean = {0.485f, 0.456f, 0.406f};
  card.deviation = {0.229f, 0.224f, 0.225f};
  if (card.network.in_channels == 3) return;
  for (std::vector<float>* values : {&card.mean, &card.deviation})
    *values = {((*values)[0] + (*values)[1] + (*values)[2]) / 3};
}

void require_fits(const CardCheckpoint& checkpoint, const Dataset& dataset, bool same_names) {
  const ModelCard& card = checkpoint.card;
  require_data(card.network.in_channels == dataset.channels, checkpoint.path, ": the network takes images of ",
               card.network.in_channels, " channels, ", dataset.source, " has ", dataset.channels);
  require_data(card.task == dataset.task, checkpoint.path, ": the network was trained for ", to_string(card.task),
               " labels, ", dataset.source, " is ", to_string(dataset.task));
  require_data(card.network.outputs == dataset.outputs, checkpoint.path, ": the network has ", card.network.outputs,
               " outputs, ", dataset.source, " has ", dataset.outputs, " labels");
  require_data(!same_names || card.labels == dataset.label_names, checkpoint.path, ": the network's labels (",
               list(card.labels), ") are not those of ", dataset.source, " (", list(dataset.label_names), ")");
}

}  // namespace preceptor
