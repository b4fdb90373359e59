// preceptor-quickstart: does a teacher, or its source hospital, help a small network that has few images of its own?
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>

#include "apps/studies/report.h"
#include "apps/support/command_line.h"
#include "apps/support/progress.h"
#include "apps/support/run_app.h"
#include "apps/training/prediction.h"
#include "apps/training/results.h"
#include "apps/training/training.h"
#include "data/phantom.h"
#include "engine/check.h"
#include "engine/checkpoint.h"
#include "models/loaded_model.h"

namespace preceptor {
namespace {

struct QuickstartOptions {
  std::string out;
  std::string device = "cpu";
  int seeds = 3, threads = 0;
  bool fast = false, quiet = false;
};

// Sizes of the study. The fast one only shows that everything runs.
struct Plan {
  std::string source = "phantom:chest?site=a&n=4000&val=300&test=300";
  std::string target = "phantom:chest?site=b&n=400&val=300&test=1000";
  std::string teacher = "resnet20", student = "resnet8";
  int source_epochs = 10, target_epochs = 30;
  int source_batch = 64, target_batch = 32;
  int bootstrap = 1000;
};

Plan plan_for(const QuickstartOptions& options) {
  Plan plan;
  if (!options.fast) return plan;
  plan.source = "phantom:chest?site=a&n=320&val=64&test=64";
  plan.target = "phantom:chest?site=b&n=96&val=64&test=128";
  plan.teacher = "resnet14";
  plan.source_epochs = 2;
  plan.target_epochs = 3;
  plan.bootstrap = 100;
  return plan;
}

// How an arm differs from learning from scratch.
struct ArmPlan {
  std::string key, label, name, start;
  std::string init, teacher, method;
  int freeze = 0;
};

// The study with what it has computed so far.
class Quickstart {
 public:
  explicit Quickstart(const QuickstartOptions& options)
      : options_(options),
        plan_(plan_for(options)),
        source_(open_dataset(plan_.source)),
        target_(open_dataset(plan_.target)) {}

  void run();

 private:
  std::string folder(const std::string& run) const { return options_.out + "/" + run; }
  TrainingResult train_run(TrainingOptions training, const Dataset& dataset);
  TrainingOptions source_options(const std::string& model, const std::string& run) const;
  TrainingOptions target_options(const ArmPlan& arm, int seed) const;
  std::vector<ArmPlan> arm_plans() const;
  Reference reference(const std::string& label, const std::string& name, const std::string& run,
                      const TrainingResult& result);
  void train_all();
  Report make_report() const;
  PictureRow pictures(char site, const Dataset& dataset, const std::string& title) const;
  nlohmann::ordered_json results() const;
  void print_table() const;

