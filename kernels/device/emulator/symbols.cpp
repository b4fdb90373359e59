// Asks addr2line (binutils, which comes with every g++) when an error is being written; nothing is done before.
#include "kernels/device/emulator/symbols.h"

#include <dlfcn.h>

#include <cstdint>
#include <cstdio>
#include <vector>

namespace preceptor::kernels::emulator {
namespace {

struct Frame {
  std::string function, place;
};

// Innermost first.
std::vector<Frame> frames_at(const void* code) {
  Dl_info image{};
  if (!dladdr(code, &image) || !image.dli_fbase) return {};
  const auto offset = reinterpret_cast<std::uintptr_t>(code) - reinterpret_cast<std::uintptr_t>(image.dli_fbase);
  char command[4200];
  std::snprintf(command, sizeof command, "addr2line -Cfie '%s' 0x%llx 2>/dev/null", image.dli_fname,
                static_cast<unsigned long long>(offset));
  std::FILE* output = popen(command, "r");
  if (!output) return {};
  std::vector<Frame> frames;
  char line[4096];
  std::string function;
  for (int number = 0; std::fgets(line, sizeof line, output); ++number) {
    std::string text = line;
    while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
    if (number % 2 == 0) {
      function = text;
      continue;
    }
    if (const auto note = text.find(" (discriminator"); note != std::string::npos) text.resize(note);
    frames.push_back({function, text});
  }
  pclose(output);
  return frames;
}

}  // namespace

std::string kernel_name(const void* function) {
  const std::vector<Frame> frames = frames_at(function);
  if (frames.empty() || frames[0].function == "??") return "kernel";
  std::string name = frames[0].function;
  // Everything up to the parameter list: the last '(' outside of template arguments.
  constexpr const char anonymous[] = "(anonymous namespace)::";
  for (auto at = name.find(anonymous); at != std::string::npos; at = name.find(anonymous))
    name.erase(at, sizeof anonymous - 1);
  int depth = 0;
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (name[i] == '<') ++depth;
    if (name[i] == '>') --depth;
    if (name[i] == '(' && depth == 0) {
      name.resize(i);
      break;
    }
  }
  constexpr const char own[] = "preceptor::kernels::";
  for (auto at = name.find(own); at != std::string::npos; at = name.find(own)) name.erase(at, sizeof own - 1);
  if (name.starts_with("void ")) name.erase(0, 5);
  return name;
}

std::string line_of_code(const void* return_address) {
  // The call itself, not the code after it.
  const std::vector<Frame> frames = frames_at(static_cast<const char*>(return_address) - 1);
  for (const Frame& frame : frames)
    if (frame.place.find("/kernels/device/") == std::string::npos &&
        frame.place.find("/include/c++/") == std::string::npos)
      return short_path(frame.place);
  return frames.empty() ? "unknown line" : short_path(frames.back().place);
}

std::string short_path(const std::string& path) {
  const std::string root = PRECEPTOR_SOURCE_DIR "/";
  return path.starts_with(root) ? path.substr(root.size()) : path;
}

}  // namespace preceptor::kernels::emulator
