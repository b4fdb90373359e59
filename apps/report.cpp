// preceptor-report: one self-contained HTML page about one run or several, and a model card beside it.
#include <filesystem>
#include <iostream>

#include "apps/command_line/command_line.h"
#include "apps/command_line/run_app.h"
#include "apps/report/explained.h"
#include "engine/files/check.h"
#include "engine/files/file.h"

namespace preceptor {
namespace {

struct ReportOptions {
  std::vector<std::string> runs;
  std::string out = "report.html", model_card, title, rule = "f1";
  AnalysisOptions analysis;
  int pictures = 5;
};

bool parse(ReportOptions& options, int argc, char** argv) {
  CLI::App app("Writes one HTML page about one finished run or several, and a model card in Markdown.",
               "preceptor-report");
  app.footer(
      "Examples:\n"
      "  preceptor-report runs/student --out student.html\n"
      "  preceptor-report runs/scratch-seed0 runs/scratch-seed1 runs/taught-seed0 runs/taught-seed1 --out "
      "report.html\n\n"
      "Runs that differ in nothing but their seed count as one arm; the other arms are compared with the first.\n"
      "The page needs no network and no script. docs/report.md says how to read it.");
  app.add_option("run", options.runs, "Directories of finished runs")->type_name("RUN")->required();
  app.add_option("--out", options.out, "HTML file to write")->type_name("FILE")->capture_default_str();
  app.add_option("--model-card", options.model_card, "Markdown file to write; default: beside --out, ending in .md")
      ->type_name("FILE");
  app.add_option("--title", options.title, "Heading; default: the run's name")->type_name("TEXT");
  app.add_option("--threshold", options.rule,
                 "How thresholds are chosen on validation: f1, youden, sensitivity=0.9, specificity=0.9")
      ->type_name("RULE")
      ->capture_default_str();
  add_bootstrap_flag(app, options.analysis.resamples, "intervals and bands");
  app.add_option("--pictures", options.pictures,
                 "Labels for which test images are shown under Grad-CAM; 0: none, and the data are not opened")
      ->type_name("COUNT")
      ->check(CLI::Range(0, 1000))
      ->capture_default_str();
  app.add_option("--seed", options.analysis.seed, "Of the resamplings")->type_name("NUMBER")->capture_default_str();
  app.add_option("--threads", options.analysis.threads, "CPU threads; 0: all")
      ->type_name("COUNT")
      ->check(CLI::Range(0, 4096))
      ->capture_default_str();
  add_config_flag(app);
  return parse_command_line(app, argc, argv);
}

int run_report(int argc, char** argv) {
  ReportOptions options;
  if (!parse(options, argc, argv)) return 0;
  options.analysis.rule = parse_threshold_rule(options.rule);
  if (options.model_card.empty())
    options.model_card = std::filesystem::path(options.out).replace_extension(".md").string();
  require(options.model_card != options.out, "--model-card and --out are one file, ", options.out);
  std::vector<RunRecord> runs;
  for (const std::string& directory : options.runs) {
    for (const RunRecord& run : runs) require(run.path != directory, directory, " is given twice");
    runs.push_back(read_run(directory));
  }
  Report report;
  report.title = options.title;
  report.arms = arms_of(std::move(runs));
  analyze(report, options.analysis);
  if (options.pictures > 0) {
    const auto context = std::make_unique<Context>(kernels::cpu_device(options.analysis.threads), 0);
    report.pictures.push_back(explained_images(report, open_data_of(report), *context, options.pictures));
  }
  write_file_atomically(options.out, render_html(report));
  write_file_atomically(options.model_card, render_model_card(report));
  std::cout << options.out << '\n' << options.model_card << '\n';
  return 0;
}

}  // namespace
}  // namespace preceptor

int main(int argc, char** argv) { return preceptor::run_app(argc, argv, preceptor::run_report); }
