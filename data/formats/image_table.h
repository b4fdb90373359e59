// Rows that name image files, gathered into a data set: what all formats of folders and tables have in common.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "data/formats/listing.h"
#include "data/storage/image_files.h"
#include "data/tables/table.h"

namespace preceptor {

// The keys that finish() understands, with those of data/formats/listing.h, before `own` keys of a format:
//   size=N       height and width that images are resized to. Without it those of the first image, if it is square and
//                at most 224 pixels, else 224
//   channels=N   1 (grey) or 3 (color). Without it what the format says, or what the first image holds: 3 if any pixel
//                has a color
//   fit=stretch|crop|pad   a picture of other proportions is stretched, cut in the middle or bordered with black
//   window=own|percentile|LOW,HIGH   of grey values of more than 8 bits (data/images/grey_window.h)
//   cache=FILE   a file of preceptor-data cache; cache=no: none, not even the one beside the data
//   (data/storage/image_cache.h)
std::vector<std::string> with_image_keys(std::vector<std::string> own);

struct ImageRow {
  std::string id;    // unique
  std::string path;  // of the file
  Part part = Part::open;
  std::vector<float> labels;         // as in Split
  std::vector<std::string> columns;  // as many as the table has names of columns
};

class ImageTable {
 public:
  ImageTable(Task task, std::vector<std::string> label_names, std::vector<std::string> column_names);

  // Errors: data, if the id is that of an earlier row; the message names both lines.
  void add(const TableReader& table, std::size_t id_column, ImageRow row);
  // For rows that stand in no table.
  void add(ImageRow row);

  // Remarks for Dataset::notes.
  void note(const std::string& text) { notes_.push_back(text); }
  int count() const { return listing_.all.count; }

  // The data set of all rows. Columns that are empty throughout are left out. default_channels 0: as the first image
  // is. Errors: usage; data, without rows, for an unreadable first image or a cache that does not fit.
  Dataset finish(const DatasetSpec& spec, int default_channels, Fundus fundus = Fundus::keep);

 private:
  Listing listing_;
  std::vector<std::string> paths_, notes_;
  std::unordered_map<std::string, std::int64_t> line_of_;
};

// Where the images of a data set in a folder are: the folder itself, or images=FOLDER below it.
std::string images_folder(const DatasetSpec& spec);

// "M", "F" or empty, from M, Male, F, Female in upper or lower case; anything else is unknown.
std::string sex_text(std::string_view text);
// Whole years up to 120, from "58", "58.0" or "058Y"; "011M" and "023D" (months, days) are less than a year or so many
// twelfths. Anything else is unknown.
std::string age_text(std::string_view text);
// train, val (valid, validation, dev), test as a Part; Part::open for an empty text. Errors: data, by the table.
Part part_named(const TableReader& table, std::size_t column);

}  // namespace preceptor
