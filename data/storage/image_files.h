// Image files of a data set: found below a folder, and brought to one form when they are read.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "data/images/image.h"
#include "data/storage/image_source.h"

namespace preceptor {

// What happens to a fundus photograph before it is resized (data/images/fundus.h).
enum class Fundus {
  keep,    // nothing
  crop,    // cut to the square around the lit disc
  graham,  // crop, then the local mean taken away inside the disc
};

// How a picture of other proportions is brought to a size.
enum class Fit {
  stretch,  // as a whole: resized
  crop,     // its center_of
  pad,      // bordered with black
};

// What every image of a data set is made into.
struct ImageForm {
  int height = 0, width = 0, channels = 0;
  Fundus fundus = Fundus::keep;
  Fit fit = Fit::stretch;
  WindowChoice window;
};

// "224x224x3", "224x224x3-crop", "224x224x1-fit=pad-window=0,4095": equal texts, equal images.
std::string to_string(const ImageForm& form);

// The image of a file in this form: cut, grey or color, resized; the rules are those of data/images/image.h and
// data/images/fundus.h.
Image read_prepared(const std::string& path, const ImageForm& form);

// Image files, decoded whenever they are read.
class FileImages final : public ImageSource {
 public:
  FileImages(std::vector<std::string> paths, const ImageForm& form);
  void read(int position, std::span<std::uint8_t> pixels) const override;
  std::string file(int position) const override { return paths_.at(static_cast<std::size_t>(position)); }
  bool decodes() const override { return true; }

 private:
  std::vector<std::string> paths_;
  ImageForm form_;
};

// The images in a folder and below it, by the ending of their names; relative paths in the order of their names.
// Errors: missing_input, io.
std::vector<std::string> image_files_below(const std::string& folder);

// Image files below a folder, found by their name without its folders, with or without its ending.
class ImageFinder {
 public:
  explicit ImageFinder(const std::string& folder);

  int count() const { return static_cast<int>(paths_.size()); }
  // The path below the folder; nullptr where there is none. Errors: data where several files have the name.
  const std::string* find(const std::string& name) const;

 private:
  std::string folder_;
  std::vector<std::string> paths_;
  std::unordered_map<std::string, std::vector<std::int32_t>> by_name_;
};

// The part that a path's folders name: train, val (also valid, validation, dev) or test; the first that does counts.
// Empty where none does.
std::string part_in_path(const std::string& path);

}  // namespace preceptor
