// preceptor-compare: runs on the same images against each other.
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>

#include "apps/command_line/command_line.h"
#include "apps/command_line/run_app.h"
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
  CLI::App app(
      "Tests whether runs differ on the same images: against the first one, over images and over seeds, by label.\n"
      "Runs whose options are the same but for the seed are one arm.",
      "preceptor-compare");
  app.footer(
      "Examples:\n"
      "  preceptor-compare runs/scratch runs/distilled\n"
      "  preceptor-compare runs/scratch-seed* runs/distilled-seed* --margin 0.01 --json\n\n"
      "docs/evaluation.md says which test answers which question.");
  app.add_option("run", options.runs, "Run directories, or tables of predictions (.csv) of the same images")
      ->type_name("RUN")
      ->required();
  app.add_option("--split", options.comparison.split, "test or val")
      ->type_name("NAME")
      ->check(CLI::IsMember({"test", "val"}))
      ->capture_default_str();
  app.add_option("--margin", options.comparison.margin, "Test whether the others are worse by less than this AUC")
      ->type_name("AUC")
      ->check(CLI::Range(1e-9, 1.0));
  app.add_option("--subgroups", options.comparison.subgroups,
                 "Whether gaps between groups change: columns such as sex,age,view; sex+age for intersections")
      ->type_name("COLUMN,...")
      ->delimiter(',');
  const auto number = [&](const char* flag, auto& value, const char* text, int low, int high) {
    app.add_option(flag, value, text)->type_name("COUNT")->check(CLI::Range(low, high))->capture_default_str();
  };
  number("--minimum-group", options.comparison.minimum_group, "Images below which a subgroup is left out", 1, 1 << 30);
  add_bootstrap_flag(app, options.comparison.resamples, "the intervals of AUPRC and of gaps");
  app.add_option("--stratify", options.comparison.stratify,
                 "Resample within the values of this column (site), or of classes within each (label)")
      ->type_name("COLUMN");
  number("--threads", options.comparison.threads, "CPU threads; 0: all", 0, 4096);
  app.add_option("--seed", options.comparison.seed, "Of the resamplings")->type_name("NUMBER")->capture_default_str();
  app.add_option("--curves", options.curves, "CSV file for the learning curves of all runs")->type_name("FILE");
  app.add_flag("--json", options.json, "Print one JSON object instead of tables");
  add_config_flag(app);
  return parse_command_line(app, argc, argv);
}

int run_compare(int argc, char** argv) {
  CompareOptions options;
  if (!parse(options, argc, argv)) return 0;
  const std::vector<Arm> arms = open_arms(options.runs, options.comparison.split);
  const Comparison comparison = compare(arms, options.comparison);
  if (!options.curves.empty()) write_file_atomically(options.curves, learning_curves_csv(arms));
  std::cout << (options.json ? comparison_json(arms, comparison, options.comparison.split).dump(1) + "\n"
                             : comparison_text(arms, comparison, options.comparison.split))
            << std::flush;
  if (!std::cout) fail(ErrorKind::io, "stdout cannot be written");
  return 0;
}

}  // namespace
}  // namespace preceptor

int main(int argc, char** argv) { return preceptor::run_app(argc, argv, preceptor::run_compare); }
