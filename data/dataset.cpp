// Lookups and selections.
#include "data/dataset.h"

#include <string_view>
#include <unordered_map>

#include "data/storage/image_cache.h"
#include "engine/files/check.h"

namespace preceptor {

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

ImageListing listed_images(const Dataset& data) {
  ImageListing listing{data.source, data.image_form, data.height, data.width, data.channels, {}};
  for (const Split* split : data.splits())
    for (int i = 0; i < split->count; ++i) listing.images.push_back({split->ids[i], split->images, i});
  return listing;
}

std::vector<std::string> numbered_ids(const std::string& part, int count) {
  std::vector<std::string> ids;
  ids.reserve(count);
  for (int i = 0; i < count; ++i) ids.push_back(message(part, "/", i));
  return ids;
}

std::vector<std::int32_t> numbered_values(const std::vector<std::string>& values) {
  std::unordered_map<std::string_view, std::int32_t> known;
  std::vector<std::int32_t> numbers;
  std::int32_t next = 0;
  for (const std::string& value : values) {
    const bool is_new = value.empty() || known.try_emplace(value, next).second;
    numbers.push_back(is_new ? next++ : known.at(value));
  }
  return numbers;
}

int class_of(const Split& split, int image) {
  require(image >= 0 && image < split.count, "class_of: image ", image, " of a split with ", split.count);
  require(split.labels.size() == static_cast<std::size_t>(split.count), "class_of: ", split.labels.size(),
          " labels for ", split.count, " images; multi-label data has no single class");
  return static_cast<int>(split.labels[image]);
}

}  // namespace preceptor
