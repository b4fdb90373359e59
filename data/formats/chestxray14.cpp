// The table of findings, joined with the files that are there and the official lists.
#include "data/formats/chestxray14.h"

#include <algorithm>
#include <filesystem>
#include <unordered_set>

#include "data/formats/image_table.h"
#include "engine/files/check.h"

namespace preceptor {
namespace {

namespace files = std::filesystem;

// ChestMNIST's order too; the first eight are those of ChestX-ray8.
const std::vector<std::string> findings = {
    "Atelectasis", "Cardiomegaly", "Effusion",           "Infiltration",  "Mass",
    "Nodule",      "Pneumonia",    "Pneumothorax",       "Consolidation", "Edema",
    "Emphysema",   "Fibrosis",     "Pleural_Thickening", "Hernia"};

std::string table_of(const DatasetSpec& spec) {
  if (const std::string* name = spec.find("table")) return spec.path + "/" + *name;
  std::error_code error;
  require_data(files::is_directory(spec.path, error) || !files::exists(spec.path, error), spec.path,
               ": is no folder; the one that holds Data_Entry_2017.csv is expected");
  if (!files::exists(spec.path, error)) fail(ErrorKind::missing_input, spec.path, ": there is no such folder");
  std::vector<std::string> found;
  for (const auto& entry : files::directory_iterator(spec.path)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("Data_Entry") && (name.ends_with(".csv") || name.ends_with(".csv.gz")))
      found.push_back(entry.path().string());
  }
  std::sort(found.begin(), found.end());
  if (found.empty()) fail(ErrorKind::missing_input, spec.path, ": holds no Data_Entry_2017*.csv");
  require_data(found.size() == 1, spec.path, ": holds several tables, ", found.front(), " and ", found.back(),
               "; table=FILE chooses");
  return found.front();
}

// An official list of image names, or nothing where it is absent.
std::unordered_set<std::string> names_in(const std::string& path) {
  std::unordered_set<std::string> names;
  std::error_code ignored;
  if (!files::exists(path, ignored)) return names;
  // A list is a table without a first row of names: that row is a name itself.
  TableReader list(path);
  require_data(list.header().size() == 1, path, ": an image name a line is expected");
  names.insert(list.header()[0]);
  while (list.next()) names.emplace(list.field(0));
  return names;
}

void read_findings(const TableReader& table, std::size_t column, std::size_t wanted, std::vector<float>& labels) {
  labels.assign(wanted, 0.0f);
  const std::string_view text = table.field(column);
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find('|', begin), text.size());
    const std::string_view name = text.substr(begin, end - begin);
    const auto found = std::find(findings.begin(), findings.end(), name);
    const auto label = static_cast<std::size_t>(found - findings.begin());
    if (found == findings.end() && name != "No Finding")
      table.reject(column, message("'", name, "' is no finding of ChestX-ray14"));
    if (label < wanted) labels[label] = 1;
    begin = end + 1;
  }
}

}  // namespace

Dataset open_chestxray14(const DatasetSpec& spec) {
  spec.allow_only(with_image_keys({"labels", "images", "table"}));
  const std::size_t labels = spec.choice("labels", "14", {"14", "8"}) == "8" ? 8 : 14;
  TableReader rows(table_of(spec));
  const std::string folder = images_folder(spec);
  const ImageFinder images(folder);
  const auto train_val = names_in(spec.path + "/train_val_list.txt"), test = names_in(spec.path + "/test_list.txt");
  const std::size_t image = rows.require_column("Image Index"), finding = rows.require_column("Finding Labels"),
                    patient = rows.require_column("Patient ID");
  const auto age = rows.find("Patient Age"), sex = rows.find("Patient Gender"), view = rows.find("View Position");
  const auto text = [&](const std::optional<std::size_t>& column) {
    return column ? rows.field(*column) : std::string_view();
  };
  ImageTable table(Task::multi_label, {findings.begin(), findings.begin() + static_cast<std::ptrdiff_t>(labels)},
                   {"patient", "sex", "age", "view"});
  std::int64_t without_image = 0;
  while (rows.next()) {
    ImageRow row;
    row.id = rows.field(image);
    read_findings(rows, finding, labels, row.labels);
    const std::string* path = images.find(row.id);
    if (path == nullptr) {
      ++without_image;
      continue;
    }
    row.path = folder + "/" + *path;
    const std::string part = part_in_path(*path);
    row.part = part == "train"              ? Part::train
               : part == "val"              ? Part::val
               : part == "test"             ? Part::test
               : test.contains(row.id)      ? Part::test
               : train_val.contains(row.id) ? Part::train
                                            : Part::open;
    row.columns = {std::string(rows.field(patient)), sex_text(text(sex)), age_text(text(age)), std::string(text(view))};
    table.add(rows, image, std::move(row));
  }
  if (without_image > 0)
    table.note(message(without_image, " rows of ", rows.path(), " have no image below ", folder, ": left out"));
  if (images.count() > table.count())
    table.note(message(images.count() - table.count(), " images below ", folder, " have no row in ", rows.path(),
                       ": left out"));
  return table.finish(spec, 1);
}

}  // namespace preceptor
