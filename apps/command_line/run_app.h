// The frame of each app's main(): one line on stderr per error, and a documented exit code.
#pragma once

#include <functional>
#include <string>

namespace preceptor {

// Calls body(argc, argv) and returns its result; an Error becomes one line "preceptor-train: message" and the exit
// code of its kind, any other exception the code 70.
int run_app(int argc, char** argv, const std::function<int(int, char**)>& body);

// The meaning of the exit codes, for the end of --help.
std::string exit_code_help();

// From now on SIGINT and SIGTERM print "preceptor-train: interrupted; `advice`" and end the process with 130 and 143.
// Files of a run appear whole or not at all, so there is nothing to finish. May be called again with new advice.
void explain_interrupts(const std::string& app, const std::string& advice);

// argv[0] without its folder.
std::string app_name(char** argv);

}  // namespace preceptor
