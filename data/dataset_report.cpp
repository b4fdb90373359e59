// One parallel pass over the images, then groups and counts from the facts about each of them.
#include "data/dataset_report.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <numeric>
#include <set>
#include <unordered_map>

#include "data/batches/pixel_sums.h"
#include "data/parallel.h"
#include "data/storage/image_hash.h"
#include "engine/files/check.h"

namespace preceptor {
namespace {

struct Facts {
  std::uint64_t content = 0;
  DifferenceHash look{};
  bool readable = false, constant = false;
};

class Examination {
 public:
  Examination(const Dataset& data, int threads) : data_(data), threads_(threads) {
    for (const Split* split : data.splits()) first_.push_back(first_.back() + split->count);
    facts_.resize(first_.back());
    sums_.assign(3, PixelSums(data.channels));
  }

  void read(const std::function<void(int)>& done) {
    std::atomic<int> read = 0;
    for (std::size_t s = 0; s < 3; ++s) {
      const Split& split = *data_.splits()[s];
      parallel_for(split.count, threads_, [&](int i) {
        read_image_of(s, split, i);
        const int so_far = ++read;
        if (done && so_far % 64 == 0) done(so_far);
      });
    }
    std::sort(unreadable_.begin(), unreadable_.end());
  }

  DatasetReport report() const {
    DatasetReport report;
    for (std::size_t s = 0; s < 3; ++s) report.splits.push_back(split_report(s));
    report.forms = forms_;
    for (const auto& [place, reason] : unreadable_) report.unreadable.push_back({name_of(place), reason});
    for (int i = 0; i < first_.back(); ++i)
      if (facts_[i].constant) report.constant.push_back(name_of(i));
    report.shared = {shared(0, 1), shared(0, 2), shared(1, 2)};
    group_identical(report);
    group_alike(report);
    return report;
  }

 private:
  void read_image_of(std::size_t s, const Split& split, int i) {
    const int place = first_[s] + i;
    Facts& facts = facts_[place];
    PixelSums sums(data_.channels);
    std::string form;
    try {
      const std::vector<std::uint8_t> pixels = read_pixels(*split.images, i);
      sums.add(pixels);
      facts.constant = std::equal(pixels.begin() + data_.channels, pixels.end(), pixels.begin());
      const std::string file = split.images->file(i);
      const Image image = file.empty() ? Image{data_.height, data_.width, data_.channels, pixels} : read_image(file);
      facts.content = content_hash(image.pixels, static_cast<std::uint64_t>(image.height) << 32 | image.channels);
      facts.look = difference_hash(image);
      facts.readable = true;
      form = form_of(image, file);
    } catch (const Error& error) {
      const std::lock_guard lock(mutex_);
      unreadable_.emplace_back(place, error.what());
      return;
    }
    const std::lock_guard lock(mutex_);
    sums_[s].add(sums);
    ++forms_[form];
  }

  // Size and mode as stored: from the header of PNG files, from the decoder for all others.
  static std::string form_of(const Image& image, const std::string& file) {
    std::string text = std::to_string(image.height) + "x" + std::to_string(image.width);
    unsigned char head[26] = {};
    std::ifstream(file, std::ios::binary).read(reinterpret_cast<char*>(head), sizeof head);
    if (head[0] == 0x89 && head[1] == 'P') {
      constexpr const char* modes[] = {"grey", "?", "RGB", "palette", "grey and alpha", "?", "RGBA"};
      return text + " PNG " + (head[25] <= 6 ? modes[head[25]] : "?") + " " + std::to_string(head[24]) + " bit";
    }
    std::string ending = std::filesystem::path(file).extension().string();
    std::transform(ending.begin(), ending.end(), ending.begin(), [](unsigned char c) { return std::toupper(c); });
    return text + (ending.empty() ? "" : " " + ending.substr(1)) + (image.channels == 1 ? " grey" : " RGB");
  }

  ImageName name_of(int place) const {
    const std::size_t s = split_of(place);
    return {split_names[s], data_.splits()[s]->ids[place - first_[s]]};
  }
  std::size_t split_of(int place) const { return place < first_[1] ? 0 : place < first_[2] ? 1 : 2; }

