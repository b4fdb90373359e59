// softened-kl-ladder: runs the five versions of softened KL on the emulated device and prints the costs of their
// accesses side by side. Uses one host thread, so that a debugger stops where it should.
#include <CLI/CLI.hpp>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "kernels/device/emulator/counters.h"
#include "kernels/softened_kl/reference.h"
#include "kernels/softened_kl/versions/versions.h"
#include "tests/support/devices.h"
#include "tests/support/shapes.h"

namespace preceptor::test {
namespace {

using namespace kernels;

struct Shape {
  int rows, classes;
};

struct Measured {
  emulator::Counters counters;
  double minimum_sectors;  // the bytes that cost() states, in sectors
  double largest_error;    // largest error of a loss, relative to the largest loss
};

Measured measure(int version, const Shape& shape) {
  const Device device = emulated_device(1);
  Stream stream(device);
  Random random("ladder");
  const std::size_t values = static_cast<std::size_t>(shape.rows) * shape.classes;
  const std::vector<float> student = random.values(values, Kind::normal, 3);
  const std::vector<float> teacher = random.values(values, Kind::normal, 3);
  const DeviceBuffer<float> device_student(device, student), device_teacher(device, teacher);
  const DeviceBuffer<float> loss(device, std::vector<float>(shape.rows)), gradient(device, std::vector<float>(values));
  const SoftenedKl<float> arguments{device_student.data(),
                                    device_teacher.data(),
                                    loss.data(),
                                    gradient.data(),
                                    shape.rows,
                                    shape.classes,
                                    4.0f,
                                    1.0f};
  emulator::start_counting();
  versions::run_version(version, stream.emulated(), arguments);
  Measured result{emulator::stop_counting(), cost(arguments).bytes / 32, 0};
  const auto expected = reference::softened_kl(shape.rows, shape.classes, to_double(student), to_double(teacher),
                                               std::vector<double>(shape.rows, 4.0), 1.0);
  const std::vector<float> actual = loss.host();
  double largest = 0;
  for (double value : expected.loss) largest = std::max(largest, value);
  for (std::size_t row = 0; row < actual.size(); ++row)
    result.largest_error =
        std::max(result.largest_error, std::abs(static_cast<double>(actual[row]) - expected.loss[row]) / largest);
  return result;
}

constexpr const char* ideas[] = {"",
                                 "a thread per row",
                                 "a block per row, three passes",
                                 "online: statistics in one pass",
                                 "staged in shared memory, 16 bytes at a time",
                                 "the family's: short rows share a block, labels in the same launch"};

std::string table(const std::vector<int>& versions, const std::vector<Shape>& shapes) {
  std::ostringstream out;
  for (const Shape& shape : shapes) {
    out << shape.rows << " rows of " << shape.classes << " classes:\n\n"
        << "| version | idea | sectors | of the least possible | bank conflicts | accesses to shared memory | barriers "
           "|\n"
        << "|---|---|--:|--:|--:|--:|--:|\n";
    for (int version : versions) {
      const Measured m = measure(version, shape);
      char factor[32];
      std::snprintf(factor, sizeof factor, "%.2f x", static_cast<double>(m.counters.sectors()) / m.minimum_sectors);
      out << "| " << version << " | " << ideas[version] << " | " << m.counters.sectors() << " | " << factor << " | "
          << m.counters.bank_conflicts << " | " << m.counters.shared_accesses << " | " << m.counters.barriers << " |\n";
    }
    out << "\n";
  }
  return out.str();
}

// Writes the table between the marks of a page, through a temporary file.
void write_into(const std::string& page, const std::string& text) {
  std::ifstream in(page);
  std::stringstream content;
  content << in.rdbuf();
  std::string all = content.str();
  const std::string begin = "<!-- ladder:begin -->", end = "<!-- ladder:end -->";
  const auto first = all.find(begin), last = all.find(end);
  if (first == std::string::npos || last == std::string::npos)
    throw Error(ErrorKind::data, page + ": has no marks " + begin + " and " + end);
  all.replace(first + begin.size(), last - first - begin.size(), "\n" + text);
  std::ofstream(page + ".new") << all;
  std::filesystem::rename(page + ".new", page);
}

int run(int argc, char** argv) {
  CLI::App app("Runs versions of softened KL on the emulated device and counts what their accesses cost.");
  int version = 0, rows = 64, classes = 100;
  std::string page;
  app.add_option("--version", version, "1 to 5; without it all")->check(CLI::Range(1, 5));
  app.add_option("--rows", rows, "Rows")->check(CLI::Range(1, 1 << 20))->capture_default_str();
  app.add_option("--classes", classes, "Classes")->check(CLI::Range(1, 1 << 18))->capture_default_str();
  app.add_option("--write", page, "Write the tables of the README into this page instead");
  CLI11_PARSE(app, argc, argv);
  if (!page.empty()) {
    if (!emulator::counters_available())
      throw Error(ErrorKind::usage, "accesses are counted in the build emulated-race only");
    write_into(page, table({1, 2, 3, 4, 5}, {{64, 14}, {16, 1000}}));
    return 0;
  }
  if (emulator::counters_available()) {
    std::fputs(table(version ? std::vector{version} : std::vector{1, 2, 3, 4, 5}, {{rows, classes}}).c_str(), stdout);
    return 0;
  }
  for (int v = version ? version : 1; v <= (version ? version : 5); ++v)
    std::printf("version %d, %s: largest error of a loss %.1e of the largest loss\n", v, ideas[v],
                measure(v, {rows, classes}).largest_error);
  return 0;
}

}  // namespace
}  // namespace preceptor::test

int main(int argc, char** argv) {
  try {
    return preceptor::test::run(argc, argv);
  } catch (const preceptor::Error& error) {
    std::fprintf(stderr, "softened-kl-ladder: %s\n", error.what());
    return static_cast<int>(error.kind());
  }
}
