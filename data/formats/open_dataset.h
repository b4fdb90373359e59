// Opens data sets by name.
#pragma once

#include "data/dataset.h"

namespace preceptor {

// FORMAT:PATH[?key=value&...], for example "phantom:chest?site=b&n=500"; data/formats/formats.cpp lists the formats.
// Image files are read later, on demand. Errors: usage for an unknown format or key, missing_input for a missing file,
// data for invalid content.
Dataset open_dataset(const std::string& spec);

// "chexpert:FOLDER, ..., medmnist:FILE.npz, ...": every format with its path, for help texts.
std::string format_list();

}  // namespace preceptor
