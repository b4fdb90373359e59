// The pointing game (Zhang et al. 2016): does the highest place of a class map lie within a box around the finding?
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "data/images/box.h"
#include "data/metrics/interval.h"
#include "models/class_maps.h"

namespace preceptor {

// The center of the highest pixel of the map, enlarged to the image's size; the first of equals.
struct Point {
  double row = 0, column = 0;
};
Point highest_point(const PlaceMap& map, int height, int width);

// A finding of one image and the boxes around it, in pixels of the data's images.
struct BoxedFinding {
  int image = 0, label = 0;
  std::vector<Box> boxes;
};

// Hits of one label: how often the point lies in a box of its image, and how often a point thrown anywhere would.
struct PointingScore {
  std::uint64_t hits = 0, findings = 0;
  double chance = 0;  // mean share of the image that the boxes cover
  void count(const BoxedFinding& finding, const Point& point, int height, int width);
  Interval rate() const;  // with Wilson's interval
};

// From CSV with the columns id, label, left, top, width, height; several rows may be of one finding. Coordinates are
// pixels of images with edges of `size` pixels (0: those of the data). Rows of images that are not among `ids` are left
// out. Errors: missing_input, io; data with file, line and column: no such label, no number, a box outside the image.
std::vector<BoxedFinding> read_boxes(const std::string& path, const std::vector<std::string>& ids,
                                     const std::vector<std::string>& labels, int height, int width, int size);

}  // namespace preceptor