  SplitReport split_report(std::size_t s) const {
    const Split& split = *data_.splits()[s];
    SplitReport report;
    report.name = split_names[s];
    report.images = split.count;
    if (const auto* patients = split.column("patient")) {
      report.knows_patients = true;
      std::set<std::string> known(patients->begin(), patients->end());
      known.erase("");
      report.patients = static_cast<int>(known.size());
    }
    for (int l = 0; l < data_.outputs; ++l) {
      LabelReport label{data_.label_names[l], 0, 0, 0};
      for (int i = 0; i < split.count; ++i) {
        const bool several = data_.task == Task::multi_label;
        const float value =
            several ? split.labels[static_cast<std::size_t>(i) * data_.outputs + l] : class_of(split, i) == l;
        ++(std::isnan(value) ? label.unknown : value > 0.5f ? label.positive : label.negative);
      }
      report.labels.push_back(label);
    }
    if (sums_[s].pixels() > 0)
      for (int c = 0; c < data_.channels; ++c) {
        report.mean.push_back(sums_[s].mean(c) / 255);
        report.deviation.push_back(sums_[s].deviation(c) / 255);
      }
    return report;
  }

  SharedPatients shared(std::size_t one, std::size_t other) const {
    SharedPatients result{split_names[one], split_names[other], {}};
    const auto *first = data_.splits()[one]->column("patient"), *second = data_.splits()[other]->column("patient");
    if (first == nullptr || second == nullptr) return result;
    std::set<std::string> here(first->begin(), first->end()), both;
    for (const std::string& patient : *second)
      if (!patient.empty() && here.contains(patient)) both.insert(patient);
    result.patients.assign(both.begin(), both.end());
    return result;
  }

  DuplicateGroup group_of(const std::vector<int>& places) const {
    DuplicateGroup group;
    for (const int place : places) group.images.push_back(name_of(place));
    return group;
  }

  void group_identical(DatasetReport& report) const {
    std::unordered_map<std::uint64_t, std::vector<int>> places;
    for (int i = 0; i < first_.back(); ++i)
      if (facts_[i].readable) places[facts_[i].content].push_back(i);
    std::vector<std::vector<int>> groups;
    for (auto& [hash, those] : places)
      if (those.size() > 1) groups.push_back(std::move(those));
    std::sort(groups.begin(), groups.end());
    for (const std::vector<int>& group : groups) report.identical.push_back(group_of(group));
  }

  // Leaves out constant pictures, which all look alike.
  void group_alike(DatasetReport& report) const {
    std::vector<int> candidates;
    for (int i = 0; i < first_.back(); ++i)
      if (facts_[i].readable && !facts_[i].constant) candidates.push_back(i);
    std::vector<std::pair<int, int>> pairs;
    std::mutex mutex;
    const int count = static_cast<int>(candidates.size());
    parallel_for(count, threads_, [&](int a) {
      const DifferenceHash& look = facts_[candidates[a]].look;
      for (int b = a + 1; b < count; ++b) {
        const DifferenceHash& other = facts_[candidates[b]].look;
        // A quarter of the bits decides nearly every pair.
        if (std::popcount(look[1] ^ other[1]) > near_distance || distance(look, other) > near_distance) continue;
        const std::lock_guard lock(mutex);
        pairs.emplace_back(candidates[a], candidates[b]);
      }
    });
    std::vector<int> leader(facts_.size());
    std::iota(leader.begin(), leader.end(), 0);
    const auto find = [&](int i) {
      while (leader[i] != i) i = leader[i] = leader[leader[i]];
      return i;
    };
    for (const auto& [a, b] : pairs) {
      const int one = find(a), other = find(b);
      leader[std::max(one, other)] = std::min(one, other);
    }
    std::map<int, std::vector<int>> groups;
    for (const int i : candidates) groups[find(i)].push_back(i);
    for (const auto& group : groups) {
      const std::vector<int>& places = group.second;
      const bool identical = std::all_of(places.begin(), places.end(),
                                         [&](int i) { return facts_[i].content == facts_[places[0]].content; });
      if (!identical) report.alike.push_back(group_of(places));
    }
  }

  const Dataset& data_;
  int threads_;
  std::vector<int> first_ = {0};  // of each split among all images, then their number
  std::vector<Facts> facts_;      // in the order of splits and positions
  std::vector<PixelSums> sums_;
  std::map<std::string, int> forms_;
  std::vector<std::pair<int, std::string>> unreadable_;
  std::mutex mutex_;
};

}  // namespace

std::vector<std::string> SplitReport::undefined() const {
  std::vector<std::string> names;
  if (images == 0) return names;
  for (const LabelReport& label : labels)
    if (label.positive == 0 || label.negative == 0) names.push_back(label.name);
  return names;
}

bool DuplicateGroup::across_splits() const {
  return std::any_of(images.begin(), images.end(),
                     [&](const ImageName& image) { return image.split != images.front().split; });
}

DatasetReport examine(const Dataset& data, int threads, const std::function<void(int)>& done) {
  Examination examination(data, threads);
  examination.read(done);
  return examination.report();
}

}  // namespace preceptor
