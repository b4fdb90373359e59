// Fundus photographs graded for diabetic retinopathy, as EyePACS, APTOS 2019, Messidor-2 and IDRiD publish them: tables
// are recognized by their columns, and the names of several tables tell the part.
#include <algorithm>
#include <filesystem>

#include "data/formats/formats.h"
#include "data/formats/image_table.h"
#include "engine/files/check.h"
#include "engine/files/text.h"

namespace preceptor {
namespace {

namespace files = std::filesystem;

std::optional<std::size_t> first_column(const TableReader& table, std::initializer_list<const char*> names) {
  for (const char* name : names)
    if (const auto column = table.find(name)) return column;
  return std::nullopt;
}

std::optional<std::size_t> image_column(const TableReader& table) {
  return first_column(table, {"image", "id_code", "image_id", "Image name"});
}

std::optional<std::size_t> grade_column(const TableReader& table) {
  return first_column(table, {"level", "diagnosis", "adjudicated_dr_grade", "Retinopathy grade"});
}

std::vector<std::string> tables_below(const std::string& folder) {
  require_folder(folder, "the folder of table and images is expected");
  std::vector<std::string> found;
  for (files::recursive_directory_iterator entry(folder), end; entry != end; ++entry) {
    if (entry.depth() >= 2) entry.disable_recursion_pending();
    const std::string name = lower(entry->path().filename().string());
    if (!name.ends_with(".csv") || name.find("submission") != std::string::npos) continue;
    const TableReader table(entry->path().string());
    if (image_column(table) && grade_column(table)) found.push_back(entry->path().string());
  }
  std::sort(found.begin(), found.end());
  if (found.empty())
    fail(ErrorKind::missing_input, folder,
         ": contains no table of grades: a .csv with a column image, id_code, image_id or Image name and a column "
         "level, diagnosis, adjudicated_dr_grade or Retinopathy grade");
  return found;
}

Part part_of_table(const std::string& path) {
  const std::string name = lower(files::path(path).filename().string());
  if (name.find("test") != std::string::npos || name.find("solution") != std::string::npos) return Part::test;
  return name.find("val") != std::string::npos ? Part::val : Part::train;
}

std::string patient_of(const std::string& image) {
  const std::size_t eye = std::min(image.find("_left"), image.find("_right"));
  return eye == std::string::npos ? std::string() : image.substr(0, eye);
}

}  // namespace

Dataset open_retinopathy(const DatasetSpec& spec) {
  const std::string name = spec.choice("fundus", "keep", {"keep", "crop", "graham"});
  const std::string folder = images_folder(spec);
  const std::vector<std::string> paths = tables_below(spec.path);
  const ImageFinder images(folder);
  ImageTable table(Task::ordinal, {"grade 0", "grade 1", "grade 2", "grade 3", "grade 4"}, {"patient"});
  for (const std::string& path : paths) {
    TableReader rows(path);
    const std::size_t image = *image_column(rows), grade = *grade_column(rows);
    std::int64_t without_image = 0, without_grade = 0;
    while (rows.next()) {
      if (rows.field(grade).empty()) {
        ++without_grade;
        continue;
      }
      const double value = rows.number(grade);
      if (!(value == 0 || value == 1 || value == 2 || value == 3 || value == 4))
        rows.reject(grade, message("'", rows.field(grade), "' is not a grade from 0 to 4"));
      ImageRow row;
      row.id = rows.field(image);
      const std::string* file = images.find(row.id);
      if (file == nullptr) {
        ++without_image;
        continue;
      }
      row.path = folder + "/" + *file;
      row.part = paths.size() > 1 ? part_of_table(path) : Part::open;
      row.labels = {static_cast<float>(value)};
      row.columns = {patient_of(row.id)};
      table.add(rows, image, std::move(row));
    }
    table.note_left_out(without_grade, message("rows of ", path, " have no grade"));
    table.note_left_out(without_image, message("rows of ", path, " have no image below ", folder));
  }
  return table.finish(spec, 3, name == "crop" ? Fundus::crop : name == "graham" ? Fundus::graham : Fundus::keep);
}

}  // namespace preceptor