  QuickstartOptions options_;
  Plan plan_;
  Dataset source_, target_;
  Comparison comparison_;
  int started_ = 0;
  double seconds_ = 0;
};

// Finished runs are only tested again; an interrupted one goes on; one with other settings is an error.
TrainingResult Quickstart::train_run(TrainingOptions training, const Dataset& dataset) {
  const int runs = 2 + static_cast<int>(arm_plans().size()) * options_.seeds;
  ++started_;
  if (!options_.quiet)
    std::fprintf(stderr, "[%d/%d] %s: %s, %d epochs\n", started_, runs, training.out.c_str(), training.model.c_str(),
                 training.epochs);
  const TrainingResult result = train(training, true, options_.quiet ? ProgressReport() : ProgressLine(), &dataset);
  seconds_ += result.seconds;
  return result;
}

TrainingOptions Quickstart::source_options(const std::string& model, const std::string& run) const {
  TrainingOptions training;
  training.data = plan_.source;
  training.model = model;
  training.epochs = plan_.source_epochs;
  training.batch = plan_.source_batch;
  training.learning_rate = 2e-3;
  training.schedule = "cosine";
  training.shift = 2;
  training.device = options_.device;
  training.threads = options_.threads;
  training.bootstrap = plan_.bootstrap;
  training.out = folder(run);
  return training;
}

TrainingOptions Quickstart::target_options(const ArmPlan& arm, int seed) const {
  TrainingOptions training = source_options(plan_.student, arm.key + "-seed" + std::to_string(seed));
  training.data = plan_.target;
  training.epochs = plan_.target_epochs;
  training.batch = plan_.target_batch;
  training.seed = static_cast<std::uint64_t>(seed);
  training.init = arm.init;
  training.freeze = arm.freeze;
  training.teacher = arm.teacher;
  if (!arm.method.empty()) training.methods = {arm.method};
  return training;
}

std::vector<ArmPlan> Quickstart::arm_plans() const {
  const std::string source_student = folder("source-student") + "/best.safetensors";
  const std::string teacher = folder("teacher") + "/best.safetensors";
  const std::string from_random = plan_.student + ", random start";
  const std::string from_source = plan_.student + " from site a";
  const std::string taught = from_random + "; teacher " + plan_.teacher;
  return {
      {"scratch", "scratch", "From scratch", from_random, "", "", "", 0},
      {"frozen", "frozen", "Frozen-block transfer", from_source + "; 3 of 4 blocks fixed", source_student, "", "", 3},
      {"fine-tuned", "fine-tuned", "Full fine-tuning", from_source + "; all blocks learn", source_student, "", "", 0},
      {"distilled", "distilled", "Distilled on logits", taught, "", teacher, "kd:temperature=4,weight=0.9", 0},
      {"attention", "attention", "Attention transfer", taught, "", teacher, "at:weight=10", 0},
  };
}

Reference Quickstart::reference(const std::string& label, const std::string& name, const std::string& run,
                                const TrainingResult& result) {
  const auto context = std::make_unique<Context>(kernels::open_device(options_.device, options_.threads), 0);
  const LoadedModel model = load_model(*context, load_card_checkpoint(folder(run) + "/best.safetensors"));
  Predictor predictor(*context, *model.network, model.card, target_);
  const Predictions predictions = predictor.predict(target_.test);
  Reference reference;
  reference.label = label;
  reference.name = name;
  reference.network = model.card.network.name + " from site a, not adapted";
  reference.test = evaluate_scores(target_.task, target_.outputs, target_.label_names, predictions.probabilities,
                                   target_.test.labels, plan_.bootstrap, 0);
  reference.seconds = result.seconds;
  return reference;
}

void Quickstart::train_all() {
  const TrainingResult teacher = train_run(source_options(plan_.teacher, "teacher"), source_);
  const TrainingResult source = train_run(source_options(plan_.student, "source-student"), source_);
  comparison_.test_images = target_.test.count;
  comparison_.references = {reference("teacher", "Teacher", "teacher", teacher),
                            reference("source", "Source student", "source-student", source)};
  for (const ArmPlan& plan : arm_plans()) {
    Arm arm{plan.key, plan.label, plan.name, plan.start, {}};
    for (int seed = 0; seed < options_.seeds; ++seed)
      arm.runs.push_back(train_run(target_options(plan, seed), target_));
    comparison_.arms.push_back(std::move(arm));
  }
}

// A training image without a finding, and for every finding the image with the fewest others.
PictureRow Quickstart::pictures(char site, const Dataset& dataset, const std::string& title) const {
  PhantomOptions phantom;
  phantom.site = site;
  phantom.size = 160;
  PictureRow row{title, {}};
  for (int finding = -1; finding < dataset.outputs; ++finding) {
    int chosen = -1, fewest = dataset.outputs + 1;
    for (int i = 0; i < dataset.train.count; ++i) {
      const float* labels = dataset.train.labels.data() + static_cast<std::ptrdiff_t>(i) * dataset.outputs;
      const int present = static_cast<int>(std::count(labels, labels + dataset.outputs, 1.0f));
      if (finding < 0 ? present > 0 : labels[finding] < 0.5f) continue;
      if (present >= fewest) continue;
      fewest = present;
      chosen = i;
    }
    if (chosen < 0) continue;
    const std::size_t bytes = static_cast<std::size_t>(dataset.height) * dataset.width * dataset.channels;
    const auto first = dataset.train.images.begin() + static_cast<std::ptrdiff_t>(chosen * bytes);
    std::string caption;
    for (int label = 0; label < dataset.outputs; ++label)
      if (dataset.train.labels[static_cast<std::size_t>(chosen) * dataset.outputs + label] > 0.5f)
        caption += (caption.empty() ? "" : ", ") + dataset.label_names[label];
    row.pictures.push_back({caption.empty() ? "no finding" : caption, dataset.height, phantom.size, dataset.channels,
                            std::vector<std::uint8_t>(first, first + static_cast<std::ptrdiff_t>(bytes)),
                            make_phantoms(phantom, PhantomPart::train, chosen, 1).images});
  }
  return row;
}

Report Quickstart::make_report() const {
  Report report;
  report.title = "What helps a small network that has few images to learn from?";
  report.question =
      message("A teacher (", plan_.teacher, ") learned from ", source_.train.count,
              " synthetic chest X-rays of hospital a. A student (", plan_.student, ") then gets ", target_.train.count,
              " images of hospital b, which differs in exposure, noise, geometry "
              "and prevalence. Five ways to train it, each with ",
              options_.seeds, options_.seeds == 1 ? " seed and " : " seeds and ", plan_.target_epochs, " epochs.");
  report.comparison = comparison_;
  report.pictures = {pictures('a', source_, "Hospital a, the source"),
                     pictures('b', target_, "Hospital b, the target")};
  report.settings = {
      {"Source", plan_.source},
      {"Target", plan_.target},
      {"Source training", message(plan_.source_epochs, " epochs in batches of ", plan_.source_batch,
                                  "; teacher and source student are trained once, with seed 0")},
      {"Target training", message(plan_.target_epochs, " epochs in batches of ", plan_.target_batch, "; seeds 0 to ",
                                  options_.seeds - 1, " choose initial values and the order of images")},
      {"Optimiser", "Adam, learning rate 0.002 with a cosine schedule, images shifted by up to 2 pixels"},
      {"Choice of epoch",
       "best macro AUC on the target's validation images; the test images are used once, after that"},
      {"Distillation", "kd:temperature=4,weight=0.9, the binary form for each label; no gradient flows to the teacher"},
      {"Attention transfer",
       "at:weight=10, chosen from 1, 10 and 100 by validation AUC on another target sample; 1000 failed here"},
      {"Machine time", message(duration_text(seconds_), " of training with ", options_.threads, " threads")},
      {"Single runs", "each run's folder holds config.toml, metrics.csv and checkpoints"}};
  return report;
}

nlohmann::ordered_json interval_json(const Interval& interval) {
  return {{"mean", interval.mean}, {"low", interval.low}, {"high", interval.high}};
}

nlohmann::ordered_json Quickstart::results() const {
  nlohmann::ordered_json json{{"source", plan_.source}, {"target", plan_.target}, {"seeds", options_.seeds}};
  for (std::size_t i = 0; i < comparison_.arms.size(); ++i) {
    const Arm& arm = comparison_.arms[i];
    const ArmSummary summary = summarize(comparison_, i);
    nlohmann::ordered_json entry{{"arm", arm.key},
                                 {"name", arm.name},
                                 {"start", arm.start},
                                 {"test_auc", interval_json(summary.auc)},
                                 {"bootstrap_first_seed", {summary.bootstrap_low, summary.bootstrap_high}},
                                 {"train_validation_gap", summary.gap},
                                 {"seconds", summary.seconds}};
    if (summary.difference) entry["difference_from_scratch"] = interval_json(*summary.difference);
    for (const TrainingResult& run : arm.runs)
      entry["runs"].push_back({{"best_epoch", run.best_epoch}, {"test", evaluation_json(run.test)}});
    json["arms"].push_back(entry);
  }
  for (const Reference& reference : comparison_.references)
    json["references"].push_back(
        {{"name", reference.name}, {"network", reference.network}, {"test", evaluation_json(reference.test)}});
  json["conclusion"] = conclusion(comparison_);
  return json;
}

std::string bounds_text(double low, double high) {
  return low == low ? "[" + fixed(low, 3) + ", " + fixed(high, 3) + "]" : "one seed";
}

void print_wrapped(const std::string& text, std::size_t width) {
  std::size_t column = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find(' ', begin), text.size());
    if (column > 0 && column + 1 + end - begin > width) {
      std::cout << '\n';
      column = 0;
    }
    if (column > 0) std::cout << ' ', ++column;
    std::cout << text.substr(begin, end - begin);
    column += end - begin;
    begin = end + 1;
  }
  std::cout << '\n';
}

