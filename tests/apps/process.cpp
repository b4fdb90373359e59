// The apps' processes and the arguments that tests give them.
#include "tests/apps/process.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <thread>

template class nlohmann::detail::serializer<nlohmann::json>;

namespace preceptor::test {
namespace {

void redirect(const std::string& path, int descriptor) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  ::dup2(file, descriptor);
  ::close(file);
}

}  // namespace

nlohmann::json parse_json(const std::string& text) { return nlohmann::json::parse(text); }

Process::Process(const Arguments& arguments, const std::string& folder)
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

Process::~Process() {
  if (pid_ <= 0) return;
  send(SIGKILL);
  wait();
}

void Process::send(int signal_number) const {
  if (pid_ > 0) ::kill(pid_, signal_number);
}

bool Process::running() {
  if (pid_ > 0 && ::waitpid(pid_, &status_, WNOHANG) == pid_) pid_ = 0;
  return pid_ > 0;
}

int Process::wait() {
  if (pid_ > 0) ::waitpid(pid_, &status_, 0);
  pid_ = 0;
  return WIFEXITED(status_) ? WEXITSTATUS(status_) : 1000 + WTERMSIG(status_);
}

std::string Workplace::run(const Arguments& arguments) const {
  Process process = start(arguments);
  EXPECT_EQ(process.wait(), 0) << process.err();
  return process.out();
}

void Workplace::refuse(const Arguments& arguments, int code, const std::vector<std::string>& words) const {
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

std::size_t Workplace::finished_epochs(const std::string& run) const {
  const std::string csv = exists(run + "/metrics.csv") ? bytes(run + "/metrics.csv") : "";
  return csv.empty() ? 0 : static_cast<std::size_t>(std::count(csv.begin(), csv.end(), '\n')) - 1;
}

void Workplace::start_and_kill(const Arguments& arguments, const std::string& run, std::size_t epochs) const {
  Process process = start(arguments);
  while (process.running() && finished_epochs(run) < epochs) std::this_thread::yield();
  process.send(SIGKILL);
  process.wait();
}

std::vector<std::string> Workplace::files(const std::string& name) const {
  std::vector<std::string> names;
  if (!exists(name)) return names;
  for (const auto& entry : std::filesystem::directory_iterator(path(name)))
    names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

const std::vector<std::string> complete_run = {"best.safetensors",
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

Arguments with(Arguments arguments, const Arguments& more) {
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

Arguments completed(Arguments arguments, const Arguments& flags, const Arguments& more) {
  for (std::size_t i = 0; i < flags.size(); i += 2)
    if (std::find(more.begin(), more.end(), flags[i]) == more.end())
      arguments.insert(arguments.end(), {flags[i], flags[i + 1]});
  return with(arguments, more);
}

Arguments tiny_distillation(const std::string& out, const Arguments& more) {
  Arguments arguments = {"preceptor-distill", "--out", out};
  const Arguments flags = {"--data",      tiny_other, "--model", "resnet8", "--teacher", "teacher/best.safetensors",
                           "--epochs",    "2",        "--batch", "16",      "--threads", "2",
                           "--bootstrap", "0"};
  return completed(arguments, flags, more);
}

Arguments tiny_training(const std::string& out, const Arguments& more) {
  Arguments arguments = {"preceptor-train", "--out", out};
  const Arguments flags = {"--data",  tiny_chest, "--model",   "resnet8", "--epochs",    "2",
                           "--batch", "16",       "--threads", "2",       "--bootstrap", "50"};
  return completed(arguments, flags, more);
}

}  // namespace preceptor::test
