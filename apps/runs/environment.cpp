// Names of the machine and the program.
#include "apps/runs/environment.h"

#include <sys/utsname.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "engine/files/check.h"

namespace preceptor {
namespace {

std::string processor_name() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);)
    if (line.starts_with("model name")) {
      const std::size_t begin = line.find(": ");
      if (begin != std::string::npos) return line.substr(begin + 2);
    }
  return "unknown";
}

}  // namespace

nlohmann::ordered_json environment_json(const Context& context) {
  utsname system{};
  ::uname(&system);
#if defined(__clang__)
  const std::string compiler = "clang " __clang_version__;
#else
  const std::string compiler = "g++ " __VERSION__;
#endif
  return {{"version", "preceptor " PRECEPTOR_VERSION},
          {"compiler", compiler},
          {"processor", processor_name()},
          {"system", message(system.sysname, " ", system.release, ", ", system.machine)},
          {"device", context.device_name()},
          {"card", context.card_name()},
          {"threads", context.device().threads}};
}

}  // namespace preceptor
