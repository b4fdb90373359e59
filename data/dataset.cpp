// Opens data sets by name.
#include "data/dataset.h"

#include "data/formats/chestxray14.h"
#include "data/formats/chexpert.h"
#include "data/formats/class_folders.h"
#include "data/formats/dataset_spec.h"
#include "data/formats/labelled_table.h"
#include "data/formats/medmnist.h"
#include "data/formats/retinopathy.h"
#include "data/phantoms/phantom.h"
#include "engine/files/check.h"

namespace preceptor {

Dataset open_dataset(const std::string& spec) {
  const DatasetSpec parsed = parse_dataset_spec(spec);
  if (parsed.format == "chexpert") return open_chexpert(parsed);
  if (parsed.format == "chestxray14") return open_chestxray14(parsed);
  if (parsed.format == "retinopathy") return open_retinopathy(parsed);
  if (parsed.format == "medmnist") return open_medmnist(parsed);
  if (parsed.format == "folder") return open_class_folders(parsed);
  if (parsed.format == "table") return open_labelled_table(parsed);
  if (parsed.format == "phantom") return open_phantom(parsed);
  fail(ErrorKind::usage, spec, ": unknown format '", parsed.format,
       "'; valid formats: chexpert, chestxray14, retinopathy, medmnist, folder, table, phantom");
}

const std::vector<std::string>* Split::column(const std::string& name) const {
  for (const TextColumn& known : columns)
    if (known.name == name) return &known.values;
  return nullptr;
}

Split selected(const Split& split, std::vector<std::int32_t> rows, int label_width) {
  Split result;
  result.count = static_cast<int>(rows.size());
  result.labels.reserve(rows.size() * static_cast<std::size_t>(label_width));
  for (const std::int32_t row : rows) {
    const auto label = split.labels.begin() + static_cast<std::ptrdiff_t>(row) * label_width;
    result.labels.insert(result.labels.end(), label, label + label_width);
    result.ids.push_back(split.ids[row]);
  }
  for (const TextColumn& column : split.columns) {
    result.columns.push_back({column.name, {}});
    for (const std::int32_t row : rows) result.columns.back().values.push_back(column.values[row]);
  }
  result.images = std::make_shared<SelectedImages>(split.images, std::move(rows));
  return result;
}

std::vector<std::string> numbered_ids(const std::string& part, int count) {
  std::vector<std::string> ids;
  ids.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) ids.push_back(message(part, "/", i));
  return ids;
}

int class_of(const Split& split, int image) {
  require(image >= 0 && image < split.count, "class_of: image ", image, " of a split with ", split.count);
  require(split.labels.size() == static_cast<std::size_t>(split.count), "class_of: ", split.labels.size(),
          " labels for ", split.count, " images; multi-label data has no single class");
  return static_cast<int>(split.labels[image]);
}

}  // namespace preceptor
