// The commands of preceptor-data; each parses its own command line, of which argv[0] is its name.
#pragma once

namespace preceptor {

int run_data_check(int argc, char** argv);
int run_data_cache(int argc, char** argv);
int run_data_preview(int argc, char** argv);

}  // namespace preceptor
