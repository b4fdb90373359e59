// Events of a run as lines, rows and records.
#include "apps/runs/run_log.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "apps/runs/event_file.h"
#include "apps/runs/results.h"
#include "data/images/png_writer.h"
#include "engine/files/check.h"
#include "engine/files/file.h"

namespace preceptor {
namespace {

using Json = nlohmann::ordered_json;
namespace files = std::filesystem;

double now() { return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(); }

Json make_event(const char* kind, int epoch) { return {{"time", now()}, {"event", kind}, {"epoch", epoch}}; }

std::string line_of(const Json& event) {
  // Names of files and labels may hold bytes that are no UTF-8.
  return event.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

void append(const std::string& path, const std::string& bytes) {
  std::ofstream file(path, std::ios::binary | std::ios::app);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  file.flush();
  if (!file) fail(ErrorKind::io, path, " cannot be written");
}

// A file that begins so is cut in place: whoever watches it keeps it open.
void cut_to(const std::string& path, const std::string& bytes) {
  std::error_code error;
  if (files::exists(path, error) && read_file(path).starts_with(bytes)) {
    files::resize_file(path, bytes.size(), error);
    if (error) fail(ErrorKind::io, path, " cannot be cut: ", error.message());
  } else {
    write_file_atomically(path, bytes);
  }
}

Json epoch_event(const EpochRow& row) {
  Json event = make_event("epoch", row.epoch);
  event.update(epoch_json(row));
  return event;
}

// As Markdown, which TensorBoard shows.
std::string table_of(const Json& values) {
  std::string text = "| | |\n|---|---|\n";
  for (const auto& [name, value] : values.items())
    text += "| " + name + " | " + (value.is_string() ? value.get<std::string>() : value.dump()) + " |\n";
  return text;
}

std::string result_records(EventPlace place, const Json& result) {
  const Json test = result.value("test", Json::object());
  std::vector<std::pair<std::string, double>> scalars;
  for (const char* name : {"auc_macro", "accuracy", "loss"})
    scalars.push_back({std::string("test/") + name, number_in(test, name)});
  return scalar_record(place, scalars) + text_record(place, "result", table_of(test));
}

}  // namespace

RunLog::RunLog(const std::string& directory, bool tensorboard) : directory_(directory), tensorboard_(tensorboard) {}

// Whole lines alone count: the last one is half where the process was killed while it wrote.
std::vector<Json> RunLog::written_events() const {
  std::vector<Json> events;
  if (!files::exists(lines_path())) return events;
  const std::string text = read_file(lines_path());
  for (std::size_t begin = 0, end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
    Json event = Json::parse(text.begin() + static_cast<std::ptrdiff_t>(begin),
                             text.begin() + static_cast<std::ptrdiff_t>(end), nullptr, false);
    require_data(event.is_object() && event.contains("time") && event["time"].is_number() && event.contains("event") &&
                     event["event"].is_string() && event.contains("epoch") && event["epoch"].is_number_integer(),
                 lines_path(), " line ", events.size() + 1, ": not an event of a run");
    events.push_back(std::move(event));
  }
  return events;
}

void RunLog::open(const Json& config, const Image& sheet, const std::vector<EpochRow>& committed) {
  sheet_ = sheet;
  epoch_ = committed.empty() ? 0 : committed.back().epoch;
  std::vector<Json> kept = {make_event("start", 0)};
  std::map<std::int64_t, Json> epochs;
  for (const EpochRow& row : committed) epochs[row.epoch] = epoch_event(row);
  for (Json& event : written_events()) {
    const std::string kind = event["event"].get<std::string>();
    const auto epoch = event["epoch"].get<std::int64_t>();
    if (kind == "start") kept.front()["time"] = event["time"];
    if (kind == "epoch" && epochs.contains(epoch)) {
      kept.push_back(std::move(epochs.extract(epoch).mapped()));
      kept.back()["time"] = event["time"];
    }
    if (kind != "note" || epoch > epoch_ || !event.contains("text") || !event["text"].is_string()) continue;
    notes_.push_back(event["text"].get<std::string>());
    kept.push_back(std::move(event));
  }
  kept.front()["config"] = config;
  // Those that a lost log did not hold.
  for (auto& [number, event] : epochs) kept.push_back(std::move(event));
  std::ranges::stable_sort(kept, {}, [](const Json& event) { return event["epoch"].get<std::int64_t>(); });

  std::string lines, records;
  for (const Json& event : kept) {
    lines += line_of(event);
    records += record(event);
  }
  cut_to(lines_path(), lines);
  if (tensorboard_) cut_to(tensorboard_path(), first_record(kept.front()["time"].get<double>()) + records);
  write_file_atomically(metrics_path(), metrics_csv(committed));
  open_ = true;
  for (const std::string& text : waiting_) note(text);
  waiting_.clear();
}

std::string RunLog::record(const Json& event) const {
  const EventPlace place{event["time"].get<double>(), event["epoch"].get<std::int64_t>()};
  const std::string kind = event["event"].get<std::string>();
  if (kind == "start") {
    std::string records = text_record(place, "configuration", table_of(event["config"]));
    if (!sheet_.pixels.empty()) records += image_record(place, "training images", sheet_);
    return records;
  }
  if (kind == "note") return text_record(place, "notes", event["text"].get<std::string>());
  if (kind == "result") return result_records(place, event["result"]);
  return scalar_record(place, epoch_scalars(event));
}

void RunLog::write(const Json& event) {
  append(lines_path(), line_of(event));
  if (tensorboard_) append(tensorboard_path(), record(event));
}

void RunLog::note(const std::string& text) {
  if (!open_) {
    waiting_.push_back(text);
    return;
  }
  if (std::find(notes_.begin(), notes_.end(), text) != notes_.end()) return;
  notes_.push_back(text);
  Json event = make_event("note", epoch_);
  event["text"] = text;
  write(event);
}

void RunLog::epoch(const std::vector<EpochRow>& rows) {
  epoch_ = rows.back().epoch;
  write_file_atomically(metrics_path(), metrics_csv(rows));
  write(epoch_event(rows.back()));
}

void RunLog::result(const Json& result) {
  Json event = make_event("result", epoch_);
  event["result"] = result;
  write(event);
}

Image training_sheet(const Dataset& dataset) {
  constexpr int most = 16, columns = 4, longest = 128;
  const double shrink = std::min(1.0, static_cast<double>(longest) / std::max(dataset.height, dataset.width));
  const int height = std::max(1, static_cast<int>(dataset.height * shrink)),
            width = std::max(1, static_cast<int>(dataset.width * shrink));
  std::vector<Image> tiles;
  for (int i = 0; i < std::min(most, dataset.train.count); ++i) {
    try {
      tiles.push_back(resized({dataset.height, dataset.width, dataset.channels, read_pixels(*dataset.train.images, i)},
                              height, width));
    } catch (const Error&) {
      // Training will name it, or leave it out, as it was told to.
    }
  }
  return image_grid(tiles, columns);
}

}  // namespace preceptor
