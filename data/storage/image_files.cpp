// Walking folders and decoding files on demand.
#include "data/storage/image_files.h"

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "data/images/fundus.h"
#include "engine/files/check.h"
#include "engine/files/text.h"

namespace preceptor {
namespace {

namespace files = std::filesystem;

}  // namespace

std::string to_string(const ImageForm& form) {
  std::string text = message(form.height, "x", form.width, "x", form.channels);
  if (form.fundus != Fundus::keep) text += form.fundus == Fundus::crop ? "-crop" : "-graham";
  if (form.fit != Fit::stretch) text += form.fit == Fit::crop ? "-fit=crop" : "-fit=pad";
  if (form.window.rule == WindowRule::percentile) text += "-window=percentile";
  if (form.window.rule == WindowRule::fixed)
    text += message("-window=", form.window.fixed.low, ",", form.window.fixed.high);
  return text;
}

Image read_prepared(const std::string& path, const ImageForm& form) {
  if (form.fundus == Fundus::keep) {
    Image image = with_channels(read_image(path, form.height, form.width, form.window), form.channels);
    if (form.fit == Fit::crop) image = center_of(image, form.height, form.width);
    if (form.fit == Fit::pad) image = bordered(image, form.height, form.width);
    return resized(image, form.height, form.width);
  }
  // The disc fills more than half of a picture, so at twice the size it is still larger than the form.
  const Image image = read_image(path, 2 * form.height, 2 * form.width, form.window);
  const Image disc = resized(cropped_to_disc(image), form.height, form.width);
  return with_channels(form.fundus == Fundus::crop ? disc : without_local_mean(disc), form.channels);
}

FileImages::FileImages(std::vector<std::string> paths, const ImageForm& form)
    : ImageSource(static_cast<int>(paths.size()), static_cast<std::size_t>(form.height) * form.width * form.channels),
      paths_(std::move(paths)),
      form_(form) {}

void FileImages::read(int position, std::span<std::uint8_t> pixels) const {
  require(pixels.size() == image_bytes(), "images: ", pixels.size(), " bytes for an image of ", image_bytes());
  const Image image = read_prepared(file(position), form_);
  std::memcpy(pixels.data(), image.pixels.data(), pixels.size());
}

std::vector<std::string> image_files_below(const std::string& folder) {
  std::error_code unknown;
  if (!files::exists(folder, unknown)) fail(ErrorKind::missing_input, folder, ": there is no such folder");
  require_data(files::is_directory(folder, unknown), folder, ": is no folder");
  std::vector<std::string> paths;
  std::error_code error;
  for (files::recursive_directory_iterator entry(folder, files::directory_options::follow_directory_symlink, error),
       end;
       !error && entry != end; entry.increment(error)) {
    // A loop of links would never end.
    require_data(entry.depth() < 32, folder, ": folders are nested more than 32 deep, at ", entry->path().string());
    const std::string path = entry->path().string();
    if (has_image_name(path) && entry->is_regular_file(unknown))
      paths.push_back(entry->path().lexically_relative(folder).generic_string());
  }
  if (error) fail(ErrorKind::io, folder, ": cannot be listed: ", error.message());
  std::sort(paths.begin(), paths.end());
  return paths;
}

ImageFinder::ImageFinder(const std::string& folder) : folder_(folder), paths_(image_files_below(folder)) {
  for (std::size_t i = 0; i < paths_.size(); ++i) {
    const files::path name = files::path(paths_[i]).filename();
    by_name_[name.string()].push_back(static_cast<std::int32_t>(i));
    by_name_[name.stem().string()].push_back(static_cast<std::int32_t>(i));
  }
}

const std::string* ImageFinder::find(const std::string& name) const {
  const auto found = by_name_.find(name);
  if (found == by_name_.end()) return nullptr;
  const std::vector<std::int32_t>& those = found->second;
  require_data(those.size() == 1, folder_, ": two images are called '", name, "': ", paths_[those.front()], " and ",
               paths_[those.back()], "; images=FOLDER chooses where to look");
  return &paths_[those.front()];
}

std::string part_in_path(const std::string& path) {
  for (const files::path& folder : files::path(path).parent_path()) {
    const std::string name = lower(folder.string());
    if (name == "train" || name == "training") return "train";
    if (name == "val" || name == "valid" || name == "validation" || name == "dev") return "val";
    if (name == "test" || name == "testing") return "test";
  }
  return {};
}

}  // namespace preceptor
