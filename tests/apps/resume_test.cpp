// Runs that are killed and resumed end with the bytes of runs that were not.
#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "event_reader.h"
#include "process.h"

namespace preceptor::test {
namespace {

const Arguments shape_of_run = {
    "--epochs",   "6",       "--augment",  "flip,shift=2,rotate=10,scale=0.1,noise=0.05,mixup=0.4",
    "--schedule", "plateau", "--patience", "0"};

Arguments long_training(const std::string& out) {
  return with({"preceptor-train", "--data", tiny_chest, "--model", "resnet8", "--batch", "16", "--threads", "2",
               "--bootstrap", "0", "--out", out},
              shape_of_run);
}

// The epochs of both logs: each once and in order, whatever was repeated.
void expect_every_epoch_once(const Workplace& place, const std::string& run, int epochs) {
  std::vector<int> lines, records, wanted;
  for (int epoch = 1; epoch <= epochs; ++epoch) wanted.push_back(epoch);
  std::istringstream text(place.bytes(run + "/events.jsonl"));
  for (std::string line; std::getline(text, line);) {
    const nlohmann::json event = parse_json(line);
    if (event["event"] == "epoch") lines.push_back(event["epoch"]);
  }
  EXPECT_EQ(lines, wanted) << run;
  for (const ReadEvent& event : read_events(place.bytes(run + "/events.out.tfevents.0.preceptor")))
    if (event.scalars.contains("AUC/validation")) records.push_back(static_cast<int>(event.step));
  EXPECT_EQ(records, wanted) << run;
}

void expect_same_run(const Workplace& place, const std::string& run, const std::string& whole) {
  EXPECT_EQ(place.files(run), complete_run);
  for (const char* file : {"/best.safetensors", "/last.safetensors", "/last.state.safetensors", "/config.toml"})
    EXPECT_TRUE(place.bytes(run + file) == place.bytes(whole + file)) << run << file;
  const nlohmann::json config = place.json(run + "/result.json")["config"];
  expect_every_epoch_once(place, run, config["epochs"]);
  EXPECT_EQ(place.json(run + "/result.json")["test"], place.json(whole + "/result.json")["test"]) << run;
}

TEST(Resume, AfterKillAtAnyMoment) {
  const Workplace place;
  place.run(long_training("whole"));
  const auto pause = [](double milliseconds) {
    std::this_thread::sleep_for(std::chrono::duration<double, std::milli>(milliseconds));
  };
  // Killed so long after the config or the given epoch appeared; several times in one run where more are listed.
  const std::vector<std::vector<std::pair<std::size_t, double>>> plans = {{{0, 0}},
                                                                          {{0, 7}},
                                                                          {{1, 0}},
                                                                          {{1, 0.5}},
                                                                          {{2, 1}},
                                                                          {{2, 2}},
                                                                          {{3, 3}},
                                                                          {{3, 5}},
                                                                          {{4, 0.2}},
                                                                          {{5, 1.5}},
                                                                          {{6, 0}},
                                                                          {{6, 4}},
                                                                          {{1, 1}, {2, 0.7}, {4, 2.5}, {6, 0.3}}};
  int killed = 0;
  for (std::size_t i = 0; i < plans.size(); ++i) {
    const std::string run = "killed" + std::to_string(i);
    for (std::size_t k = 0; k < plans[i].size(); ++k) {
      Process process = place.start(k == 0 ? long_training(run) : Arguments{"preceptor-train", "--resume", run});
      while (process.running() &&
             (!place.exists(run + "/config.toml") || place.finished_epochs(run) < plans[i][k].first))
        pause(0.1);
      pause(plans[i][k].second);
      process.send(SIGKILL);
      killed += process.wait() == 1000 + SIGKILL;
    }
    place.run({"preceptor-train", "--resume", run});
    expect_same_run(place, run, "whole");
  }
  // On a fast machine a process may end by itself before the kill; most must not.
  EXPECT_GE(killed, 10);
}

// The state of a run between any two of its file operations, set up by hand.
TEST(Resume, BetweenTheFilesOfACommit) {
  const Workplace place;
  place.run(long_training("whole"));
  place.start_and_kill(long_training("five"), "five", 3);
  const auto copy = [&](const std::string& from, const std::string& to) {
    std::filesystem::copy(place.path(from), place.path(to), std::filesystem::copy_options::recursive);
  };
  // Weights of a later epoch under the name they have before the commit are not the run's.
  copy("five", "early");
  std::filesystem::remove(place.path("early/last.safetensors.next"));
  std::filesystem::copy_file(place.path("whole/last.safetensors"), place.path("early/last.safetensors.next"));
  place.run({"preceptor-train", "--resume", "early"});
  expect_same_run(place, "early", "whole");
  // Committed, but not yet under their last name.
  copy("whole", "late");
  std::filesystem::remove(place.path("late/result.json"));
  std::filesystem::rename(place.path("late/last.safetensors"), place.path("late/last.safetensors.next"));
  write_bytes(place.path("late/last.safetensors"), "left over");
  place.run({"preceptor-train", "--resume", "late"});
  expect_same_run(place, "late", "whole");
}

TEST(Resume, ADistillation) {
  const Workplace place;
  place.run(tiny_training("teacher"));
  place.run(tiny_distillation("whole", {"--epochs", "4"}));
  place.start_and_kill(tiny_distillation("killed", {"--epochs", "4"}), "killed", 2);
  place.run({"preceptor-distill", "--resume", "killed"});
  expect_same_run(place, "killed", "whole");
}

// A block unfreezes in every epoch, also in the first one after the interruption.
TEST(Resume, GradualUnfreezing) {
  const Workplace place;
  place.run(tiny_training("start"));
  const auto training = [](const std::string& out) {
    return tiny_training(out, {"--data", tiny_other, "--init", "start/best.safetensors", "--freeze", "3", "--unfreeze",
                               "1", "--l2-sp", "0.01", "--epochs", "4"});
  };
  place.run(training("whole"));
  place.start_and_kill(training("killed"), "killed", 2);
  place.run({"preceptor-train", "--resume", "killed"});
  expect_same_run(place, "killed", "whole");
}

TEST(Resume, GoesWithoutOtherFlags) {
  const Workplace place;
  place.refuse({"preceptor-train", "--resume", "nowhere"}, 66, {"nowhere/config.toml", "no run"});
  place.run(tiny_training("run"));
  place.refuse({"preceptor-train", "--resume", "run", "--epochs", "5"}, 64, {"--resume goes without --epochs"});
  place.refuse(tiny_training("run"), 64, {"run: holds a run already", "--resume"});
  EXPECT_EQ(place.files("run"), complete_run);
}

TEST(Resume, AfterInterrupts) {
  const Workplace place;
  for (const auto& [signal_number, code] : {std::pair{SIGINT, 130}, std::pair{SIGTERM, 143}}) {
    const std::string run = "run" + std::to_string(code);
    Process process = place.start({"preceptor-train", "--data", tiny_chest, "--model", "resnet20", "--epochs", "100000",
                                   "--threads", "2", "--out", run});
    while (process.running() && place.finished_epochs(run) < 1) std::this_thread::yield();
    process.send(signal_number);
    EXPECT_EQ(process.wait(), code);
    EXPECT_NE(process.err().find("continue with: preceptor-train --resume " + run), std::string::npos) << process.err();
    EXPECT_FALSE(place.exists(run + "/result.json"));
  }
}

// Choices that were measured are read before a run goes on, and written with every epoch.
TEST(Resume, TakesTheConvolutionsThatWereChosen) {
  const Workplace place;
  place.run({"preceptor-train", "--data", "phantom:chest?n=8&val=8&test=8&size=16", "--model", "resnet8", "--epochs",
             "1", "--bootstrap", "0", "--out", "run"});
  EXPECT_FALSE(std::filesystem::exists(place.path("run/tuning.txt"))) << "there is nothing to choose from";
  const auto write = [&](const char* text) { std::ofstream(place.path("run/tuning.txt")) << text; };
  const Arguments resume = {"preceptor-train", "--resume", "run"};
  write("card, shape\town\nno choice\n");
  place.refuse(resume, 65, {"tuning.txt line 2"});
  write("card, shape b\town\ncard, shape a\tengine 3\n");
  for (const char* file : {"last.safetensors", "last.state.safetensors"})
    std::filesystem::remove(place.path(std::string("run/") + file));
  place.run(resume);
  EXPECT_EQ(place.bytes("run/tuning.txt"), "card, shape a\tengine 3\ncard, shape b\town\n");
}

}  // namespace
}  // namespace preceptor::test
