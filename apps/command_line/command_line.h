// Command lines read into option tables, and the options that many apps share.
#pragma once

#include <span>
#include <string>

#include "apps/command_line/options.h"
#include "engine/storage.h"

namespace preceptor {

template <>
inline constexpr std::array words<Precision>{"float", "tf32", "bf16"};

enum class Graph { off, on };  // steps are recorded once and replayed
template <>
inline constexpr std::array words<Graph>{"off", "on"};

enum class OnError { stop, skip };
template <>
inline constexpr std::array words<OnError>{"stop", "skip"};

// The text of --help around the options; exit codes are added. Without a name, that of the program.
struct CommandHelp {
  std::string name, summary, footer = {};
};

// Reads the arguments into the members of the options and returns true; or prints the help or the Markdown that was
// asked for and returns false. --config FILE is added: every option may also stand in a TOML file as `name = value`;
// flags win over it. `--device auto` becomes cuda or, with one line on stderr that says why, cpu.
// Errors: usage; missing_input for a --config file that is not there.
bool parse_command_line(const CommandHelp& help, OptionTable& options, int argc, char** argv);

// Reads a TOML file into the options that were not given. Errors: usage, with the line; missing_input; io.
void read_options_file(const std::string& path, const std::string& app, OptionTable& options);

// A program of several commands, each with a command line of its own, of which argv[0] is "PROGRAM COMMAND".
struct Command {
  const char* name;
  int (*run)(int argc, char** argv);
  const char* summary;
};
int run_command(const CommandHelp& help, std::span<const Command> commands, int argc, char** argv);

// A line for each data format, for help texts.
std::string format_table();

// --device and --threads for open_context().
void add_device(OptionTable& options, std::string& device);
void add_threads(OptionTable& options, int& threads);
void add_precision(OptionTable& options, Precision& precision);
void add_graph(OptionTable& options, Graph& graph);
// --bootstrap: resamples for `purpose`, as require_resamples() allows.
void add_bootstrap(OptionTable& options, int& resamples, const std::string& purpose);
// --quiet: nothing on stderr but errors.
void add_quiet(OptionTable& options, bool& quiet);

}  // namespace preceptor
