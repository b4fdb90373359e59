// preceptor-evaluate: metrics with intervals of checkpoints, runs and tables of predictions.
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>

#include "apps/command_line/command_line.h"
#include "apps/command_line/run_app.h"
#include "apps/evaluation/output.h"
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

void describe_inputs(CLI::App& app, EvaluateOptions& options) {
  app.add_option("input", options.inputs,
                 "Run directories, tables of predictions (.csv), or checkpoints (with --data); several are shown "
                 "below each other")
      ->type_name("INPUT");
  app.add_option("--checkpoint", options.checkpoints, "The same as INPUT")->type_name("FILE");
  app.add_option("--data", options.source.data, "Images and labels for checkpoints, as for preceptor-train")
      ->type_name("FORMAT:PATH");
  app.add_option("--split", options.source.split, "test, val or train")
      ->type_name("NAME")
      ->check(CLI::IsMember({"test", "val", "train"}))
      ->capture_default_str();
  app.add_option("--labels", options.source.labels,
                 "Truth for tables of bare probabilities (an image's name, then a column per finding): 'Image "
                 "Index,Finding Labels', or a column of 0, 1 or nothing per finding")
      ->type_name("FILE");
  app.add_option("--validation", options.source.validation,
                 "Predictions of validation images for tables: thresholds and calibration are fitted on them")
      ->type_name("FILE");
}

bool parse(EvaluateOptions& options, int argc, char** argv) {
  CLI::App app("Computes AUC, AUPRC, decisions, calibration and their intervals, for every label and over all of them.",
               "preceptor-evaluate");
  app.footer(
      "Examples:\n"
      "  preceptor-evaluate runs/teacher runs/student --subgroups sex,age\n"
      "  preceptor-evaluate --checkpoint runs/student/best.safetensors --data 'phantom:chest?site=b' --json\n"
      "  preceptor-evaluate probabilities.csv --labels Data_Entry_2017.csv\n\n"
      "--json prints an object (several inputs: a list of them) that begins as in result.json: n, auc_macro, auc_low,\n"
      "auc_high, auc (by label), accuracy, undefined, loss. docs/evaluation.md says how everything is computed.");
  describe_inputs(app, options);
  app.add_option("--thresholds", options.thresholds,
                 "Fitted on validation: f1, youden, sensitivity=X, specificity=X; without it, those of the checkpoint "
                 "or f1")
      ->type_name("RULE");
  app.add_option("--subgroups", options.assessment.subgroups,
                 "Columns of the table, such as sex,age,view; sex+age for intersections")
      ->type_name("COLUMN,...")
      ->delimiter(',');
  app.add_option("--curves", options.curves, "Folder for roc.csv, precision_recall.csv and reliability.csv")
      ->type_name("FOLDER");
  app.add_flag("--json", options.json, "Print JSON instead of tables");
  app.add_flag("--bca", options.assessment.bca,
               "Bias-corrected accelerated bootstrap intervals instead of percentiles");
  const auto number = [&](const char* flag, auto& value, const char* text, int low, int high) {
    app.add_option(flag, value, text)->type_name("COUNT")->check(CLI::Range(low, high))->capture_default_str();
  };
  number("--batch", options.source.batch, "Images at a time", 1, 1 << 16);
  add_bootstrap_flag(app, options.assessment.resamples, "the intervals");
  number("--minimum-group", options.assessment.minimum_group, "Images below which a subgroup is left out", 1, 1 << 30);
  app.add_option("--seed", options.assessment.seed, "Of the resamplings")->type_name("NUMBER")->capture_default_str();
  add_device_flags(app, options.source.device, options.source.threads);
  add_precision_flag(app, options.source.precision);
  add_config_flag(app);
  if (!parse_command_line(app, argc, argv)) return false;
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
    std::cout << (list.size() == 1 ? list.front() : list).dump(1) << '\n' << std::flush;
  } else {
    std::cout << assessments_text(assessments) << std::flush;
  }
  if (!std::cout) fail(ErrorKind::io, "stdout cannot be written");
  return 0;
}

}  // namespace
}  // namespace preceptor

int main(int argc, char** argv) { return preceptor::run_app(argc, argv, preceptor::run_evaluate); }
