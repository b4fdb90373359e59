// Images of a data set that cannot be read: found before the first step, and left out on request.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "data/dataset.h"

namespace preceptor {

struct BadImage {
  std::string split, id, reason;
};

// Errors: missing_input, if the file of an image does not exist; the message counts them and names the first. Files
// are not opened.
void require_image_files(const Dataset& data, int threads);

// Reads every image once (`threads` at a time, 0: all cores) and returns those that cannot be read, in order of splits
// and positions. Images in memory are not looked at. `done` is called now and then, from any thread, with the number of
// images read.
std::vector<BadImage> find_bad_images(const Dataset& data, int threads, const std::function<void(int)>& done = {});

// The data set without these images.
Dataset without_images(const Dataset& data, const std::vector<BadImage>& bad);

// "split,id,reason", a row per image, and back. Errors: those of data/tables/table.h.
std::string bad_images_table(const std::vector<BadImage>& bad);
std::vector<BadImage> read_bad_images(const std::string& path);

}  // namespace preceptor
