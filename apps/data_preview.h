// preceptor-data preview: a training batch as the network sees it.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

namespace preceptor {

// Declares the subcommand and its flags; what it returns is to be called when the subcommand was chosen.
std::function<int()> add_preview(CLI::App& app);

}  // namespace preceptor
