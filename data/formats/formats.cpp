// The table of data formats, and what follows from it: opening by name, lists of formats and keys.
#include "data/formats/formats.h"

#include "data/formats/open_dataset.h"
#include "data/phantoms/phantom.h"
#include "engine/files/check.h"
#include "engine/files/text.h"

namespace preceptor {

std::span<const DataFormat> data_formats() {
  using enum ImageStorage;
  static const DataFormat formats[] = {
      {"chexpert", "FOLDER", files, open_chexpert, "labels view uncertain predictions blank",
       "chest films with train.csv and valid.csv as Stanford publishes them"},
      {"chestxray14", "FOLDER", files, open_chestxray14, "labels images table",
       "chest films with Data_Entry_2017.csv as the NIH publishes them"},
      {"retinopathy", "FOLDER", files, open_retinopathy, "fundus images",
       "fundus photographs with a table of grades (EyePACS, APTOS, Messidor-2, IDRiD)"},
      {"medmnist", "FILE.npz", memory, open_medmnist, "task", "a two-dimensional MedMNIST set of any image size"},
      {"folder", "FOLDER", files, open_class_folders, "task patient", "images in one folder per class"},
      {"table", "FILE.csv", files, open_labelled_table,
       "image labels label separator none task images ending patient sex age view site part",
       "images and labels named by a table of your own"},
      {"phantom", "chest|fundus", generated, open_phantom, "site n val test size seed",
       "synthetic images drawn from a seed"},
  };
  return formats;
}

std::vector<std::string> DataFormat::keys() const {
  std::string all = own_keys;
  if (images != ImageStorage::generated) all = "n val test seed split fold " + all;
  if (images == ImageStorage::files) all += " size channels fit window cache";
  const std::vector<std::string_view> words = split(all, ' ');
  return {words.begin(), words.end()};
}

const DataFormat& find_format(const DatasetSpec& spec) {
  for (const DataFormat& format : data_formats())
    if (spec.format == format.name) return format;
  fail(ErrorKind::usage, spec.text, ": unknown format '", spec.format,
       "'; valid formats: ", list(data_formats(), &DataFormat::name));
}

Dataset open_dataset(const std::string& spec) {
  const DatasetSpec parsed = parse_dataset_spec(spec);
  const DataFormat& format = find_format(parsed);
  parsed.allow_only(format.keys());
  return format.open(parsed);
}

std::string format_list() {
  return list(data_formats(), [](const DataFormat& format) { return std::string(format.name) + ":" + format.path; });
}

}  // namespace preceptor
