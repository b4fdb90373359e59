// Curves as CSV.
#include <algorithm>
#include <filesystem>

#include "apps/evaluation/output.h"
#include "data/metrics/calibration.h"
#include "data/metrics/ranking.h"
#include "data/tables/table.h"
#include "engine/files/check.h"
#include "engine/files/file.h"
#include "engine/files/numbers.h"

namespace preceptor {
namespace {

std::string line(const std::string& start, std::initializer_list<double> values) {
  std::string text = start;
  for (const double value : values) text += "," + number_text(value);
  return text + "\n";
}

// Points between two that share a coordinate with them lie on the line that joins those: only corners are kept.
template <class Point>
std::vector<Point> corners(const std::vector<Point>& points, std::initializer_list<double Point::*> coordinates) {
  std::vector<Point> kept;
  for (std::size_t i = 0; i < points.size(); ++i) {
    const bool inside = i > 0 && i + 1 < points.size();
    if (!inside || std::none_of(coordinates.begin(), coordinates.end(), [&](double Point::*coordinate) {
          return points[i - 1].*coordinate == points[i].*coordinate &&
                 points[i].*coordinate == points[i + 1].*coordinate;
        }))
      kept.push_back(points[i]);
  }
  return kept;
}

}  // namespace

void write_curves(const std::string& folder, const std::vector<Source>& sources) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) fail(ErrorKind::io, folder, ": cannot be created: ", error.message());
  std::string roc = "source,label,threshold,false_positive_rate,sensitivity\n";
  std::string precision_recall = "source,label,threshold,recall,precision\n";
  std::string bins = "source,label,low,high,count,mean_probability,positive_share\n";
  for (const Source& source : sources) {
    for (const Finding& finding : findings(source.table)) {
      const std::string start = csv_field(source.name) + "," + csv_field(finding.name);
      const Ranking ranking(finding);
      for (const RocPoint& point : corners(ranking.roc(), {&RocPoint::false_positive_rate, &RocPoint::sensitivity}))
        roc += line(start, {point.threshold, point.false_positive_rate, point.sensitivity});
      for (const PrecisionRecallPoint& point : corners(ranking.precision_recall(), {&PrecisionRecallPoint::recall}))
        precision_recall += line(start, {point.threshold, point.recall, point.precision});
      for (const ReliabilityBin& bin : reliability(finding))
        bins +=
            line(start, {bin.low, bin.high, static_cast<double>(bin.count), bin.mean_probability, bin.positive_share});
    }
  }
  write_file_atomically(folder + "/roc.csv", roc);
  write_file_atomically(folder + "/precision_recall.csv", precision_recall);
  write_file_atomically(folder + "/reliability.csv", bins);
}

}  // namespace preceptor
