// Draws phantom data sets: one random stream per image, spread over the cores.
#include "data/phantoms/phantom.h"

#include <algorithm>
#include <cstdlib>
#include <limits>

#include "data/parallel.h"
#include "data/phantoms/chest.h"
#include "data/phantoms/fundus.h"
#include "data/random.h"
#include "engine/files/check.h"

namespace preceptor {
namespace {

void check(const PhantomOptions& options) {
  require(options.site >= 'a' && options.site <= 'c', "phantom: site '", options.site, "' is not one of a, b, c");
  require(options.size >= 16 && options.size <= 512, "phantom: size ", options.size, " is not from 16 to 512");
  require(options.train >= 1 && options.val >= 1 && options.test >= 1, "phantom: parts of ", options.train, ", ",
          options.val, " and ", options.test, " images; each needs at least 1");
}

RandomStream stream_of(const PhantomOptions& options, PhantomPart part, int index) {
  return RandomStream(options.seed, static_cast<int>(options.kind), options.site, static_cast<int>(part), index);
}

// The same patient without one finding, of phantom::chest_findings().
phantom::ChestPatient without(phantom::ChestPatient patient, int label) {
  if (label == 2) patient.heart_ratio = 0.45f;
  bool* const present[] = {&patient.opacity.present, &patient.effusion.present, nullptr, &patient.nodule.present,
                           &patient.pneumothorax.present};
  if (label != 2) *present[label] = false;
  return patient;
}

Split make_split(const PhantomOptions& options, PhantomPart part, const char* name, int count) {
  Phantoms phantoms = make_phantoms(options, part, 0, count);
  const std::size_t image_bytes = phantoms.images.size() / static_cast<std::size_t>(count);
  Split split;
  split.count = count;
  split.images = std::make_shared<MemoryImages>(std::move(phantoms.images), image_bytes);
  split.labels = std::move(phantoms.labels);
  split.ids = numbered_ids(name, count);
  split.columns = {{"site", std::vector<std::string>(count, std::string(1, options.site))}};
  return split;
}

}  // namespace

Phantoms make_phantoms(const PhantomOptions& options, PhantomPart part, int first, int count, int threads) {
  check(options);
  require(first >= 0 && count >= 0 && first <= std::numeric_limits<int>::max() - count, "phantom: images ", first,
          " and the ", count, " after it");
  const bool chest = options.kind == PhantomKind::chest;
  const std::size_t label_width = chest ? phantom::chest_findings().size() : 1;
  const std::size_t image_bytes = static_cast<std::size_t>(options.size) * options.size * (chest ? 1 : 3);
  Phantoms drawn;
  drawn.count = count;
  drawn.images.resize(static_cast<std::size_t>(count) * image_bytes);
  drawn.labels.resize(static_cast<std::size_t>(count) * label_width);
  parallel_for(count, threads, [&](int i) {
    const RandomStream random = stream_of(options, part, first + i);
    std::uint8_t* image = drawn.images.data() + i * image_bytes;
    float* label = drawn.labels.data() + i * label_width;
    if (chest) {
      const phantom::ChestPatient patient = phantom::draw_chest_patient(options.site, random);
      phantom::render_chest(patient, options.site, options.size, image);
      const auto labels = patient.labels();
      std::copy(labels.begin(), labels.end(), label);
    } else {
      const phantom::FundusEye eye = phantom::draw_fundus_eye(options.site, random);
      phantom::render_fundus(eye, options.site, options.size, image);
      *label = static_cast<float>(eye.grade);
    }
  });
  return drawn;
}

std::optional<Box> phantom_box(const PhantomOptions& options, PhantomPart part, int index, int label) {
  check(options);
  require(options.kind == PhantomKind::chest && index >= 0 && label >= 0 &&
              label < static_cast<int>(phantom::chest_findings().size()),
          "phantom_box: finding ", label, " of image ", index, " is none of a chest phantom");
  const phantom::ChestPatient patient = phantom::draw_chest_patient(options.site, stream_of(options, part, index));
  if (patient.labels()[label] < 0.5f) return std::nullopt;
  std::vector<std::uint8_t> with(static_cast<std::size_t>(options.size) * options.size), bare(with.size());
  phantom::render_chest(patient, options.site, options.size, with.data());
  phantom::render_chest(without(patient, label), options.site, options.size, bare.data());
  int largest = 0;
  for (std::size_t i = 0; i < with.size(); ++i) largest = std::max(largest, std::abs(with[i] - bare[i]));
  if (largest == 0) return std::nullopt;
  Box box{static_cast<double>(options.size), static_cast<double>(options.size), 0, 0};
  for (int row = 0; row < options.size; ++row)
    for (int column = 0; column < options.size; ++column) {
      const std::size_t i = static_cast<std::size_t>(row) * options.size + column;
      if (4 * std::abs(with[i] - bare[i]) < largest) continue;
      box = {std::min<double>(box.left, column), std::min<double>(box.top, row),
             std::max<double>(box.right, column + 1), std::max<double>(box.bottom, row + 1)};
    }
  return box;
}

PhantomOptions phantom_options(const DatasetSpec& spec) {
  require(spec.path == "chest" || spec.path == "fundus", spec.text, ": unknown phantom '", spec.path,
          "'; valid phantoms: chest, fundus");
  PhantomOptions options;
  constexpr std::int64_t most_images = 1'000'000;
  options.kind = spec.path == "chest" ? PhantomKind::chest : PhantomKind::fundus;
  options.site = spec.choice("site", "a", {"a", "b", "c"})[0];
  options.train = static_cast<int>(spec.integer("n", options.train, 1, most_images));
  options.val = static_cast<int>(spec.integer("val", options.val, 1, most_images));
  options.test = static_cast<int>(spec.integer("test", options.test, 1, most_images));
  options.size = static_cast<int>(spec.integer("size", options.size, 16, 512));
  options.seed = static_cast<std::uint64_t>(spec.integer("seed", 0, 0, std::numeric_limits<std::int64_t>::max()));
  return options;
}

Dataset open_phantom(const DatasetSpec& spec) {
  const PhantomOptions options = phantom_options(spec);
  const bool chest = options.kind == PhantomKind::chest;
  Dataset data;
  data.source = spec.text;
  data.task = chest ? Task::multi_label : Task::ordinal;
  data.height = data.width = options.size;
  data.channels = chest ? 1 : 3;
  data.label_names = chest ? phantom::chest_findings() : phantom::fundus_grades();
  data.outputs = static_cast<int>(data.label_names.size());
  data.train = make_split(options, PhantomPart::train, "train", options.train);
  data.val = make_split(options, PhantomPart::val, "val", options.val);
  data.test = make_split(options, PhantomPart::test, "test", options.test);
  return data;
}

}  // namespace preceptor
