// Runs the built apps as processes of their own and looks at what they print, return and leave behind.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "tests/data/npz_writer.h"

namespace preceptor::test {

using Arguments = std::vector<std::string>;

// An app at work; its output goes to files of its folder.
class Process {
 public:
  // arguments[0] is the app's name; it runs in `folder`.
  Process(const Arguments& arguments, const std::string& folder)
      : out_(folder + "/stdout.txt"), err_(folder + "/stderr.txt") {
    pid_ = ::fork();
    if (pid_ != 0) return;
    // Waiting threads must not spin: tests share the cores.
    ::setenv("OMP_WAIT_POLICY", "passive", 1);
    redirect(out_, STDOUT_FILENO);
    redirect(err_, STDERR_FILENO);
    std::vector<std::string> texts = arguments;
    std::vector<char*> pointers;
    for (std::string& text : texts) pointers.push_back(text.data());
    pointers.push_back(nullptr);
    const std::string program = std::string(PRECEPTOR_BIN_DIR) + "/" + arguments[0];
    if (::chdir(folder.c_str()) == 0) ::execv(program.c_str(), pointers.data());
    ::_exit(127);
  }
  ~Process() {
    if (pid_ <= 0) return;
    send(SIGKILL);
    wait();
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  // Nothing where it has ended: kill(0) would reach the tests themselves.
  void send(int signal_number) const {
    if (pid_ > 0) ::kill(pid_, signal_number);
  }
  bool running() {
    if (pid_ > 0 && ::waitpid(pid_, &status_, WNOHANG) == pid_) pid_ = 0;
    return pid_ > 0;
  }
  // The exit code; 1000 plus the signal where one ended it.
  int wait() {
    if (pid_ > 0) ::waitpid(pid_, &status_, 0);
    pid_ = 0;
    return WIFEXITED(status_) ? WEXITSTATUS(status_) : 1000 + WTERMSIG(status_);
  }
  std::string out() const { return read_bytes(out_); }
  std::string err() const { return read_bytes(err_); }

 private:
  static void redirect(const std::string& path, int descriptor) {
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    ::dup2(file, descriptor);
    ::close(file);
  }

  std::string out_, err_;
  pid_t pid_ = 0;
  int status_ = 0;
};

// A folder of its own in which apps run one after the other.
class Workplace {
 public:
  std::string path(const std::string& name) const { return folder_.file(name); }
  std::string bytes(const std::string& name) const { return read_bytes(path(name)); }
  bool exists(const std::string& name) const { return std::filesystem::exists(path(name)); }
  nlohmann::json json(const std::string& name) const { return nlohmann::json::parse(bytes(name)); }
  Process start(const Arguments& arguments) const { return Process(arguments, folder_.file("")); }

  // Expects success and returns what stands on stdout.
  std::string run(const Arguments& arguments) const {
    Process process = start(arguments);
    EXPECT_EQ(process.wait(), 0) << process.err();
    return process.out();
  }
  // Expects this exit code and one line on stderr with all of the words.
  void refuse(const Arguments& arguments, int code, const std::vector<std::string>& words) const {
    Process process = start(arguments);
    std::string line;
    for (const std::string& argument : arguments) line += argument + " ";
    EXPECT_EQ(process.wait(), code) << line << "\n" << process.err();
    const std::string err = process.err();
    EXPECT_EQ(std::count(err.begin(), err.end(), '\n'), 1) << line << "\n" << err;
    EXPECT_EQ(err.rfind(arguments[0] + ": ", 0), 0u) << err;
    for (const std::string& word : words)
      EXPECT_NE(err.find(word), std::string::npos) << "'" << word << "' not in: " << err;
    EXPECT_EQ(process.out(), "") << line;
  }
  // Epochs in metrics.csv of a run.
  std::size_t finished_epochs(const std::string& run) const {
    const std::string csv = exists(run + "/metrics.csv") ? bytes(run + "/metrics.csv") : "";
    return csv.empty() ? 0 : static_cast<std::size_t>(std::count(csv.begin(), csv.end(), '\n')) - 1;
  }
  // Starts the training of `run` and kills it once so many epochs stand in its metrics.
  void start_and_kill(const Arguments& arguments, const std::string& run, std::size_t epochs) const {
    Process process = start(arguments);
    while (process.running() && finished_epochs(run) < epochs) std::this_thread::yield();
    process.send(SIGKILL);
    process.wait();
  }
  // The files of a run directory by name.
  std::vector<std::string> files(const std::string& name) const {
    std::vector<std::string> names;
    if (!exists(name)) return names;
    for (const auto& entry : std::filesystem::directory_iterator(path(name)))
      names.push_back(entry.path().filename().string());
    std::sort(names.begin(), names.end());
    return names;
  }

 private:
  TemporaryFolder folder_;
};

inline const std::vector<std::string> complete_run = {"best.safetensors",
                                                      "config.toml",
                                                      "events.jsonl",
                                                      "events.out.tfevents.0.preceptor",
                                                      "last.safetensors",
                                                      "last.state.safetensors",
                                                      "metrics.csv",
                                                      "predictions.test.csv",
                                                      "predictions.val.csv",
                                                      "result.json",
                                                      "split.csv"};

inline const std::string tiny_chest = "phantom:chest?n=64&val=32&test=32&size=32";
inline const std::string tiny_other = "phantom:chest?site=b&n=64&val=32&test=32&size=32";

inline Arguments with(Arguments arguments, const Arguments& more) {
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

// The arguments, those of the flags, each with its value, that `more` has not, and more.
inline Arguments completed(Arguments arguments, const Arguments& flags, const Arguments& more) {
  for (std::size_t i = 0; i < flags.size(); i += 2)
    if (std::find(more.begin(), more.end(), flags[i]) == more.end())
      arguments.insert(arguments.end(), {flags[i], flags[i + 1]});
  return with(arguments, more);
}

// A distillation of two short epochs under teacher/best.safetensors; flags in `more` win.
inline Arguments tiny_distillation(const std::string& out, const Arguments& more = {}) {
  Arguments arguments = {"preceptor-distill", "--out", out};
  const Arguments flags = {"--data",      tiny_other, "--model", "resnet8", "--teacher", "teacher/best.safetensors",
                           "--epochs",    "2",        "--batch", "16",      "--threads", "2",
                           "--bootstrap", "0"};
  return completed(arguments, flags, more);
}

// A training of two short epochs; flags in `more` win.
inline Arguments tiny_training(const std::string& out, const Arguments& more = {}) {
  Arguments arguments = {"preceptor-train", "--out", out};
  const Arguments flags = {"--data",  tiny_chest, "--model",   "resnet8", "--epochs",    "2",
                           "--batch", "16",       "--threads", "2",       "--bootstrap", "50"};
  return completed(arguments, flags, more);
}

}  // namespace preceptor::test
