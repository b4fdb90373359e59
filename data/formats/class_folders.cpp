// Images sorted into one folder per class: FOLDER/CLASS/..., or FOLDER/train|val|valid|test/CLASS/.... The id of an
// image is its path below FOLDER.
#include <algorithm>
#include <filesystem>

#include "data/formats/formats.h"
#include "data/formats/image_table.h"
#include "engine/files/check.h"

namespace preceptor {

Dataset open_class_folders(const DatasetSpec& spec) {
  const bool ordinal = spec.choice("task", "multi-class", {"multi-class", "ordinal"}) == "ordinal";
  const std::string* patient_end = spec.find("patient");
  require(patient_end == nullptr || !patient_end->empty(), spec.text, ": patient: a text is expected");
  const std::vector<std::string> paths = image_files_below(spec.path);
  std::vector<std::string> class_of_path;
  std::vector<Part> parts;
  for (const std::string& path : paths) {
    const std::size_t slash = path.find('/');
    parts.push_back(slash == std::string::npos ? Part::open : part_named(path.substr(0, slash)));
    const std::string rest = parts.back() == Part::open ? path : path.substr(slash + 1);
    require_data(rest.find('/') != std::string::npos, spec.path, "/", path, ": is not in the folder of a class");
    class_of_path.push_back(rest.substr(0, rest.find('/')));
  }
  std::vector<std::string> classes = class_of_path;
  std::sort(classes.begin(), classes.end());
  classes.erase(std::unique(classes.begin(), classes.end()), classes.end());
  require_data(classes.size() >= 2, spec.path, ": holds images of ", classes.size(),
               classes.size() == 1 ? " class, " + classes[0] : " classes", "; at least 2 are needed");
  require_data(classes.size() <= 10000, spec.path, ": holds more than 10000 classes");
  ImageTable table(ordinal ? Task::ordinal : Task::multi_class, classes, {"patient"});
  for (std::size_t i = 0; i < paths.size(); ++i) {
    const std::string name = std::filesystem::path(paths[i]).filename().string();
    const std::size_t end = patient_end == nullptr ? std::string::npos : name.find(*patient_end);
    const auto label = std::lower_bound(classes.begin(), classes.end(), class_of_path[i]) - classes.begin();
    table.add({.id = paths[i],
               .path = spec.path + "/" + paths[i],
               .part = parts[i],
               .labels = {static_cast<float>(label)},
               .columns = {end == std::string::npos ? std::string() : name.substr(0, end)}});
  }
  return table.finish(spec, 0);
}

}  // namespace preceptor
