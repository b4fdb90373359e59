// ChestX-ray14 (and ChestX-ray8, its beginning): Data_Entry_2017.csv of Wang et al. 2017 and the images it names.
// Parts: the folders train, val or valid, test that hold an image; else the official lists, if present; else open.
#include <algorithm>
#include <filesystem>
#include <unordered_set>

#include "data/formats/formats.h"
#include "data/formats/image_table.h"
#include "engine/files/check.h"
#include "engine/files/text.h"

namespace preceptor {
namespace {

namespace files = std::filesystem;

// In ChestMNIST's order; the first eight are those of ChestX-ray8.
const std::vector<std::string> findings = {
    "Atelectasis", "Cardiomegaly", "Effusion",           "Infiltration",  "Mass",
    "Nodule",      "Pneumonia",    "Pneumothorax",       "Consolidation", "Edema",
    "Emphysema",   "Fibrosis",     "Pleural_Thickening", "Hernia"};

std::string table_of(const DatasetSpec& spec) {
  if (const std::string* name = spec.find("table")) return spec.path + "/" + *name;
  require_folder(spec.path, "the folder of Data_Entry_2017.csv is expected");
  std::vector<std::string> found;
  for (const auto& entry : files::directory_iterator(spec.path)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("Data_Entry") && (name.ends_with(".csv") || name.ends_with(".csv.gz")))
      found.push_back(entry.path().string());
  }
  std::sort(found.begin(), found.end());
  if (found.empty()) fail(ErrorKind::missing_input, spec.path, ": contains no Data_Entry_2017*.csv");
  require_data(found.size() == 1, spec.path, ": contains several tables, ", found.front(), " and ", found.back(),
               "; table=FILE chooses");
  return found.front();
}

// An official list of image names; empty if it is absent.
std::unordered_set<std::string> names_in(const std::string& path) {
  std::unordered_set<std::string> names;
  std::error_code ignored;
  if (!files::exists(path, ignored)) return names;
  // A list is a table without column names: its first row is a name itself.
  TableReader list(path);
  require_data(list.header().size() == 1, path, ": one image name per line is expected");
  names.insert(list.header()[0]);
  while (list.next()) names.emplace(list.field(0));
  return names;
}

void read_findings(const TableReader& table, std::size_t column, std::size_t wanted, std::vector<float>& labels) {
  labels.assign(wanted, 0.0f);
  for (const std::string_view name : split(table.field(column), '|')) {
    const auto found = std::find(findings.begin(), findings.end(), name);
    const auto label = static_cast<std::size_t>(found - findings.begin());
    if (found == findings.end() && name != "No Finding")
      table.reject(column, message("'", name, "' is not a finding of ChestX-ray14"));
    if (label < wanted) labels[label] = 1;
  }
}

}  // namespace

Dataset open_chestxray14(const DatasetSpec& spec) {
  const std::size_t labels = spec.choice("labels", "14", {"14", "8"}) == "8" ? 8 : 14;
  TableReader rows(table_of(spec));
  const std::string folder = images_folder(spec);
  const ImageFinder images(folder);
  const auto train_val = names_in(spec.path + "/train_val_list.txt"), test = names_in(spec.path + "/test_list.txt");
  const std::size_t image = rows.require_column("Image Index"), finding = rows.require_column("Finding Labels"),
                    patient = rows.require_column("Patient ID");
  const auto age = rows.find("Patient Age"), sex = rows.find("Patient Gender"), view = rows.find("View Position");
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
    row.part = part_in_path(*path);
    if (row.part == Part::open)
      row.part = test.contains(row.id) ? Part::test : train_val.contains(row.id) ? Part::train : Part::open;
    row.columns = {std::string(rows.field(patient)), sex_text(rows.field(sex)), age_text(rows.field(age)),
                   std::string(rows.field(view))};
    table.add(rows, image, std::move(row));
  }
  table.note_left_out(without_image, message("rows of ", rows.path(), " have no image below ", folder));
  table.note_left_out(images.count() - table.count(),
                      message("images below ", folder, " have no row in ", rows.path()));
  return table.finish(spec, 1);
}

}  // namespace preceptor
