// Runs the built apps as processes of their own and looks at what they print, return and leave behind.
#pragma once

#include <gtest/gtest.h>
#include <sys/types.h>

#include <csignal>
#include <cstddef>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/data/npz_writer.h"

// The JSON reader and writer are compiled once, in process.cpp; they took half of a test's compile time.
extern template class nlohmann::detail::serializer<nlohmann::json>;

namespace preceptor::test {

using Arguments = std::vector<std::string>;

// The JSON of a text. Errors: nlohmann::json::parse_error.
nlohmann::json parse_json(const std::string& text);

// An app at work; its output goes to files of its folder.
class Process {
 public:
  // arguments[0] is the app's name; it runs in `folder`.
  Process(const Arguments& arguments, const std::string& folder);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  // Nothing where it has ended: kill(0) would reach the tests themselves.
  void send(int signal_number) const;
  bool running();
  // The exit code; 1000 plus the signal where one ended it.
  int wait();
  std::string out() const { return read_bytes(out_); }
  std::string err() const { return read_bytes(err_); }

 private:
  std::string out_, err_;
  pid_t pid_ = 0;
  int status_ = 0;
};

// A temporary folder in which a test runs apps in turn.
class Workplace {
 public:
  std::string path(const std::string& name) const { return folder_.file(name); }
  std::string bytes(const std::string& name) const { return read_bytes(path(name)); }
  bool exists(const std::string& name) const { return std::filesystem::exists(path(name)); }
  nlohmann::json json(const std::string& name) const { return parse_json(bytes(name)); }
  Process start(const Arguments& arguments) const { return Process(arguments, folder_.file("")); }

  // Expects success and returns what stands on stdout.
  std::string run(const Arguments& arguments) const;
  // Expects this exit code and one line on stderr with all of the words.
  void refuse(const Arguments& arguments, int code, const std::vector<std::string>& words) const;
  // Epochs in metrics.csv of a run.
  std::size_t finished_epochs(const std::string& run) const;
  // Starts the training of `run` and kills it once so many epochs stand in its metrics.
  void start_and_kill(const Arguments& arguments, const std::string& run, std::size_t epochs) const;
  // The files of a run directory by name.
  std::vector<std::string> files(const std::string& name) const;

 private:
  TemporaryFolder folder_;
};

extern const std::vector<std::string> complete_run;  // the files of one, by name

inline const std::string tiny_chest = "phantom:chest?n=64&val=32&test=32&size=32";
inline const std::string tiny_other = "phantom:chest?site=b&n=64&val=32&test=32&size=32";

Arguments with(Arguments arguments, const Arguments& more);

// The arguments, those of the flags, each with its value, that `more` has not, and more.
Arguments completed(Arguments arguments, const Arguments& flags, const Arguments& more);

// A distillation of two short epochs under teacher/best.safetensors; flags in `more` win.
Arguments tiny_distillation(const std::string& out, const Arguments& more = {});

// A training of two short epochs; flags in `more` win.
Arguments tiny_training(const std::string& out, const Arguments& more = {});

}  // namespace preceptor::test
