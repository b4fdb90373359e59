// The subcommands of preceptor-data.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

namespace preceptor {

// Each declares its subcommand and its flags; what it returns is to be called when the subcommand was chosen.
std::function<int()> add_check(CLI::App& app);    // what is wrong with a data set
std::function<int()> add_cache(CLI::App& app);    // all images decoded once
std::function<int()> add_preview(CLI::App& app);  // a training batch as the network sees it

}  // namespace preceptor
