// The report of a study: one HTML file that needs nothing else, for a screen, a phone or a printer.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "apps/studies/comparison.h"

namespace preceptor {

// An image as the networks see it and the same patient drawn larger, both [size, size, channels] bytes.
struct Picture {
  std::string caption;
  int size = 0, large_size = 0, channels = 1;
  std::vector<std::uint8_t> pixels, large_pixels;
};

struct PictureRow {
  std::string title;
  std::vector<Picture> pictures;
};

struct Report {
  std::string title, question;  // a heading, and a sentence on what was tried
  Comparison comparison;
  std::vector<PictureRow> pictures;
  std::vector<std::pair<std::string, std::string>> settings;  // how it was made, name and value
};

std::string render_report(const Report& report);

}  // namespace preceptor
