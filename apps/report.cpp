// preceptor-report: one self-contained HTML page about one run or several, and a model card beside it.
#include <filesystem>
#include <iostream>

#include "apps/command_line/command_line.h"
#include "apps/report/report.h"
#include "engine/files/check.h"
#include "engine/files/file.h"

namespace preceptor {
namespace {

struct ReportOptions {
  std::vector<std::string> runs;
  std::string out = "report.html", model_card, title, rule = "f1";
  EvaluationOptions analysis;
  int pictures = 5;
};

bool parse(ReportOptions& options, int argc, char** argv) {
  OptionTable table;
  table(options.runs, "run", "RUN", "Directories of finished runs", {.required = true});
  table(options.out, "--out", "FILE", "HTML file to write");
  table(options.model_card, "--model-card", "FILE", "Markdown file to write; by default next to --out, ending in .md");
  table(options.title, "--title", "TEXT", "Heading; by default the run's name");
  table(options.rule, "--threshold", "RULE",
        "How thresholds are chosen on validation: f1, youden, sensitivity=0.9, specificity=0.9");
  add_bootstrap(table, options.analysis.resamples, "intervals and bands");
  table(options.pictures, "--pictures", "COUNT",
        "Number of labels for which test images are shown under Grad-CAM; 0: none, and the data are not opened",
        {.at_least = 0, .at_most = 1000});
  table(options.analysis.seed, "--seed", "NUMBER", "Seed of the resampling");
  add_threads(table, options.analysis.threads);
  return parse_command_line(
      {"preceptor-report", "Writes one HTML page about one finished run or several, and a model card in Markdown.",
       "Examples:\n"
       "  preceptor-report runs/student --out student.html\n"
       "  preceptor-report runs/scratch-seed0 runs/scratch-seed1 runs/taught-seed0 runs/taught-seed1 --out "
       "report.html\n\n"
       "Runs that differ only in their seed are one arm; the other arms are compared with the first.\n"
       "The page needs no network and no script. docs/report.md says how to read it."},
      table, argc, argv);
}

int run_report(int argc, char** argv) {
  ReportOptions options;
  if (!parse(options, argc, argv)) return 0;
  options.analysis.rule = parse_threshold_rule(options.rule);
  if (options.model_card.empty())
    options.model_card = std::filesystem::path(options.out).replace_extension(".md").string();
  require(options.model_card != options.out, "--model-card and --out are one file, ", options.out);
  std::vector<EvaluatedRun> runs;
  for (const std::string& directory : options.runs) {
    for (const EvaluatedRun& run : runs) require(run.source.name != directory, directory, " is given twice");
    runs.push_back(open_run_and_checkpoint(directory));
  }
  Report report;
  report.title = options.title;
  report.arms = arms_of(std::move(runs));
  add_numbers(report, options.analysis);
  if (options.pictures > 0) {
    const auto context = Context::on_cpu(options.analysis.threads, 0);
    report.pictures.push_back(explained_images(report, open_data_of(report), *context, options.pictures));
  }
  write_file_atomically(options.out, render_html(report));
  write_file_atomically(options.model_card, render_markdown(report));
  std::cout << options.out << '\n' << options.model_card << '\n';
  return 0;
}

}  // namespace
}  // namespace preceptor

int main(int argc, char** argv) { return preceptor::run_app(argc, argv, preceptor::run_report); }
