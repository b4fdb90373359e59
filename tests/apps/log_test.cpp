// The three logs of a run: same numbers, no step twice, nothing but times differs between two runs with one seed.
#include <cmath>

#include "apps/runs/run_log.h"
#include "data/images/image.h"
#include "event_reader.h"
#include "process.h"

namespace preceptor::test {
namespace {

const std::string event_file = "events.out.tfevents.0.preceptor";

std::vector<nlohmann::json> lines_of(const std::string& text) {
  std::vector<nlohmann::json> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(parse_json(line));
  return lines;
}

// Without what a clock decides.
std::vector<nlohmann::json> timeless(std::vector<nlohmann::json> lines) {
  for (nlohmann::json& line : lines) {
    for (const char* name : {"time", "seconds", "images_per_second"}) line.erase(name);
    if (!line.contains("result")) continue;
    for (const char* name : {"seconds", "images_per_second", "peak_memory_bytes", "device_memory_bytes"})
      line["result"].erase(name);
  }
  return lines;
}

EpochRow row(int epoch) {
  EpochRow made;
  made.epoch = epoch;
  made.val_auc = 0.5 + 0.1 * epoch;
  made.val_loss = epoch == 2 ? std::nan("") : 1.0 / epoch;
  return made;
}

std::vector<EpochRow> rows(int epochs) {
  std::vector<EpochRow> all;
  for (int epoch = 1; epoch <= epochs; ++epoch) all.push_back(row(epoch));
  return all;
}

// The check value of CRC-32C that its catalogues give for these digits is 0xE3069283.
TEST(EventFile, ChecksumOfTheCatalogue) {
  EXPECT_EQ(masked_crc32c("123456789"), 0xc78ab0e5u);
  EXPECT_EQ(masked_crc32c(""), 0xa282ead8u);
}

TEST(RunLog, ThreeFilesOneStory) {
  const Workplace place;
  place.run(tiny_training("run"));
  const std::vector<nlohmann::json> lines = lines_of(place.bytes("run/events.jsonl"));
  ASSERT_EQ(lines.size(), 4u);
  const std::vector<std::string> kinds = {"start", "epoch", "epoch", "result"};
  for (std::size_t i = 0; i < lines.size(); ++i) EXPECT_EQ(lines[i]["event"], kinds[i]);
  EXPECT_EQ(lines[0]["config"]["model"], "resnet8");
  EXPECT_EQ(lines[3]["result"]["test"], place.json("run/result.json")["test"]);

  const std::vector<ReadEvent> events = read_events(place.bytes("run/" + event_file));
  ASSERT_EQ(events.size(), 7u);  // version, configuration, images, two epochs, test, its table
  EXPECT_EQ(events[0].version, "brain.Event:2");
  EXPECT_NE(events[1].texts.at("configuration").find("| model | resnet8 |"), std::string::npos);
  write_bytes(place.path("sheet.png"), events[2].pngs.at("training images"));
  const Image sheet = read_image(place.path("sheet.png"));
  EXPECT_EQ(sheet.height, 4 * 32 + 3 * 2);
  EXPECT_EQ(sheet.width, sheet.height);

  std::istringstream csv(place.bytes("run/metrics.csv"));
  std::string header, first, cell;
  std::getline(csv, header);
  std::getline(csv, first);
  std::istringstream cells(first);
  std::vector<double> values;
  while (std::getline(cells, cell, ',')) values.push_back(std::stod(cell));
  EXPECT_EQ(lines[1]["val_auc"], values.at(7));
  EXPECT_EQ(events[3].step, 1);
  EXPECT_EQ(events[3].time, lines[1]["time"]);
  EXPECT_EQ(events[3].scalars.at("AUC/validation"), static_cast<float>(values.at(7)));
  EXPECT_EQ(events[3].scalars.at("loss/training"), static_cast<float>(values.at(2)));
  EXPECT_EQ(events[3].scalars.size(), values.size() - 1);
  EXPECT_EQ(events[5].scalars.at("test/auc_macro"), lines[3]["result"]["test"]["auc_macro"].get<float>());
}

TEST(RunLog, OnlyTimesDifferBetweenTwoRuns) {
  const Workplace place;
  place.run(tiny_training("a", {"--no-tensorboard"}));
  place.run(tiny_training("b", {"--no-tensorboard"}));
  EXPECT_EQ(timeless(lines_of(place.bytes("a/events.jsonl"))), timeless(lines_of(place.bytes("b/events.jsonl"))));
  EXPECT_FALSE(place.exists("a/" + event_file));
}

// Killed after the epoch's line and before its commit, or within a line: the epoch is repeated and stands there once.
TEST(RunLog, GoesOnBehindTheCommittedEpoch) {
  const TemporaryFolder folder;
  const nlohmann::ordered_json config = {{"model", "resnet8"}};
  const Image sheet{2, 2, 1, {0, 80, 160, 240}};
  RunLog log(folder.file(""), true);
  log.note("before");
  log.open(config, sheet, {});
  log.epoch(rows(1));
  log.epoch(rows(2));
  log.note("between");
  log.epoch(rows(3));
  const std::string lines = read_bytes(folder.file("events.jsonl")), records = read_bytes(folder.file(event_file));
  write_bytes(folder.file("events.jsonl"), lines + "{\"time\": 17, \"eve");
  write_bytes(folder.file(event_file), records + "half");

  RunLog again(folder.file(""), true);
  again.note("before");  // is not repeated
  again.open(config, sheet, rows(2));
  again.epoch(rows(3));
  std::vector<std::int64_t> steps;
  for (const ReadEvent& event : read_events(read_bytes(folder.file(event_file)))) {
    if (event.scalars.empty()) continue;
    steps.push_back(event.step);
    EXPECT_EQ(std::isnan(event.scalars.at("loss/validation")), event.step == 2);
  }
  EXPECT_EQ(steps, (std::vector<std::int64_t>{1, 2, 3}));
  const std::vector<nlohmann::json> written = lines_of(lines),
                                    repeated = lines_of(read_bytes(folder.file("events.jsonl")));
  EXPECT_EQ(timeless(repeated), timeless(written));
  for (std::size_t i = 0; i + 1 < written.size(); ++i)
    EXPECT_EQ(repeated.at(i)["time"], written[i]["time"]) << "an event of the past got another time";
  // Committed lines are not written anew, so a program can keep watching the file.
  ASSERT_GT(records.size(), 1000u);
  EXPECT_TRUE(read_bytes(folder.file(event_file)).starts_with(records.substr(0, records.size() - 400)));
}

// A run of an earlier version has no events: they begin with what metrics.csv knows.
TEST(RunLog, BeginsWithTheRowsThatAreThere) {
  const TemporaryFolder folder;
  RunLog log(folder.file(""), true);
  log.open({{"model", "resnet8"}}, {}, rows(2));
  std::vector<std::string> kinds;
  for (const nlohmann::json& line : lines_of(read_bytes(folder.file("events.jsonl")))) kinds.push_back(line["event"]);
  EXPECT_EQ(kinds, (std::vector<std::string>{"start", "epoch", "epoch"}));
}

TEST(RunLog, NamesTheLineThatIsNoEvent) {
  const Workplace place;
  place.run(tiny_training("run"));
  const std::string lines = place.bytes("run/events.jsonl");
  for (const char* line : {"{\"time\": 1, \"event\": \"epoch\"}\n", "[1, 2]\n", "\xff\n", "{\"time\": 1,\n"}) {
    write_bytes(place.path("run/events.jsonl"), lines + line);
    place.refuse({"preceptor-train", "--resume", "run"}, 65, {"run/events.jsonl line 5", "not an event"});
  }
}

}  // namespace
}  // namespace preceptor::test
