// Reading ptxas -v, and the table that kernels are held to.
#include "tests/static/kernel_resources.h"

#include <cxxabi.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <set>
#include <sstream>
#include <stdexcept>

namespace preceptor::test {
namespace {

void remove_all(std::string& text, const std::string& part) {
  for (std::size_t at; (at = text.find(part)) != std::string::npos;) text.erase(at, part.size());
}

// The text between two marks, or nothing.
std::string between(const std::string& line, const std::string& before, const std::string& after) {
  const std::size_t begin = line.find(before);
  if (begin == std::string::npos) return {};
  const std::size_t first = begin + before.size();
  return line.substr(first, after.empty() ? std::string::npos : line.find(after, first) - first);
}

// The number in front of ` unit`; 0 where the line has none: ptxas leaves out what is 0.
int number_before(const std::string& line, const std::string& unit) {
  const std::size_t end = line.find(' ' + unit);
  if (end == std::string::npos) return 0;
  const std::size_t before = line.find_last_not_of("0123456789", end - 1);
  return std::atoi(line.c_str() + (before == std::string::npos ? 0 : before + 1));
}

constexpr const char* column_names[] = {"registers", "shared", "stack", "spill_stores", "spill_loads"};
constexpr int KernelResources::*columns[] = {&KernelResources::registers, &KernelResources::shared,
                                             &KernelResources::stack, &KernelResources::spill_stores,
                                             &KernelResources::spill_loads};
std::set<std::string> architectures_of(const ResourceTable& table) {
  std::set<std::string> architectures;
  for (const auto& [key, kernel] : table.rows) architectures.insert(key.architecture);
  return architectures;
}

constexpr int column_count = 5, first_spill_column = 3;

}  // namespace

std::string short_kernel_name(const std::string& mangled) {
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> demangled(
      abi::__cxa_demangle(mangled.c_str(), nullptr, nullptr, &status), std::free);
  std::string name = status == 0 ? demangled.get() : mangled;
  for (const char* part : {"preceptor::kernels::", "(anonymous namespace)::"}) remove_all(name, part);
  for (std::size_t at; (at = name.find("> >")) != std::string::npos;) name.erase(at + 1, 1);
  if (name.starts_with("void ")) name.erase(0, 5);  // templates are demangled with their result
  // The parameters begin at the first parenthesis that is in no template argument.
  int depth = 0;
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (name[i] == '<') ++depth;
    if (name[i] == '>') --depth;
    if (name[i] == '(' && depth == 0) return name.substr(0, i);
  }
  return name;
}

std::string kernel_prefix(const std::string& source) {
  const std::filesystem::path path(source);
  std::string folders;
  bool inside = false;
  for (const auto& part : path.parent_path()) {
    if (inside) folders += (folders.empty() ? "" : "/") + part.string();
    if (part == "kernels") inside = true, folders.clear();
  }
  return (folders == path.stem() ? folders : folders + "/" + path.stem().string()) + ": ";
}

void add_ptxas_output(std::istream& output, const std::string& prefix, ResourceTable& table) {
  std::string line, mangled, function;
  KernelOnCard key;
  KernelResources kernel;
  bool has_properties = false, complete = true;
  // With several architectures at a time nvcc might mix their lines; then no number can be trusted.
  const auto require = [&](bool in_order) {
    if (!in_order) throw std::runtime_error(prefix + "the output of ptxas is out of order at '" + line + "': rebuild");
  };
  while (std::getline(output, line)) {
    if (const std::string entry = between(line, "Compiling entry function '", "'"); !entry.empty()) {
      require(complete);
      mangled = entry;
      key = {prefix + short_kernel_name(entry), between(line, "' for '", "'")};
      kernel = {};
      has_properties = complete = false;
    } else if (const std::string name = between(line, "Function properties for ", ""); !name.empty()) {
      function = name;
    } else if (line.find("bytes stack frame") != std::string::npos && !mangled.empty()) {
      // A function that the kernel calls is named after it.
      KernelResources& of = complete ? table.rows[key] : kernel;
      if (function == mangled) {
        require(!has_properties);
        has_properties = true;
        of.stack = number_before(line, "bytes stack frame");
      }
      of.spill_stores += number_before(line, "bytes spill stores");
      of.spill_loads += number_before(line, "bytes spill loads");
    } else if (line.find(": Used ") != std::string::npos) {
      require(has_properties && !complete);
      kernel.registers = number_before(line, "registers");
      kernel.shared = number_before(line, "bytes smem");
      if (!table.rows.emplace(key, kernel).second)
        throw std::runtime_error("two kernels would be " + key.kernel + " in the table: rename one");
      complete = true;
    }
  }
  require(complete);
}

