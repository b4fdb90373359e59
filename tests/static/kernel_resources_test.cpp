// Reports of the gate on registers and spills, from recorded output of ptxas: needs neither nvcc nor a card.
#include "tests/static/kernel_resources.h"

#include <gtest/gtest.h>

#include <sstream>

namespace preceptor::test {
namespace {

const std::string sum =
    "_ZN9preceptor7kernels46_GLOBAL__N__f845aba9_13_batch_norm_cu_efc8e0553sumINS0_4PackIfEELb1EEEvPf";

std::string entry(const std::string& mangled, const std::string& architecture) {
  return "ptxas info    : Compiling entry function '" + mangled + "' for '" + architecture + "'\n";
}
std::string properties(const std::string& function, int stack, int stores, int loads) {
  return "ptxas info    : Function properties for " + function + "\n    " + std::to_string(stack) +
         " bytes stack frame, " + std::to_string(stores) + " bytes spill stores, " + std::to_string(loads) +
         " bytes spill loads\n";
}
std::string used(const std::string& what) {
  return "ptxas info    : Used " + what + "\nptxas info    : Compile time = 63.370 ms\n";
}
ResourceTable table_of(const std::string& output) {
  ResourceTable table{"nvcc 13.0", {}};
  std::istringstream stream("ptxas info    : 0 bytes gmem\n" + output);
  add_ptxas_output(stream, "batch_norm: ", table);
  return table;
}
ResourceTable two_architectures() {
  return table_of(entry(sum, "sm_80") + properties(sum, 0, 0, 0) +
                  used("62 registers, used 1 barriers, 108 bytes smem") + entry(sum, "sm_100") +
                  properties(sum, 16, 0, 0) + used("40 registers, used 0 barriers"));
}
const KernelOnCard on_80{"batch_norm: sum<Pack<float>, true>", "sm_80"};
const KernelOnCard on_100{"batch_norm: sum<Pack<float>, true>", "sm_100"};

TEST(KernelResources, NamesAreShort) {
  EXPECT_EQ(short_kernel_name(sum), "sum<Pack<float>, true>");
  EXPECT_EQ(short_kernel_name(
                "_ZN9preceptor7kernels45_GLOBAL__N__f845aba9_12_optimizer_cu_efc8e0557advanceEPNS0_9StepStateE"),
            "advance");
  EXPECT_EQ(kernel_prefix("/anywhere/kernels/batch_norm/batch_norm.cu"), "batch_norm: ");
  EXPECT_EQ(kernel_prefix("/kernels/tree/kernels/softened_kl/versions/staged.cu"), "softened_kl/versions/staged: ");
}

TEST(KernelResources, AreRead) {
  const ResourceTable table = two_architectures();
  ASSERT_EQ(table.rows.size(), 2u);
  EXPECT_EQ(table.rows.at(on_80), (KernelResources{62, 108, 0, 0, 0}));
  EXPECT_EQ(table.rows.at(on_100), (KernelResources{40, 0, 16, 0, 0}));
}

TEST(KernelResources, SurviveTheTable) {
  const ResourceTable table = two_architectures();
  std::stringstream text;
  write_resource_table(text, table);
  const ResourceTable read = read_resource_table(text);
  EXPECT_EQ(read.compiler, table.compiler);
  EXPECT_TRUE(read.rows.size() == 2 && read.rows.at(on_80) == table.rows.at(on_80) &&
              read.rows.at(on_100) == table.rows.at(on_100));
  EXPECT_TRUE(differences(read, table).empty());
}

using Lines = std::vector<std::string>;

TEST(KernelResources, OneRegisterMoreIsReported) {
  ResourceTable recorded = two_architectures();
  recorded.rows[on_80].registers -= 1;
  EXPECT_EQ(differences(recorded, two_architectures()),
            Lines{"batch_norm: sum<Pack<float>, true>, sm_80: registers 62, in the table 61"});
}

TEST(KernelResources, EveryColumnCounts) {
  for (const auto column : {&KernelResources::shared, &KernelResources::stack}) {
    ResourceTable recorded = two_architectures();
    recorded.rows[on_100].*column += 4;
    EXPECT_EQ(differences(recorded, two_architectures()).size(), 1u);
  }
}

TEST(KernelResources, MissingAndSurplusKernelsAreReported) {
  ResourceTable fewer = two_architectures();
  fewer.rows.erase(on_80);
  fewer.rows[{"batch_norm: gone", "sm_100"}] = {};
  EXPECT_EQ(differences(fewer, two_architectures()),
            (Lines{"batch_norm: sum<Pack<float>, true>, sm_80: is not in the table",
                   "batch_norm: gone, sm_100: is in the table and not built"}));
}

TEST(KernelResources, WhatWasNotBuiltIsLeftOut) {
  ResourceTable built = two_architectures();
  built.rows.erase(on_100);
  EXPECT_TRUE(differences(two_architectures(), built).empty());
}

TEST(KernelResources, AcceptingKeepsWhatWasNotBuilt) {
  ResourceTable built = two_architectures();
  built.rows.erase(on_100);
  built.rows[on_80].registers = 12;
  ResourceTable recorded = two_architectures();
  recorded.rows[{"batch_norm: gone", "sm_80"}] = {};
  const ResourceTable table = accepted(recorded, built);
  EXPECT_EQ(table.rows.size(), 2u);
  EXPECT_EQ(table.rows.at(on_80).registers, 12);
  EXPECT_EQ(table.rows.at(on_100), recorded.rows.at(on_100));
  recorded.compiler = "nvcc 12.9";
  EXPECT_EQ(accepted(recorded, built).rows.size(), 1u);
}

// A table that was accepted with a spill does not make it good, nor does another compiler.
TEST(KernelResources, SpillsAreAlwaysReported) {
  const ResourceTable built = table_of(entry(sum, "sm_90") + properties(sum, 24, 16, 20) + used("255 registers"));
  const Lines report{"batch_norm: sum<Pack<float>, true>, sm_90: spills 16 bytes and loads 20"};
  EXPECT_EQ(differences(built, built), report);
  EXPECT_EQ(differences({"nvcc 14.0", {}}, built), report);
}

TEST(KernelResources, SpillsOfCalledFunctionsAreTheKernels) {
  const ResourceTable built = table_of(entry(sum, "sm_90") + properties(sum, 0, 0, 0) + used("40 registers") +
                                       properties("__internal_accurate_pow", 8, 4, 8));
  EXPECT_EQ(differences(built, built), Lines{"batch_norm: sum<Pack<float>, true>, sm_90: spills 4 bytes and loads 8"});
}

TEST(KernelResources, AnotherCompilerMayTakeMore) {
  ResourceTable recorded = two_architectures();
  recorded.compiler = "nvcc 12.9";
  recorded.rows[on_80].registers = 1;
  EXPECT_TRUE(differences(recorded, two_architectures()).empty());
}

// Two architectures at a time, their lines mixed: whose 62 registers are these?
TEST(KernelResources, MixedOutputIsRefused) {
  EXPECT_THROW(table_of(entry(sum, "sm_80") + entry(sum, "sm_90") + properties(sum, 0, 0, 0) + used("62 registers") +
                        properties(sum, 0, 0, 0) + used("60 registers")),
               std::runtime_error);
  EXPECT_THROW(table_of(entry(sum, "sm_80") + used("62 registers")), std::runtime_error);
  EXPECT_THROW(table_of(entry(sum, "sm_80") + properties(sum, 0, 0, 0)), std::runtime_error);
}

}  // namespace
}  // namespace preceptor::test