void Quickstart::print_table() const {
  constexpr const char* row = "%-28s %-42s %8s %-16s %-16s %8s %8s\n";
  std::printf(row, "arm", "network", "test AUC", "95 % over seeds", "95 % bootstrap*", "gap**", "seconds");
  for (std::size_t i = 0; i < comparison_.arms.size(); ++i) {
    const Arm& arm = comparison_.arms[i];
    const ArmSummary summary = summarize(comparison_, i);
    std::printf(row, arm.name.c_str(), arm.start.c_str(), fixed(summary.auc.mean, 3).c_str(),
                bounds_text(summary.auc.low, summary.auc.high).c_str(),
                bounds_text(summary.bootstrap_low, summary.bootstrap_high).c_str(), fixed(summary.gap, 3, true).c_str(),
                fixed(summary.seconds, 1).c_str());
  }
  for (const Reference& reference : comparison_.references)
    std::printf(row, reference.name.c_str(), reference.network.c_str(), fixed(reference.test.auc_macro, 3).c_str(), "",
                bounds_text(reference.test.auc_low, reference.test.auc_high).c_str(), "",
                fixed(reference.seconds, 1).c_str());
  std::printf("* over %d test images, first seed   ** training minus validation AUC at the chosen epoch\n\n",
              comparison_.test_images);
  std::fflush(stdout);
  print_wrapped(conclusion(comparison_), 110);
}

