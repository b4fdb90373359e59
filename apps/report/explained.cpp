// Choice and drawing of explained images.
#include "apps/report/report.h"

#include <algorithm>

#include "apps/explanation/heat_map.h"
#include "apps/inference/card_and_data.h"
#include "apps/report/text.h"
#include "data/formats/open_dataset.h"
#include "engine/files/check.h"

namespace preceptor {
namespace {

constexpr int side = 192;

// A network and what it said, in the order of the test table.
struct Viewer {
  std::string name;
  const PredictionTable* table;
  LoadedModel model;
};

double probability(const Viewer& viewer, int row, std::size_t label) {
  return viewer.table->probabilities[static_cast<std::size_t>(row) * viewer.table->label_names.size() + label];
}

std::vector<int> positives(const PredictionTable& table, std::size_t label) {
  const std::size_t labels = table.label_names.size();
  std::vector<int> rows;
  for (int row = 0; row < table.rows(); ++row)
    if (table.task == Task::multi_label ? table.labels[static_cast<std::size_t>(row) * labels + label] > 0.5f
                                        : table.labels[static_cast<std::size_t>(row)] == static_cast<float>(label))
      rows.push_back(row);
  return rows;
}

double spread(const std::vector<Viewer>& viewers, int row, std::size_t label) {
  double low = 1, high = 0;
  for (const Viewer& viewer : viewers) {
    low = std::min(low, probability(viewer, row, label));
    high = std::max(high, probability(viewer, row, label));
  }
  return high - low;
}

PictureRow::Picture map_of(const Viewer& viewer, const Image& image, int row, std::size_t label) {
  const ImageMaps maps = ClassMaps(viewer.model)(image.pixels).front();
  return {viewer.name + ": " + fixed(probability(viewer, row, label), 2),
          heat_map(image, shown(maps.classes[label]), side),
          {}};
}

// One network: the image it finds best and the one it finds worst; several: the one on which they disagree most.
PictureRow row_of(const std::vector<Viewer>& viewers, const Dataset& data, const std::vector<int>& rows,
                  std::size_t label) {
  std::vector<int> chosen;
  if (viewers.size() == 1) {
    const auto [missed, found] = std::minmax_element(rows.begin(), rows.end(), [&](int a, int b) {
      return probability(viewers.front(), a, label) < probability(viewers.front(), b, label);
    });
    chosen = {*found};
    if (*missed != *found) chosen.push_back(*missed);
  } else {
    chosen = {*std::ranges::max_element(rows, {}, [&](int row) { return spread(viewers, row, label); })};
  }
  PictureRow made{viewers.front().table->label_names[label], {}};
  for (const int row : chosen) {
    const Image image = image_at(data, data.test, row);
    made.pictures.push_back({viewers.front().table->ids[static_cast<std::size_t>(row)], enlarged(image, side), {}});
    for (const Viewer& viewer : viewers) made.pictures.push_back(map_of(viewer, image, row, label));
  }
  return made;
}

}  // namespace

Dataset open_data_of(const Report& report) {
  const EvaluatedRun& run = report.arms.front().runs.front();
  Dataset data = open_dataset(run.config.value("data", run.card.data));
  require_data(data.test.ids == run.source.table.ids, data.source, ": its test images are not those that ",
               run.source.name, " was tested on");
  return data;
}

PictureSection explained_images(const Report& report, const Dataset& data, Context& context, int most) {
  std::vector<Viewer> viewers;
  for (const Arm& arm : report.arms) {
    const EvaluatedRun& run = arm.runs.front();
    if (run.source.table.ids != data.test.ids || run.source.table.label_names != data.label_names) continue;
    if (run.card.cumulative) continue;  // its outputs are not those of single grades
    if (run.card.height != data.height || run.card.width != data.width) continue;
    const std::string name = report.arms.size() == 1 ? "probability" : arm.name;
    viewers.push_back(
        {name, &run.source.table, load_model(context, load_card_checkpoint(run.source.name + "/best.safetensors"))});
  }
  PictureSection section{"explained", "Where the networks look", "", {}};
  section.note =
      std::string(
          viewers.size() == 1
              ? "For each label a test image that has it, found with the highest probability, and one with the lowest. "
              : "For each label the test image that has it and on which the arms disagree most. ") +
      "Bright places speak for the label (Grad-CAM at the last maps, each map from its own zero to its own maximum); a "
      "map without colour has no such place. A map says where the network looked, not that it was right to.";
  if (viewers.empty())
    section.note = "The outputs of networks trained with --ordinal are not those of single grades: there are no maps.";
  for (std::size_t label = 0;
       !viewers.empty() && label < data.label_names.size() && static_cast<int>(section.rows.size()) < most; ++label) {
    const std::vector<int> rows = positives(*viewers.front().table, label);
    if (rows.empty()) continue;
    section.rows.push_back(row_of(viewers, data, rows, label));
  }
  return section;
}

}  // namespace preceptor