ResourceTable read_resource_table(std::istream& in) {
  ResourceTable table;
  std::string line;
  while (std::getline(in, line)) {
    if (line.starts_with("# compiler: ")) table.compiler = line.substr(12);
    if (line.empty() || line[0] == '#') continue;
    const std::size_t card = line.rfind(" sm_");
    std::istringstream numbers(card == std::string::npos ? "" : line.substr(card));
    KernelOnCard key{line.substr(0, line.find_last_not_of(' ', card) + 1), ""};
    KernelResources& row = (numbers >> key.architecture, table.rows[key]);
    for (const auto column : columns) numbers >> row.*column;
    if (!numbers) throw std::runtime_error("no row of a table: '" + line + "'");
  }
  return table;
}

void write_resource_table(std::ostream& out, const ResourceTable& table) {
  out << "# What every kernel takes: registers and bytes of stack and spills of a thread, bytes of static shared "
         "memory of a "
         "block.\n"
         "# Written by: cmake --build --preset release --target accept_kernel_resources\n"
         "# compiler: "
      << table.compiler << '\n';
  char row[512];
  const auto write = [&](const char* kernel, const char* architecture, const auto& cells) {
    std::snprintf(row, sizeof row, "%-76s %-7s %9s %6s %5s %12s %11s", kernel, architecture, cells(0), cells(1),
                  cells(2), cells(3), cells(4));
    out << row << '\n';
  };
  write("# kernel", "card", [](int i) { return column_names[i]; });
  for (const auto& [key, kernel] : table.rows) {
    std::string cells[column_count];
    for (int i = 0; i < column_count; ++i) cells[i] = std::to_string(kernel.*columns[i]);
    write(key.kernel.c_str(), key.architecture.c_str(), [&](int i) { return cells[i].c_str(); });
  }
}

std::vector<std::string> differences(const ResourceTable& recorded, const ResourceTable& built) {
  std::vector<std::string> result;
  const auto add = [&](const KernelOnCard& key, const std::string& text) {
    result.push_back(key.kernel + ", " + key.architecture + ": " + text);
  };
  for (const auto& [key, kernel] : built.rows)
    if (kernel.spill_stores || kernel.spill_loads)
      add(key,
          "spills " + std::to_string(kernel.spill_stores) + " bytes and loads " + std::to_string(kernel.spill_loads));
  if (recorded.compiler != built.compiler) return result;
  const std::set<std::string> architectures = architectures_of(built);
  for (const auto& [key, kernel] : built.rows) {
    const auto row = recorded.rows.find(key);
    if (row == recorded.rows.end()) {
      add(key, "is not in the table");
      continue;
    }
    for (int i = 0; i < first_spill_column; ++i) {
      const int now = kernel.*columns[i], known = row->second.*columns[i];
      if (now != known)
        add(key, std::string(column_names[i]) + " " + std::to_string(now) + ", in the table " + std::to_string(known) +
                     (now < known ? ": less, which can be accepted, so that it does not grow back unseen" : ""));
    }
  }
  for (const auto& [key, kernel] : recorded.rows)
    if (architectures.contains(key.architecture) && !built.rows.contains(key))
      add(key, "is in the table and not built");
  return result;
}

ResourceTable accepted(const ResourceTable& recorded, const ResourceTable& built) {
  ResourceTable table = built;
  if (recorded.compiler != built.compiler) return table;
  const std::set<std::string> architectures = architectures_of(built);
  for (const auto& [key, kernel] : recorded.rows)
    if (!architectures.contains(key.architecture)) table.rows[key] = kernel;
  return table;
}

}  // namespace preceptor::test
