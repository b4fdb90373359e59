// Command lines through CLI11: what all apps do alike when they parse theirs.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace preceptor {

// Parses and returns true, or prints the help that was asked for and returns false (the app then returns 0).
// Errors: usage with CLI11's reason; missing_input where a --config file is not there. Footers get the exit codes.
bool parse_command_line(CLI::App& app, int argc, char** argv);

// Adds --device and --threads; open_context() takes both. `auto` becomes cuda or, with one line on stderr that
// says why, cpu when the command line has been read.
void add_device_flags(CLI::App& app, std::string& device, int& threads);

// Adds --precision; precision_named takes it (engine/storage.h).
void add_precision_flag(CLI::App& app, std::string& precision);
// Adds --graph on|off: whether steps are recorded and replayed.
CLI::Option* add_graph_flag(CLI::App& app, std::string& graph);

// Adds --bootstrap, resamplings behind `what`, as require_resamples() allows.
void add_bootstrap_flag(CLI::App& app, int& resamples, const std::string& what);

// Adds --quiet: then the app says nothing on stderr but errors.
void add_quiet_flag(CLI::App& app, bool& quiet);

// Adds --config FILE: every other flag of the app may stand in a TOML file as `name = value`; flags win over the file.
void add_config_flag(CLI::App& app);

}  // namespace preceptor
