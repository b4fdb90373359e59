// Normalization measured on images, checks of a checkpoint against data, and heads arranged for other labels.
#include "apps/inference/card_and_data.h"

#include <algorithm>
#include <array>
#include <cctype>
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

// As the data sets of chest X-rays write them, and the name under which both are compared.
constexpr std::array<std::pair<const char*, const char*>, 4> synonyms = {{{"pleuraleffusion", "effusion"},
                                                                          {"hiatalhernia", "hernia"},
                                                                          {"pulmonaryedema", "edema"},
                                                                          {"normal", "nofinding"}}};

std::string plain(const std::string& name) {
  std::string text;
  for (const char letter : name)
    if (std::isalnum(static_cast<unsigned char>(letter)))
      text += static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  for (const auto& [other, usual] : synonyms)
    if (text == other) return usual;
  return text;
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

void require_channels(const std::string& path, const ModelCard& card, const Dataset& dataset) {
  require_data(card.network.in_channels == dataset.channels, path, ": the network takes images of ",
               card.network.in_channels, " channels, ", dataset.source, " has ", dataset.channels);
}

void require_same_kind(const CardCheckpoint& checkpoint, const Dataset& dataset) {
  require_channels(checkpoint.path, checkpoint.card, dataset);
  require_data(checkpoint.card.task == dataset.task, checkpoint.path, ": the network was trained for ",
               to_string(checkpoint.card.task), " labels, ", dataset.source, " is ", to_string(dataset.task));
}

void require_fits(const CardCheckpoint& checkpoint, const Dataset& dataset) {
  const ModelCard& card = checkpoint.card;
  require_same_kind(checkpoint, dataset);
  require_data(static_cast<int>(card.labels.size()) == dataset.outputs, checkpoint.path, ": the network has ",
               card.labels.size(), " labels, ", dataset.source, " has ", dataset.outputs);
  require_data(card.labels == dataset.label_names, checkpoint.path, ": the network's labels (", short_list(card.labels),
               ") are not those of ", dataset.source, " (", short_list(dataset.label_names), ")");
}

std::vector<int> match_labels(const std::vector<std::string>& wanted, const std::vector<std::string>& known) {
  std::vector<std::string> names;
  for (const std::string& name : known) names.push_back(plain(name));
  std::vector<int> match;
  for (const std::string& name : wanted) {
    const auto found = std::find(names.begin(), names.end(), plain(name));
    match.push_back(found == names.end() ? -1 : static_cast<int>(found - names.begin()));
  }
  return match;
}

CardCheckpoint with_labels(CardCheckpoint checkpoint, const std::string& head, const std::vector<std::string>& labels,
                           const std::vector<int>& match) {
  const int outputs = static_cast<int>(labels.size());
  for (const char* part : {".weight", ".bias"}) {
    const auto found = checkpoint.tensors.find(head + part);
    require_data(found != checkpoint.tensors.end(), checkpoint.path, ": has no ", head, part);
    PlainTensor& tensor = found->second;
    const std::size_t row = tensor.values.size() / static_cast<std::size_t>(tensor.shape[0]);
    std::vector<float> values(static_cast<std::size_t>(outputs) * row);
    for (std::size_t i = 0; i < match.size(); ++i)
      if (match[i] >= 0)
        std::copy_n(tensor.values.begin() + static_cast<std::ptrdiff_t>(row) * match[i], row,
                    values.begin() + static_cast<std::ptrdiff_t>(row * i));
    tensor.shape = row == 1 && tensor.shape.rank() == 1 ? Shape{outputs} : Shape{outputs, static_cast<int>(row)};
    tensor.values = std::move(values);
  }
  checkpoint.card.labels = labels;
  checkpoint.card.network.outputs = outputs;
  return checkpoint;
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
