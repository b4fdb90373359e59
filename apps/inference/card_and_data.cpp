// Normalization measured on images, and the checks of a checkpoint against data.
#include "apps/inference/card_and_data.h"

#include <algorithm>
#include <cmath>
#include <mutex>

#include "data/batches/pixel_sums.h"
#include "data/parallel.h"
#include "engine/files/check.h"
#include "engine/files/text.h"

namespace preceptor {
namespace {

// Decoding all of a large set would cost as much as an epoch and change the fourth digit.
constexpr int most_measured_images = 8192;

std::string short_list(const std::vector<std::string>& names) {
  const std::string text = list(names);
  return text.size() > 200 ? text.substr(0, 200) + " ..." : text;
}

}  // namespace

void measure_normalization(const Dataset& dataset, const Split& split, int threads, ModelCard& card) {
  const int images = std::min(split.count, most_measured_images);
  PixelSums sums(dataset.channels);
  std::mutex mutex;
  parallel_for(images, threads, [&](int i) {
    PixelSums here(dataset.channels);
    here.add(read_pixels(*split.images, static_cast<int>(static_cast<std::int64_t>(i) * split.count / images)));
    const std::lock_guard lock(mutex);
    sums.add(here);
  });
  card.mean.clear();
  card.deviation.clear();
  for (std::size_t c = 0; c < static_cast<std::size_t>(dataset.channels); ++c) {
    card.mean.push_back(static_cast<float>(sums.mean(c) / 255));
    // Images of one grey value have no deviation to divide by.
    card.deviation.push_back(static_cast<float>(std::max(sums.deviation(c), 1.0) / 255));
  }
}

void use_imagenet_normalization(ModelCard& card) {
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
  require_data(static_cast<int>(card.labels.size()) == dataset.outputs, checkpoint.path, ": the network has ",
               card.labels.size(), " labels, ", dataset.source, " has ", dataset.outputs);
  require_data(!same_names || card.labels == dataset.label_names, checkpoint.path, ": the network's labels (",
               short_list(card.labels), ") are not those of ", dataset.source, " (", short_list(dataset.label_names),
               ")");
}

const Split& split_named(const Dataset& dataset, const std::string& name, const std::string& spec) {
  const Split& split = name == "test" ? dataset.test : name == "val" ? dataset.val : dataset.train;
  require_data(split.count > 0, spec, ": has no ", name, " images");
  return split;
}

Image image_at(const Dataset& dataset, const Split& split, int position) {
  return {dataset.height, dataset.width, dataset.channels, read_pixels(*split.images, position)};
}

}  // namespace preceptor
