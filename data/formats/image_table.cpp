// Rows become a listing; the form of the images is read off the first of them where the name leaves it open.
#include "data/formats/image_table.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>

#include "data/storage/image_cache.h"
#include "engine/files/check.h"
#include "engine/files/numbers.h"

namespace preceptor {
namespace {

constexpr int usual_edge = 224, largest_edge = 8192;

bool has_color(const Image& image) {
  if (image.channels == 1) return false;
  for (std::size_t i = 0; i < image.pixels.size(); i += 3)
    if (image.pixels[i] != image.pixels[i + 1] || image.pixels[i] != image.pixels[i + 2]) return true;
  return false;
}

// The first image that can be read decides; one broken file at the beginning is no reason to stop.
Image first_image(const std::vector<std::string>& paths) {
  constexpr std::size_t tries = 16;
  for (std::size_t i = 0; i + 1 < std::min(tries, paths.size()); ++i) {
    try {
      return read_image(paths[i]);
    } catch (const Error&) {
    }
  }
  return read_image(paths[std::min(tries, paths.size()) - 1]);
}

WindowChoice window_of(const DatasetSpec& spec) {
  const std::string* text = spec.find("window");
  if (text == nullptr || *text == "own") return {};
  if (*text == "percentile") return {WindowRule::percentile, {}};
  const std::size_t comma = text->find(',');
  const std::string_view all = *text;
  const std::optional<double> low = parse_number(all.substr(0, comma));
  const std::optional<double> high = comma == std::string::npos ? std::nullopt : parse_number(all.substr(comma + 1));
  require(low && high && std::isfinite(*low) && std::isfinite(*high) && *low < *high, spec.text, ": window='", *text,
          "' is not own, percentile or LOW,HIGH");
  return {WindowRule::fixed, {*low, *high}};
}

ImageForm form_of(const DatasetSpec& spec, const std::vector<std::string>& paths, int default_channels, Fundus fundus) {
  ImageForm form;
  form.channels = default_channels;
  form.fundus = fundus;
  form.window = window_of(spec);
  const std::string fit = spec.choice("fit", "stretch", {"stretch", "crop", "pad"});
  form.fit = fit == "stretch" ? Fit::stretch : fit == "crop" ? Fit::crop : Fit::pad;
  require(fundus == Fundus::keep || form.fit == Fit::stretch, spec.text, ": fit=", fit,
          ": fundus= makes every picture square already");
  form.height = static_cast<int>(spec.integer("size", 0, 1, largest_edge));
  if (spec.find("channels") != nullptr) form.channels = spec.choice("channels", "", {"1", "3"}) == "1" ? 1 : 3;
  if (form.height == 0 || form.channels == 0) {
    const Image first = first_image(paths);
    if (form.height == 0)
      form.height = first.height == first.width && first.height <= usual_edge ? first.height : usual_edge;
    if (form.channels == 0) form.channels = has_color(first) ? 3 : 1;
  }
  form.width = form.height;
  return form;
}

// The images of the cache that the name asks for or that lies beside the data; without one those that are decoded.
Images images_with_cache(const DatasetSpec& spec, const Images& decoded, const std::vector<std::string>& ids,
                         const std::string& form, const std::string& beside) {
  const std::string* asked = spec.find("cache");
  std::error_code ignored;
  if (asked != nullptr && *asked == "no") return decoded;
  if (asked != nullptr) return open_image_cache(*asked, decoded, ids, form);
  return std::filesystem::exists(beside, ignored) ? open_image_cache(beside, decoded, ids, form) : decoded;
}

bool all_empty(const TextColumn& column) {
  return std::all_of(column.values.begin(), column.values.end(), [](const std::string& text) { return text.empty(); });
}

}  // namespace

std::vector<std::string> with_image_keys(std::vector<std::string> own) {
  own.insert(own.end(), {"size", "channels", "fit", "window", "cache"});
  return with_split_keys(std::move(own));
}

ImageTable::ImageTable(Task task, std::vector<std::string> label_names, std::vector<std::string> column_names) {
  listing_.task = task;
  listing_.label_names = std::move(label_names);
  for (std::string& name : column_names) listing_.all.columns.push_back({std::move(name), {}});
}

void ImageTable::add(const TableReader& table, std::size_t id_column, ImageRow row) {
  const auto [place, is_new] = line_of_.try_emplace(row.id, table.line());
  if (!is_new) table.reject(id_column, message("'", row.id, "' stands here a second time, after line ", place->second));
  add(std::move(row));
}

void ImageTable::add(ImageRow row) {
  Split& all = listing_.all;
  ++all.count;
  all.ids.push_back(std::move(row.id));
  all.labels.insert(all.labels.end(), row.labels.begin(), row.labels.end());
  listing_.parts.push_back(row.part);
  paths_.push_back(std::move(row.path));
  for (std::size_t i = 0; i < all.columns.size(); ++i) all.columns[i].values.push_back(std::move(row.columns[i]));
}

Dataset ImageTable::finish(const DatasetSpec& spec, int default_channels, Fundus fundus) {
  require_data(!paths_.empty(), spec.text, ": has no images");
  std::erase_if(listing_.all.columns, all_empty);
  const ImageForm form = form_of(spec, paths_, default_channels, fundus);
  listing_.height = form.height;
  listing_.width = form.width;
  listing_.channels = form.channels;
  const Images decoded = std::make_shared<FileImages>(std::move(paths_), form);
  const std::string beside = cache_path_beside(spec.path, to_string(form));
  listing_.all.images = images_with_cache(spec, decoded, listing_.all.ids, to_string(form), beside);
  Dataset data = divide(std::move(listing_), spec);
  data.image_form = to_string(form);
  data.cache_path = beside;
  data.notes = std::move(notes_);
  return data;
}

std::string images_folder(const DatasetSpec& spec) {
  const std::string* folder = spec.find("images");
  return folder == nullptr ? spec.path : spec.path + "/" + *folder;
}

std::string sex_text(std::string_view text) {
  if (text == "M" || text == "m" || text == "Male" || text == "male") return "M";
  if (text == "F" || text == "f" || text == "Female" || text == "female") return "F";
  return {};
}

std::string age_text(std::string_view text) {
  double per_year = 1;
  if (!text.empty() && (text.back() == 'Y' || text.back() == 'M' || text.back() == 'D')) {
    per_year = text.back() == 'Y' ? 1 : text.back() == 'M' ? 12 : 365.25;
    text.remove_suffix(1);
  }
  const std::optional<double> number = parse_number(text);
  if (!number || !(*number >= 0)) return {};
  const double years = std::floor(*number / per_year);
  return years <= 120 ? std::to_string(static_cast<int>(years)) : std::string();
}

Part part_named(const TableReader& table, std::size_t column) {
  const std::string name(table.field(column));
  if (name.empty()) return Part::open;
  const std::string part = part_in_path(name + "/");
  if (part.empty()) table.reject(column, message("'", name, "' is not train, val or test"));
  return part == "train" ? Part::train : part == "val" ? Part::val : Part::test;
}

}  // namespace preceptor
