// preceptor-data: inspects a data set before anything is trained on it.
#include <array>

#include "apps/command_line/command_line.h"
#include "apps/dataset/commands.h"

namespace preceptor {
namespace {

constexpr std::array commands = {
    Command{"check", run_data_check,
            "reports what is wrong with a data set: shared patients, duplicates, bad images, ..."},
    Command{"cache", run_data_cache, "decodes and resizes all images once, into one file that is mapped into memory"},
    Command{"preview", run_data_preview, "shows a training batch as the network sees it"},
};

int run_data(int argc, char** argv) {
  return run_command({"preceptor-data", "Inspects data sets.", "Data sets (docs/data.md):\n" + format_table()},
                     commands, argc, argv);
}

}  // namespace
}  // namespace preceptor

int main(int argc, char** argv) { return preceptor::run_app(argc, argv, preceptor::run_data); }
