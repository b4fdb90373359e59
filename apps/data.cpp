// preceptor-data: inspects a data set before anything is trained on it.
#include <algorithm>
#include <array>
#include <iostream>
#include <string>

#include "apps/command_line/run_app.h"
#include "apps/dataset/commands.h"
#include "data/formats/formats.h"
#include "engine/files/check.h"
#include "engine/files/text.h"

namespace preceptor {
namespace {

struct Command {
  const char* name;
  int (*run)(int, char**);
  const char* text;
};

constexpr std::array commands = {
    Command{"check", run_data_check, "reports problems of a data set: shared patients, duplicates, bad images, ..."},
    Command{"cache", run_data_cache, "decodes and resizes all images once, into one file that is mapped into memory"},
    Command{"preview", run_data_preview, "shows a training batch as the network sees it"},
};

std::string help() {
  std::string text = "Looks at data sets.\nUsage: preceptor-data COMMAND ... (COMMAND --help for details)\n\n";
  for (const Command& command : commands) text += "  " + std::string(command.name) + "  " + command.text + "\n";
  text += "\nData sets (docs/data.md):\n";
  for (const DataFormat& format : data_formats()) {
    std::string name = std::string(format.name) + ":" + format.path;
    name.resize(std::max<std::size_t>(name.size(), 22), ' ');
    text += "  " + name + format.summary + "\n";
  }
  return text + "\n" + exit_code_help() + "\n";
}

int run_data(int argc, char** argv) {
  const std::string wanted = argc > 1 ? argv[1] : "";
  if (wanted == "--help" || wanted == "-h") {
    std::cout << help();
    return 0;
  }
  for (const Command& command : commands) {
    if (wanted == command.name) {
      std::string name = "preceptor-data " + wanted;
      argv[1] = name.data();
      return command.run(argc - 1, argv + 1);
    }
  }
  fail(ErrorKind::usage, wanted.empty() ? "a command is missing" : "'" + wanted + "' is not a command",
       "; commands: ", list(commands, &Command::name));
}

}  // namespace
}  // namespace preceptor

int main(int argc, char** argv) { return preceptor::run_app(argc, argv, preceptor::run_data); }
