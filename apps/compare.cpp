// preceptor-compare: runs on the same images against each other.
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>

#include "apps/command_line/command_line.h"
#include "apps/evaluation/comparison.h"
#include "engine/files/check.h"
#include "engine/files/file.h"

namespace preceptor {
namespace {

struct CompareOptions {
  std::vector<std::string> runs;
  ComparisonOptions comparison;
  std::string curves;
  bool json = false;
};

bool parse(CompareOptions& options, int argc, char** argv) {
  OptionTable table;
  table(options.runs, "run", "RUN", "Run directories, or tables of predictions (.csv) of the same images",
        {.required = true});
  table(options.comparison.split, "--split", "NAME", "test or val", {.one_of = {"test", "val"}});
  table(options.comparison.margin, "--margin", "AUC",
        "Non-inferiority margin: test whether the others are worse by less than this AUC",
        {.at_least = 1e-9, .at_most = 1});
  table(options.comparison.subgroups, "--subgroups", "COLUMN,...",
        "Test whether gaps between groups change: columns such as sex,age,view; sex+age for intersections");
  table(options.comparison.minimum_group, "--minimum-group", "COUNT", "Leave out subgroups with fewer images",
        {.at_least = 1, .at_most = 1 << 30});
  add_bootstrap(table, options.comparison.resamples, "the intervals of AUPRC and of gaps");
  table(options.comparison.stratify, "--stratify", "COLUMN",
        "Resample within the values of this column (site), or of the classes within each (label)");
  add_threads(table, options.comparison.threads);
  table(options.comparison.seed, "--seed", "NUMBER", "Seed of the resampling");
  table(options.curves, "--curves", "FILE", "CSV file to write with the learning curves of all runs");
  table(options.json, "--json", "Print one JSON object instead of tables");
  return parse_command_line(
      {"preceptor-compare",
       "Tests whether runs differ on the same images: against the first one, over images and over seeds, by label.\n"
       "Runs that differ only in their seed are one arm.",
       "Examples:\n"
       "  preceptor-compare runs/scratch runs/distilled\n"
       "  preceptor-compare runs/scratch-seed* runs/distilled-seed* --margin 0.01 --json\n\n"
       "docs/evaluation.md says which test answers which question."},
      table, argc, argv);
}

int run_compare(int argc, char** argv) {
  CompareOptions options;
  if (!parse(options, argc, argv)) return 0;
  const std::vector<Arm> arms = open_arms(options.runs, options.comparison.split);
  const Comparison comparison = compare(arms, options.comparison);
  if (!options.curves.empty()) write_file_atomically(options.curves, learning_curves_csv(arms));
  std::cout << (options.json ? comparison_json(arms, comparison, options.comparison.split).dump(1) + "\n"
                             : comparison_text(arms, comparison, options.comparison.split));
  return 0;
}

}  // namespace
}  // namespace preceptor

int main(int argc, char** argv) { return preceptor::run_app(argc, argv, preceptor::run_compare); }
