// Parsing of command lines and of the TOML files that stand in for flags.
#include "apps/command_line/command_line.h"

#include <iostream>
#include <sstream>

#include "apps/command_line/run_app.h"
#include "apps/command_line/toml.h"
#include "data/metrics/bootstrap.h"
#include "engine/context.h"
#include "engine/files/check.h"
#include "engine/files/checkpoint.h"

namespace preceptor {
namespace {

// CLI11 reads only something like TOML (2.1 cuts a quoted path at '#'), and each version something else.
class TomlFile : public CLI::Config {
 public:
  explicit TomlFile(const CLI::App& app) : app_(app) {}

  std::string to_config(const CLI::App*, bool, bool, std::string) const override { return {}; }

  std::vector<CLI::ConfigItem> from_config(std::istream& input) const override {
    std::ostringstream text;
    text << input.rdbuf();
    const CLI::Option* config = app_.get_config_ptr();
    const std::string path = config->count() > 0 ? config->as<std::string>() : "config";
    std::vector<CLI::ConfigItem> given;
    for (TomlEntry& entry : parse_toml(text.str(), path)) {
      const CLI::Option* option = app_.get_option_no_throw("--" + entry.key);
      if (option == nullptr || !option->get_configurable())
        fail(ErrorKind::usage, path, " line ", entry.line, ": '", entry.key, "' is not a flag of ", app_.get_name(),
             " that can stand in a file");
      if (entry.values.empty()) continue;
      CLI::ConfigItem item;
      item.name = entry.key;
      item.inputs = std::move(entry.values);
      given.push_back(std::move(item));
    }
    return given;
  }

 private:
  const CLI::App& app_;
};

// What auto comes to on this machine; one line says why it is not the card.
void choose_device(std::string& device, bool quiet) {
  if (device != "auto") return;
  try {
    require_cuda();
    device = "cuda";
  } catch (const Error& error) {
    device = "cpu";
    if (!quiet) std::cerr << "computing on the cpu: " << error.what() << '\n';
  }
}

}  // namespace

bool parse_command_line(CLI::App& app, int argc, char** argv) {
  const std::string footer = app.get_footer();
  app.footer((footer.empty() ? "" : footer + "\n\n") + exit_code_help());
  if (app.get_name().empty()) app.name(app_name(argv));
  try {
    app.parse(argc, argv);
  } catch (const CLI::FileError& error) {
    fail(ErrorKind::missing_input, error.what());
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success)) {
      app.exit(error, std::cout, std::cerr);
      return false;
    }
    fail(ErrorKind::usage, error.what(), " (see ", app.get_name(), " --help)");
  }
  return true;
}

void add_device_flags(CLI::App& app, std::string& device, int& threads) {
  app.add_option(
         "--device", device,
         "cpu; cuda; auto: cuda where there is a usable card, else cpu; or emulated: cuda's kernels on the host, "
         "slow, for checking them")
      ->type_name("NAME")
      ->check(CLI::IsMember({"cpu", "cuda", "emulated", "auto"}))
      ->capture_default_str();
  app.parse_complete_callback([&app, &device] {
    const CLI::Option* quiet = app.get_option_no_throw("--quiet");
    choose_device(device, quiet != nullptr && quiet->count() > 0);
  });
  app.add_option("--threads", threads, "CPU threads; 0: all")
      ->type_name("COUNT")
      ->check(CLI::Range(0, 4096))
      ->capture_default_str();
}

void add_precision_flag(CLI::App& app, std::string& precision) {
  app.add_option("--precision", precision,
                 "float; tf32: floats that convolutions multiply with 11 bits; bf16: feature maps in 16 bits")
      ->type_name("NAME")
      ->check(CLI::IsMember({"float", "tf32", "bf16"}))
      ->capture_default_str();
}

CLI::Option* add_graph_flag(CLI::App& app, std::string& graph) {
  return app
      .add_option("--graph", graph, "on: a step is recorded once and replayed; off: launched one by one, the same bits")
      ->type_name("on|off")
      ->check(CLI::IsMember({"on", "off"}))
      ->capture_default_str();
}

void add_bootstrap_flag(CLI::App& app, int& resamples, const std::string& what) {
  const auto set = [&resamples](int count) {
    require_resamples(count);
    resamples = count;
  };
  app.add_option_function<int>("--bootstrap", set,
                               message("Resamplings behind ", what, "; 0: none, else ", fewest_resamples, " or more"))
      ->type_name("COUNT")
      ->default_str(std::to_string(resamples));
}

void add_quiet_flag(CLI::App& app, bool& quiet) {
  app.add_flag("--quiet", quiet, "Nothing on stderr but errors")->configurable(false);
}

void add_config_flag(CLI::App& app) {
  app.set_config("--config", "", "TOML file of flags: name = value, one a line; flags given here win over it")
      ->type_name("FILE");
  app.config_formatter(std::make_shared<TomlFile>(app));
  if (CLI::Option* help = app.get_help_ptr()) help->configurable(false);
}

}  // namespace preceptor
