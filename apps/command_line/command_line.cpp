// Parsing of command lines, through CLI11.
#include "apps/command_line/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>

#include "data/formats/formats.h"
#include "data/metrics/bootstrap.h"
#include "engine/context.h"
#include "engine/files/check.h"

namespace preceptor {
namespace {

constexpr const char* config_help = "TOML file of options, one \"name = value\" a line; flags given here win over it";

void declare(CLI::App& app, const Option& option) {
  const std::string help = option.help;
  CLI::Option* declared = nullptr;
  if (option.type.empty()) {
    const std::string negation = option.rules.negatable ? ",!--no-" + option.name.substr(2) : "";
    declared = app.add_flag(option.name + negation, help);
  } else {
    declared = app.add_option(
        option.name, [](const CLI::results_t&) { return true; }, help);
    // A file may give a flag that is required, so CLI11 does not look for it.
    const bool asks = option.rules.required && !option.positional();
    declared->type_name(option.type + (asks ? " REQUIRED" : ""))->default_str(list(option.texts()));
    declared->required(option.rules.required && option.positional());
  }
  if (option.is_list) declared->expected(CLI::detail::expected_max_vector_size);
  if (option.rules.repeated) declared->allow_extra_args(false);
  declared->group(help.empty() ? "" : option.group);
}

std::string markdown_cell(const std::string& text) {
  std::string cell;
  for (const char c : text) {
    if (c == '|') cell += '\\';
    cell += c == '\n' ? ' ' : c;
  }
  return cell;
}

// The options as a section of docs/flags.md.
std::string markdown(const CommandHelp& help, OptionTable& options) {
  std::string text = "## " + help.name + "\n\n| option | default | meaning |\n|---|---|---|\n";
  for (const Option& option : options.options) {
    if (option.help.empty()) continue;
    const std::string value = list(option.texts());
    text += "| `" + option.name + (option.type.empty() ? "" : " " + markdown_cell(option.type)) + "` | " +
            (value.empty() ? "" : "`" + value + "`") + " | " + markdown_cell(option.help) + " |\n";
  }
  return text;
}

// Resolves --device auto; one line says why it is not the card.
void choose_device(OptionTable& options) {
  Option* device = options.find("--device");
  if (device == nullptr || list(device->texts()) != "auto") return;
  try {
    require_cuda();
    device->read({"cuda"});
  } catch (const Error& error) {
    device->read({"cpu"});
    const Option* quiet = options.find("--quiet");
    if (quiet == nullptr || !quiet->given) std::cerr << "computing on the cpu: " << error.what() << '\n';
  }
}

}  // namespace

bool parse_command_line(const CommandHelp& help, OptionTable& options, int argc, char** argv) {
  CLI::App app(help.summary, help.name);
  app.footer((help.footer.empty() ? "" : help.footer + "\n\n") + exit_code_help());
  app.add_flag_callback("--help-markdown",
                        [&] {
                          std::cout << markdown(help, options);
                          throw CLI::Success();
                        })
      ->group("");
  std::string config;
  for (const Option& option : options.options) declare(app, option);
  app.add_option("--config", config, config_help)->type_name("FILE")->group(options.options.back().group);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success)) {
      app.exit(error, std::cout, std::cerr);
      return false;
    }
    fail(ErrorKind::usage, error.what(), " (see ", help.name, " --help)");
  }
  for (Option& option : options.options) {
    const CLI::Option* given = app.get_option(option.name);
    option.given = given->count() > 0;
    if (option.given) option.read(given->results());
  }
  if (!config.empty()) read_options_file(config, help.name, options);
  for (const Option& option : options.options)
    require(option.given || !option.rules.required, option.name, " is required (see ", help.name, " --help)");
  options.check();
  choose_device(options);
  return true;
}

int run_command(const CommandHelp& help, std::span<const Command> commands, int argc, char** argv) {
  const std::string wanted = argc > 1 ? argv[1] : "";
  if (wanted == "--help" || wanted == "-h") {
    std::cout << help.summary << "\nUsage: " << help.name << " COMMAND ... (COMMAND --help says more)\n\n";
    for (const Command& command : commands) std::cout << "  " << command.name << "  " << command.summary << '\n';
    std::cout << '\n' << help.footer << '\n' << exit_code_help() << '\n';
    return 0;
  }
  for (const Command& command : commands) {
    if (wanted != command.name) continue;
    std::string name = help.name + " " + wanted;
    argv[1] = name.data();
    return command.run(argc - 1, argv + 1);
  }
  fail(ErrorKind::usage, wanted.empty() ? "a command is missing" : "'" + wanted + "' is not a command",
       "; commands: ", list(commands, &Command::name));
}

std::string format_table() {
  std::string text;
  for (const DataFormat& format : data_formats()) {
    std::string name = std::string(format.name) + ":" + format.path;
    name.resize(std::max<std::size_t>(name.size(), 22), ' ');
    text += name + " " + format.summary + "\n";
  }
  return text;
}

void add_device(OptionTable& options, std::string& device) {
  options(device, "--device", "NAME",
          "cpu; cuda; auto: cuda if a usable card is present, otherwise cpu; emulated: the CUDA kernels on the host, "
          "slow, for checking them",
          {.one_of = {"cpu", "cuda", "emulated", "auto"}});
}

void add_threads(OptionTable& options, int& threads) {
  options(threads, "--threads", "COUNT", "CPU threads; 0: all", {.at_least = 0, .at_most = 4096});
}

void add_precision(OptionTable& options, Precision& precision) {
  options(precision, "--precision", "NAME",
          "float; tf32: convolutions multiply floats rounded to 11 bits; bf16: feature maps in 16 bits");
}

void add_graph(OptionTable& options, Graph& graph) {
  options(graph, "--graph", "on|off",
          "on: record a step once and replay it; off: launch its operations one by one; the same bits either way");
}

void add_bootstrap(OptionTable& options, int& resamples, const std::string& purpose) {
  options(resamples, "--bootstrap", "COUNT",
          message("Resamples for ", purpose, "; 0: none, otherwise at least ", fewest_resamples),
          {.check = [&resamples] { require_resamples(resamples); }});
}

void add_quiet(OptionTable& options, bool& quiet) {
  options(quiet, "--quiet", "Print nothing on stderr but errors", {.in_files = false, .in_config = false});
}

}  // namespace preceptor
