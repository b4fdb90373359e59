// Exit codes, error lines and interrupts of the apps.
#include "apps/command_line/command_line.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <iostream>
#include <memory>
#include <new>
#include <vector>

#include "engine/files/check.h"

namespace preceptor {
namespace {

// The handler may run at any instruction, so it reads one pointer to text that is never freed before the process ends.
std::atomic<const std::string*> interrupt_line{nullptr};
static_assert(std::atomic<const std::string*>::is_always_lock_free);

extern "C" void end_on_signal(int signal_number) {
  if (const std::string* line = interrupt_line.load())
    static_cast<void>(!::write(STDERR_FILENO, line->data(), line->size()));
  ::_exit(128 + signal_number);
}

int report_failure(const std::string& app, std::string text, int code) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  std::fprintf(stderr, "%s: %s\n", app.c_str(), text.c_str());
  return code;
}

}  // namespace

std::string app_name(char** argv) {
  const std::string path = argv[0] == nullptr ? "preceptor" : argv[0];
  return path.substr(path.find_last_of('/') + 1);
}

int run_app(int argc, char** argv, const std::function<int(int, char**)>& body) {
  const std::string app = app_name(argv);
  const int internal = static_cast<int>(ErrorKind::internal);
  try {
    const int code = body(argc, argv);
    // A full disk or a closed pipe shows up only here.
    if (!std::cout.flush() || std::fflush(stdout) != 0)
      return report_failure(app, "stdout cannot be written", static_cast<int>(ErrorKind::io));
    return code;
  } catch (const Error& error) {
    return report_failure(app, error.what(), static_cast<int>(error.kind()));
  } catch (const std::filesystem::filesystem_error& error) {
    return report_failure(app, error.what(), static_cast<int>(ErrorKind::io));
  } catch (const std::bad_alloc&) {
    return report_failure(app, "out of memory", internal);
  } catch (const std::exception& error) {
    return report_failure(app, error.what(), internal);
  }
}

std::string exit_code_help() {
  return "Exit codes: 0 done, 64 wrong flags or arguments, 65 a file whose content is wrong,\n"
         "66 a file that is not there, 70 internal error, 74 a read or write that failed,\n"
         "130 and 143 ended by SIGINT and SIGTERM.";
}

void explain_interrupts(const std::string& app, const std::string& advice) {
  static std::vector<std::unique_ptr<const std::string>> lines;
  // The leading newline leaves a progress bar as it stands.
  lines.push_back(std::make_unique<const std::string>("\n" + app + ": interrupted; " + advice + "\n"));
  interrupt_line.store(lines.back().get());
  std::signal(SIGINT, end_on_signal);
  std::signal(SIGTERM, end_on_signal);
}

}  // namespace preceptor
