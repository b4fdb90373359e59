// Compares the registers and memory of all kernels that were built with the recorded table, or records them.
//   kernel-resources check|accept TABLE OBJECTS COMPILER    OBJECTS: a file with the path of one object per line
#include <cstdio>
#include <fstream>
#include <stdexcept>

#include "tests/static/kernel_resources.h"

namespace preceptor::test {
namespace {

std::ifstream open(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error(path + " cannot be read");
  return file;
}

ResourceTable built_kernels(const std::string& objects, const std::string& compiler) {
  ResourceTable table{compiler, {}};
  std::ifstream list = open(objects);
  for (std::string object; std::getline(list, object);) {
    std::ifstream kept = open(object + ".resources");
    std::string word, source;
    kept >> word >> source;
    add_ptxas_output(kept, kernel_prefix(source), table);
  }
  return table;
}

int check(const ResourceTable& recorded, const ResourceTable& built) {
  const std::vector<std::string> found = differences(recorded, built);
  for (const std::string& line : found) std::printf("%s\n", line.c_str());
  if (recorded.compiler != built.compiler)
    std::printf("the table is of %s and this build of %s: only spills were looked for\n", recorded.compiler.c_str(),
                built.compiler.c_str());
  std::printf("%zu rows of kernels, %zu differences\n", built.rows.size(), found.size());
  if (found.empty()) return 0;
  std::puts(
      "Spills have to go. To accept the rest: cmake --build --preset release --target accept_kernel_resources,\n"
      "and let the commit say why.");
  return 1;
}

}  // namespace
}  // namespace preceptor::test

int main(int count, char** words) {
  using namespace preceptor::test;
  try {
    const std::string verb = count == 5 ? words[1] : "";
    if (verb != "check" && verb != "accept")
      throw std::runtime_error("usage: kernel-resources check|accept TABLE OBJECTS COMPILER");
    const std::string table = words[2];
    const ResourceTable built = built_kernels(words[3], words[4]);
    std::ifstream old = open(table);
    const ResourceTable recorded = read_resource_table(old);
    if (verb == "check") return check(recorded, built);
    std::ofstream file(table);
    write_resource_table(file, accepted(recorded, built));
    return file ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "kernel-resources: %s\n", error.what());
    return 1;
  }
}
