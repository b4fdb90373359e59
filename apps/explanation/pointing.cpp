// Hits of points in boxes.
#include "apps/explanation/pointing.h"

#include <algorithm>
#include <map>

#include "data/tables/csv.h"
#include "engine/files/check.h"
#include "engine/files/numbers.h"

namespace preceptor {

Point highest_point(const PlaceMap& map, int height, int width) {
  const PlaceMap large = resized(map, height, width);
  const auto at = static_cast<int>(std::max_element(large.values.begin(), large.values.end()) - large.values.begin());
  return {at / width + 0.5, at % width + 0.5};
}

void PointingScore::count(const BoxedFinding& finding, const Point& point, int height, int width) {
  const auto inside = [&](double row, double column) {
    return std::any_of(finding.boxes.begin(), finding.boxes.end(),
                       [&](const Box& box) { return box.holds(row, column); });
  };
  ++findings;
  hits += inside(point.row, point.column);
  int covered = 0;
  for (int row = 0; row < height; ++row)
    for (int column = 0; column < width; ++column) covered += inside(row + 0.5, column + 0.5);
  const double share = static_cast<double>(covered) / (static_cast<double>(height) * width);
  chance += (share - chance) / static_cast<double>(findings);
}

Interval PointingScore::rate() const { return wilson_interval(hits, findings); }

std::vector<BoxedFinding> read_boxes(const std::string& path, const std::vector<std::string>& ids,
                                     const std::vector<std::string>& labels, int height, int width, int size) {
  const CsvTable table = read_csv(path);
  const auto column = [&](const char* name) {
    const std::size_t at = table.find(name);
    require_data(at < table.header.size(), path, ": has no column ", name);
    return at;
  };
  const std::size_t id = column("id"), label = column("label");
  const std::size_t numbers[] = {column("left"), column("top"), column("width"), column("height")};
  std::map<std::string, int> positions;
  for (std::size_t i = 0; i < ids.size(); ++i) positions[ids[i]] = static_cast<int>(i);
  std::map<std::pair<int, int>, std::vector<Box>> boxes;
  for (std::size_t row = 0; row < table.rows.size(); ++row) {
    const std::vector<std::string>& cells = table.rows[row];
    const auto found = std::find(labels.begin(), labels.end(), cells[label]);
    require_data(found != labels.end(), table.place(row, label), ": '", cells[label].substr(0, 100),
                 "' is no label of the data");
    double values[4];
    for (int k = 0; k < 4; ++k) {
      const std::optional<double> value = parse_number(cells[numbers[k]]);
      require_data(value && *value >= 0 && *value <= 1e6, table.place(row, numbers[k]), ": '",
                   cells[numbers[k]].substr(0, 100), "' is no number of pixels");
      values[k] = *value;
    }
    const double scale_x = size > 0 ? static_cast<double>(width) / size : 1,
                 scale_y = size > 0 ? static_cast<double>(height) / size : 1;
    const Box box{values[0] * scale_x, values[1] * scale_y, (values[0] + values[2]) * scale_x,
                  (values[1] + values[3]) * scale_y};
    require_data(box.right <= width + 1 && box.bottom <= height + 1 && box.area() > 0, table.place(row, numbers[0]),
                 ": the box lies outside the image, or is empty");
    const auto image = positions.find(cells[id]);
    if (image != positions.end()) boxes[{image->second, static_cast<int>(found - labels.begin())}].push_back(box);
  }
  std::vector<BoxedFinding> all;
  for (auto& [key, list] : boxes) all.push_back({key.first, key.second, std::move(list)});
  return all;
}

}  // namespace preceptor
