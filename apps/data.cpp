// preceptor-data: looks at data sets before a training does.
#include <map>

#include "apps/data_commands.h"
#include "apps/support/command_line.h"
#include "apps/support/run_app.h"

namespace preceptor {
namespace {

int run_data(int argc, char** argv) {
  CLI::App app("Looks at data sets before a training does.", "preceptor-data");
  app.require_subcommand(1);
  const std::map<std::string, std::function<int()>> commands = {
      {"check", add_check(app)}, {"cache", add_cache(app)}, {"preview", add_preview(app)}};
  if (!parse_command_line(app, argc, argv)) return 0;
  return commands.at(app.get_subcommands().front()->get_name())();
}

}  // namespace
}  // namespace preceptor

int main(int argc, char** argv) { return preceptor::run_app(argc, argv, preceptor::run_data); }
