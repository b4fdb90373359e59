// preceptor-data check: reads a whole data set and reports problems that would spoil a result.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <mutex>
#include <nlohmann/json.hpp>

#include "apps/command_line/command_line.h"
#include "apps/command_line/progress.h"
#include "apps/command_line/text_table.h"
#include "apps/dataset/commands.h"
#include "data/dataset_report.h"
#include "data/formats/open_dataset.h"
#include "data/images/png_writer.h"
#include "engine/files/check.h"
#include "engine/files/file.h"

namespace preceptor {
namespace {

constexpr std::size_t most_examples = 5;

struct CheckOptions {
  std::string data, json, sheet;
  int threads = 0;
};

bool parse(CheckOptions& options, int argc, char** argv) {
  OptionTable table;
  table(options.data, "data", "FORMAT:PATH", "As for preceptor-train; see docs/data.md", {.required = true});
  table(options.json, "--json", "FILE", "Write the whole report as one JSON object");
  table(options.sheet, "--contact-sheet", "FILE", "Write a PNG of training images, a row for each label");
  add_threads(table, options.threads);
  return parse_command_line(
      {"preceptor-data check",
       "Reads every image of a data set and reports how many there are, with which labels, and what is wrong with "
       "them.",
       "Example:\n"
       "  preceptor-data check chestxray14:nih/ --json check.json --contact-sheet sheet.png\n\n"
       "The exit code is 65 if images cannot be read, if patients or identical images are in two splits, or if a "
       "label\n"
       "is not both present and absent in val or test. Images that look alike or are constant are only named."},
      table, argc, argv);
}

std::string name_text(const ImageName& image) { return image.split + " " + image.id; }

template <class Items, class Text>
void print_examples(const Items& items, const Text& text) {
  for (std::size_t i = 0; i < std::min(items.size(), most_examples); ++i) std::printf("  %s\n", text(items[i]).c_str());
  if (items.size() > most_examples) std::printf("  ... and %zu more\n", items.size() - most_examples);
}

std::string group_text(const DuplicateGroup& group) {
  std::string text;
  for (std::size_t i = 0; i < std::min(group.images.size(), most_examples); ++i)
    text += (i > 0 ? ", " : "") + name_text(group.images[i]);
  return text + (group.images.size() > most_examples ? ", ..." : "");
}

void print_splits(const Dataset& data, const DatasetReport& report) {
  const auto print_row = [&](const std::string& title, const auto& text) {
    std::printf("%-28s", title.c_str());
    for (const SplitReport& split : report.splits) std::printf("%18s", std::string(text(split)).c_str());
    std::printf("\n");
  };
  print_row("", [](const SplitReport& split) { return split.name; });
  print_row("images", [](const SplitReport& split) { return std::to_string(split.images); });
  print_row("patients",
            [](const SplitReport& split) { return split.knows_patients ? std::to_string(split.patients) : "unknown"; });
  for (int c = 0; c < data.channels; ++c)
    print_row(message("mean, deviation", data.channels > 1 ? message(" ", "RGB"[c]) : ""), [&](const auto& split) {
      return split.mean.empty() ? "-" : decimal(split.mean[c]) + ", " + decimal(split.deviation[c]);
    });
  for (std::size_t l = 0; l < data.label_names.size(); ++l)
    print_row(data.label_names[l], [&](const SplitReport& split) {
      const LabelReport& label = split.labels[l];
      const int known = label.positive + label.negative;
      return std::to_string(label.positive) + " (" + decimal(known > 0 ? 100.0 * label.positive / known : 0.0, 1) +
             " %)" + (label.unknown > 0 ? " ?" + std::to_string(label.unknown) : "");
    });
}

void print_groups(const char* title, const std::vector<DuplicateGroup>& groups) {
  const auto across = std::count_if(groups.begin(), groups.end(), [](const auto& g) { return g.across_splits(); });
  std::printf("%s: %zu groups, %td of them across splits\n", title, groups.size(), across);
  std::vector<DuplicateGroup> order = groups;
  std::stable_partition(order.begin(), order.end(), [](const auto& group) { return group.across_splits(); });
  print_examples(order, group_text);
}

void print_report(const Dataset& data, const DatasetReport& report) {
  std::printf("%s: %s, %d %s, images of %dx%d, %s\n", data.source.c_str(), to_string(data.task), data.outputs,
              data.task == Task::multi_label ? "labels" : "classes", data.height, data.width,
              data.channels == 1 ? "grey" : "colour");
  for (const std::string& text : data.notes) std::printf("note: %s\n", text.c_str());
  print_splits(data, report);
  std::printf("stored as:");
  std::vector<std::pair<int, std::string>> forms;
  for (const auto& [form, count] : report.forms) forms.emplace_back(-count, form);
  std::sort(forms.begin(), forms.end());
  for (std::size_t i = 0; i < std::min<std::size_t>(forms.size(), 8); ++i)
    std::printf("%s %s (%d)", i > 0 ? "," : "", forms[i].second.c_str(), -forms[i].first);
  std::printf("%s\n", forms.size() > 8 ? message(", and ", forms.size() - 8, " other forms").c_str() : "");
  std::printf("patients shared:");
  for (const SharedPatients& shared : report.shared)
    std::printf(" %s-%s %zu", shared.one.c_str(), shared.other.c_str(), shared.patients.size());
  std::printf("\n");
  for (const SharedPatients& shared : report.shared)
    if (!shared.patients.empty())
      print_examples(shared.patients,
                     [&](const std::string& id) { return shared.one + " and " + shared.other + ": " + id; });
  for (const SplitReport& split : report.splits)
    for (const std::string& label : split.undefined())
      std::printf("undefined on %s: %s is not both present and absent\n", split.name.c_str(), label.c_str());
  std::printf("unreadable images: %zu\n", report.unreadable.size());
  print_examples(report.unreadable,
                 [](const NotedImage& noted) { return name_text(noted.image) + ": " + noted.reason; });
  std::printf("constant images: %zu\n", report.constant.size());
  print_examples(report.constant, name_text);
  print_groups("identical images", report.identical);
  print_groups("images that look alike", report.alike);
}

nlohmann::ordered_json name_json(const ImageName& image) { return {{"split", image.split}, {"id", image.id}}; }

// A list of the items as `entry` makes JSON of them.
template <class Items, class Entry>
nlohmann::ordered_json list_json(const Items& items, const Entry& entry) {
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (const auto& item : items) json.push_back(entry(item));
  return json;
}

nlohmann::ordered_json report_json(const Dataset& data, const DatasetReport& report) {
  nlohmann::ordered_json json;
  json["format"] = "preceptor-data-check-1";
  json["data"] = data.source;
  json["task"] = to_string(data.task);
  json["height"] = data.height;
  json["width"] = data.width;
  json["channels"] = data.channels;
  json["notes"] = data.notes;
  for (const SplitReport& split : report.splits) {
    nlohmann::ordered_json& part = json["splits"][split.name];
    part["images"] = split.images;
    if (split.knows_patients) part["patients"] = split.patients;
    part["mean"] = split.mean;
    part["deviation"] = split.deviation;
    for (const LabelReport& label : split.labels)
      part["labels"][label.name] = {
          {"positive", label.positive}, {"negative", label.negative}, {"unknown", label.unknown}};
    part["undefined"] = split.undefined();
  }
  json["stored"] = report.forms;
  for (const SharedPatients& shared : report.shared)
    json["shared_patients"][shared.one + "-" + shared.other] = shared.patients;
  const auto group_json = [](const DuplicateGroup& group) { return list_json(group.images, name_json); };
  json["unreadable"] = list_json(report.unreadable, [](const NotedImage& noted) -> nlohmann::ordered_json {
    return {{"split", noted.image.split}, {"id", noted.image.id}, {"reason", noted.reason}};
  });
  json["constant"] = list_json(report.constant, name_json);
  json["identical"] = list_json(report.identical, group_json);
  json["alike"] = list_json(report.alike, group_json);
  return json;
}

// One row of training images per label, the last one for images without any; gaps are grey.
void write_sheet(const Dataset& data, const std::string& path) {
  constexpr std::size_t columns = 12, most_rows = 32;
  constexpr int edge = 96;
  const bool several = data.task == Task::multi_label;
  const auto groups = static_cast<std::size_t>(data.outputs + (several ? 1 : 0));
  const int height = std::min(data.height, edge), width = std::min(data.width, edge);
  std::vector<std::vector<Image>> rows(groups);
  for (int i = 0; i < data.train.count; ++i) {
    // An image with several findings goes to the one with the fewest pictures so far.
    auto row = static_cast<std::size_t>(several ? data.outputs : class_of(data.train, i));
    for (std::size_t l = 0; several && l + 1 < groups; ++l)
      if (data.train.labels[static_cast<std::size_t>(i) * data.outputs + l] > 0.5f &&
          (row == groups - 1 || rows[l].size() < rows[row].size()))
        row = l;
    if (rows[row].size() == columns) continue;
    try {
      const Image image{data.height, data.width, data.channels, read_pixels(*data.train.images, i)};
      rows[row].push_back(resized(image, height, width));
    } catch (const Error&) {  // reported already
    }
  }
  Image empty{height, width, data.channels, {}};
  empty.pixels.assign(static_cast<std::size_t>(height) * width * data.channels, 96);
  std::vector<Image> tiles;
  for (std::size_t row = 0; row < std::min(groups, most_rows); ++row) {
    rows[row].resize(columns, empty);
    tiles.insert(tiles.end(), rows[row].begin(), rows[row].end());
  }
  write_file_atomically(path, png_bytes(image_grid(tiles, static_cast<int>(columns))));
}

std::string problems(const DatasetReport& report) {
  std::vector<std::string> all;
  if (!report.unreadable.empty()) all.push_back(message(report.unreadable.size(), " images cannot be read"));
  for (const SharedPatients& shared : report.shared)
    if (!shared.patients.empty())
      all.push_back(message(shared.patients.size(), " patients of ", shared.one, " are in ", shared.other, " too"));
  const auto across = std::count_if(report.identical.begin(), report.identical.end(),
                                    [](const auto& group) { return group.across_splits(); });
  if (across > 0) all.push_back(message(across, " groups of identical images are in more than one split"));
  for (const SplitReport& split : report.splits)
    if (split.name != "train" && !split.undefined().empty())
      all.push_back(message(split.undefined().size(), " labels are undefined on ", split.name));
  std::string text;
  for (const std::string& problem : all) text += (text.empty() ? "" : "; ") + problem;
  return text;
}

}  // namespace

int run_data_check(int argc, char** argv) {
  CheckOptions options;
  if (!parse(options, argc, argv)) return 0;
  const Dataset data = open_dataset(options.data);
  const auto images = static_cast<std::size_t>(data.train.count + data.val.count + data.test.count);
  ImageProgress progress(images);
  std::mutex mutex;
  const DatasetReport report = examine(data, options.threads, [&](int done) {
    const std::lock_guard lock(mutex);
    progress(static_cast<std::size_t>(done));
  });
  progress(images);
  print_report(data, report);
  std::fflush(stdout);
  if (!options.json.empty()) write_file_atomically(options.json, report_json(data, report).dump(1) + "\n");
  if (!options.sheet.empty()) write_sheet(data, options.sheet);
  const std::string found = problems(report);
  require_data(found.empty(), options.data, ": ", found);
  return 0;
}

}  // namespace preceptor
