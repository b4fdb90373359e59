// Rows that name image files, collected into a data set: the common part of all formats of folders and tables.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "data/formats/listing.h"
#include "data/storage/image_files.h"
#include "data/tables/table.h"

namespace preceptor {

struct ImageRow {
  std::string id;  // unique
  std::string path;
  Part part = Part::open;
  std::vector<float> labels;         // as in Split
  std::vector<std::string> columns;  // one for each of the table's column names
};

class ImageTable {
 public:
  ImageTable(Task task, std::vector<std::string> label_names, std::vector<std::string> column_names);

  // Errors: data, naming both lines, if an earlier row has the same id.
  void add(const TableReader& table, std::size_t id_column, ImageRow row);
  // For rows that do not come from a table.
  void add(ImageRow row);

  // Adds "COUNT REASON: left out" to Dataset::notes, unless the count is 0.
  void note_left_out(std::int64_t count, const std::string& reason);
  int count() const { return listing_.all.count; }

  // The data set of all rows, under the keys size, channels, fit, window and cache (docs/data.md) and those of
  // divide(); columns without any value are dropped. default_channels 0: 3 if any pixel of the first image has a color,
  // else 1. Errors: usage; data, if there are no rows, the first image is unreadable or the cache does not fit.
  Dataset finish(const DatasetSpec& spec, int default_channels, Fundus fundus = Fundus::keep);

 private:
  Listing listing_;
  std::vector<std::string> paths_, notes_;
  std::unordered_map<std::string, std::int64_t> line_of_;
};

// The folder of the images: that of the data set, or images=FOLDER below it.
std::string images_folder(const DatasetSpec& spec);

// "M" or "F", from M, Male, F, Female in upper or lower case; empty (unknown) for anything else.
std::string sex_text(std::string_view text);
// Whole years up to 120, from "58", "58.0", "058Y", "011M" (months) or "023D" (days); otherwise empty (unknown).
std::string age_text(std::string_view text);

}  // namespace preceptor
