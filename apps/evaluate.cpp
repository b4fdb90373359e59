// preceptor-evaluate: metrics with intervals of checkpoints, runs and tables of predictions.
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>

#include "apps/command_line/command_line.h"
#include "apps/evaluation/assessment.h"
#include "engine/files/check.h"

namespace preceptor {
namespace {

struct EvaluateOptions {
  std::vector<std::string> inputs, checkpoints;
  SourceOptions source;
  AssessmentOptions assessment;
  std::string thresholds, curves;
  bool json = false;
};

OptionTable declare(EvaluateOptions& options) {
  OptionTable table;
  table(options.inputs, "input", "INPUT",
        "Run directories, tables of predictions (.csv), or checkpoints (with --data); several are shown one below "
        "the other");
  table(options.checkpoints, "--checkpoint", "FILE", "The same as INPUT", {.repeated = true});
  table(options.source.data, "--data", "FORMAT:PATH", "Images and labels for checkpoints, as for preceptor-train");
  table(options.source.split, "--split", "NAME", "test, val or train", {.one_of = {"test", "val", "train"}});
  table(options.source.labels, "--labels", "FILE",
        "Truth for tables of bare probabilities (an image's name, then a column per finding): 'Image Index,Finding "
        "Labels', or a column of 0, 1 or nothing per finding");
  table(options.source.validation, "--validation", "FILE",
        "Predictions of validation images for tables: thresholds and calibration are fitted to them");
  table(options.thresholds, "--thresholds", "RULE",
        "Fitted on validation: f1, youden, sensitivity=X, specificity=X; by default those of the checkpoint, or f1");
  table(options.assessment.subgroups, "--subgroups", "COLUMN,...",
        "Columns of the table, such as sex,age,view; sex+age for intersections");
  table(options.curves, "--curves", "FOLDER", "Folder for roc.csv, precision_recall.csv and reliability.csv");
  table(options.json, "--json", "Print JSON instead of tables");
  table(options.assessment.bca, "--bca",
        "Use bias-corrected and accelerated bootstrap intervals instead of percentiles");
  table(options.source.batch, "--batch", "COUNT", "Images per batch", {.at_least = 1, .at_most = 1 << 16});
  add_bootstrap(table, options.assessment.resamples, "the intervals");
  table(options.assessment.minimum_group, "--minimum-group", "COUNT", "Leave out subgroups with fewer images",
        {.at_least = 1, .at_most = 1 << 30});
  table(options.assessment.seed, "--seed", "NUMBER", "Seed of the resampling");
  add_device(table, options.source.device);
  add_threads(table, options.source.threads);
  add_precision(table, options.source.precision);
  return table;
}

bool parse(EvaluateOptions& options, int argc, char** argv) {
  OptionTable table = declare(options);
  const CommandHelp help = {
      "preceptor-evaluate",
      "Computes AUC, AUPRC, decisions, calibration and their intervals, for every label and over all of them.",
      "Examples:\n"
      "  preceptor-evaluate runs/teacher runs/student --subgroups sex,age\n"
      "  preceptor-evaluate --checkpoint runs/student/best.safetensors --data 'phantom:chest?site=b' --json\n"
      "  preceptor-evaluate probabilities.csv --labels Data_Entry_2017.csv\n\n"
      "--json prints an object (several inputs: a list of them) that begins as in result.json: n, auc_macro, auc_low,\n"
      "auc_high, auc (by label), accuracy, undefined, loss. docs/evaluation.md says how everything is computed."};
  if (!parse_command_line(help, table, argc, argv)) return false;
  options.inputs.insert(options.inputs.begin(), options.checkpoints.begin(), options.checkpoints.end());
  require(!options.inputs.empty(),
          "nothing to evaluate: a run directory, a table of predictions, or --checkpoint and --data are needed (see "
          "preceptor-evaluate --help)");
  if (!options.thresholds.empty()) options.assessment.rule = parse_threshold_rule(options.thresholds);
  options.source.wants_validation = options.assessment.rule.has_value();
  options.assessment.threads = options.source.threads;
  return true;
}

int run_evaluate(int argc, char** argv) {
  EvaluateOptions options;
  if (!parse(options, argc, argv)) return 0;
  std::vector<Source> sources;
  std::vector<Assessment> assessments;
  for (const std::string& input : options.inputs) {
    sources.push_back(open_source(input, options.source));
    assessments.push_back(assess(sources.back(), options.assessment));
  }
  if (!options.curves.empty()) write_curves(options.curves, sources);
  if (options.json) {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const Assessment& one : assessments) {
      list.push_back(assessment_json(one));
      list.back()["split"] = options.source.split;
      if (!options.source.data.empty()) list.back()["data"] = options.source.data;
    }
    std::cout << (list.size() == 1 ? list.front() : list).dump(1) << '\n';
  } else {
    std::cout << assessments_text(assessments);
  }
  return 0;
}

}  // namespace
}  // namespace preceptor

int main(int argc, char** argv) { return preceptor::run_app(argc, argv, preceptor::run_evaluate); }