void Quickstart::run() {
  train_all();
  const std::string report = folder("report.html");
  write_file_atomically(folder("results.json"), results().dump(1) + "\n");
  write_file_atomically(report, render_report(make_report()));
  print_table();
  std::cout << "\nreport: " << report << '\n';
}

int run_quickstart(int argc, char** argv) {
  CLI::App app(
      "Trains a teacher on synthetic X-rays of one hospital, then a small student on few images of another in five\n"
      "ways, and compares them: a table here, curves and pictures in report.html. Run again, it goes on where it was.",
      "preceptor-quickstart");
  QuickstartOptions options;
  app.add_option("--out", options.out,
                 "Folder of all runs and the report (runs/quickstart, with --fast runs/quickstart-fast)");
  app.add_option("--seeds", options.seeds, "Runs of every arm")->check(CLI::Range(1, 100))->capture_default_str();
  add_device_flags(app, options.device, options.threads);
  app.add_flag("--fast", options.fast, "Tiny sizes: shows in seconds that everything runs, and nothing else");
  add_quiet_flag(app, options.quiet);
  add_config_flag(app);
  if (!parse_command_line(app, argc, argv)) return 0;
  if (options.out.empty()) options.out = options.fast ? "runs/quickstart-fast" : "runs/quickstart";
  // Part of a run's settings, so it has to be a number.
  if (options.threads == 0) options.threads = kernels::open_device(options.device, 0).threads;
  explain_interrupts("preceptor-quickstart", "the same command goes on where this one stopped");
  Quickstart(options).run();
  return 0;
}

}  // namespace
}  // namespace preceptor

int main(int argc, char** argv) { return preceptor::run_app(argc, argv, preceptor::run_quickstart); }
