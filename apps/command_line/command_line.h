// The frame of each app: its command line, read into a table of options of which many are shared, one line on stderr
// per error, and a documented exit code.
#pragma once

#include <functional>
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

// Calls body(argc, argv) and returns its result; an Error becomes one line "preceptor-train: message" and the exit
// code of its kind, any other exception the code 70.
int run_app(int argc, char** argv, const std::function<int(int, char**)>& body);

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

// The meaning of the exit codes, for the end of --help.
std::string exit_code_help();

// From now on SIGINT and SIGTERM print "preceptor-train: interrupted; `advice`" and end the process with 130 and 143.
// Files of a run appear whole or not at all, so there is nothing to finish. May be called again with new advice.
void explain_interrupts(const std::string& app, const std::string& advice);

// argv[0] without its folder.
std::string app_name(char** argv);

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
