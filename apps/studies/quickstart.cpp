// preceptor-quickstart: does a teacher, or its source hospital, help a small network that has few images of its own?
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>

#include "apps/command_line/command_line.h"
#include "apps/command_line/progress.h"
#include "apps/inference/card_and_data.h"
#include "apps/inference/prediction.h"
#include "apps/report/report.h"
#include "apps/report/text.h"
#include "apps/runs/results.h"
#include "apps/training/training.h"
#include "data/formats/open_dataset.h"
#include "data/phantoms/phantom.h"
#include "engine/files/check.h"
#include "engine/files/file.h"
#include "engine/files/text.h"
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

const Plan fast_plan = {.source = "phantom:chest?site=a&n=320&val=64&test=64",
                        .target = "phantom:chest?site=b&n=96&val=64&test=128",
                        .teacher = "resnet14",
                        .source_epochs = 2,
                        .target_epochs = 3,
                        .bootstrap = 100};

// How an arm differs from learning from scratch.
struct ArmPlan {
  std::string key, name, start;
  std::string init, teacher, method;
  int freeze = 0;
};

nlohmann::ordered_json mean_json(const Interval& interval) {
  return {{"mean", interval.value}, {"low", interval.low}, {"high", interval.high}};
}

std::string bounds_text(const Interval& interval) {
  return std::isnan(interval.low) ? "one seed" : "[" + fixed(interval.low, 3) + ", " + fixed(interval.high, 3) + "]";
}

void print_wrapped(const std::string& text, std::size_t width) {
  std::string out;
  for (const std::string_view paragraph : split(text, '\n')) {
    if (!out.empty()) out += "\n\n";
    std::size_t column = 0;
    for (const std::string_view word : split(paragraph, ' ')) {
      if (column > 0 && column + 1 + word.size() > width) {
        out += '\n';
        column = 0;
      }
      if (column > 0) out += ' ', ++column;
      out += word;
      column += word.size();
    }
  }
  std::cout << out << '\n';
}

// The study with what it has computed so far.
class Quickstart {
 public:
  explicit Quickstart(const QuickstartOptions& options)
      : options_(options),
        plan_(options.fast ? fast_plan : Plan()),
        source_(open_dataset(plan_.source)),
        target_(open_dataset(plan_.target)) {}

  void run() {
    train_all();
    describe();
    const std::string report = folder("report.html");
    write_file_atomically(folder("results.json"), results().dump(1) + "\n");
    write_file_atomically(report, render_html(report_));
    print_table();
    std::cout << "\nreport: " << report << '\n';
  }

 private:
  std::string folder(const std::string& run) const { return options_.out + "/" + run; }

  // Finished runs are only tested again; an interrupted one goes on; one with other settings is an error.
  TrainingResult train_run(const TrainingOptions& training, const Dataset& dataset) {
    const int runs = 2 + static_cast<int>(arm_plans().size()) * options_.seeds;
    ++started_;
    if (!options_.quiet)
      std::fprintf(stderr, "[%d/%d] %s: %s, %d epochs\n", started_, runs, training.out.c_str(), training.model.c_str(),
                   training.epochs);
    const TrainingResult result = train(training, true, options_.quiet ? ProgressReport() : ProgressLine(), &dataset);
    seconds_ += result.seconds;
    return result;
  }

  TrainingOptions source_options(const std::string& model, const std::string& run) const {
    TrainingOptions training;
    training.data = plan_.source;
    training.model = model;
    training.epochs = plan_.source_epochs;
    training.batch = plan_.source_batch;
    training.learning_rate = 2e-3;
    training.schedule = ScheduleKind::cosine;
    training.augment.shift = 2;
    training.device = options_.device;
    training.threads = options_.threads;
    training.bootstrap = plan_.bootstrap;
    training.out = folder(run);
    return training;
  }

  TrainingOptions target_options(const ArmPlan& arm, int seed) const {
    TrainingOptions training = source_options(plan_.student, arm.key + "-seed" + std::to_string(seed));
    training.data = plan_.target;
    training.epochs = plan_.target_epochs;
    training.batch = plan_.target_batch;
    training.seed = static_cast<std::uint64_t>(seed);
    training.init = arm.init;
    training.freeze = arm.freeze;
    if (!arm.teacher.empty()) training.teachers = {CheckpointSpec{arm.teacher}};
    if (!arm.method.empty()) training.methods = {parse_method(arm.method)};
    return training;
  }

  std::vector<ArmPlan> arm_plans() const {
    const std::string source_student = folder("source-student") + "/best.safetensors";
    const std::string teacher = folder("teacher") + "/best.safetensors";
    const std::string from_random = plan_.student + ", random start";
    const std::string from_source = plan_.student + " from site a";
    const std::string taught = from_random + "; teacher " + plan_.teacher;
    return {
        {"scratch", "scratch", from_random, "", "", "", 0},
        {"frozen", "frozen blocks", from_source + "; 3 of 4 blocks fixed", source_student, "", "", 3},
        {"fine-tuned", "fine-tuned", from_source + "; all blocks learn", source_student, "", "", 0},
        {"distilled", "distilled", taught + ", on logits", "", teacher, "kd:temperature=4,weight=0.9", 0},
        {"attention", "attention", taught + ", on attention maps", "", teacher, "at:weight=10", 0},
    };
  }

  Reference reference(const std::string& name, const std::string& run, const TrainingResult& result) {
    const auto context = open_context(options_.device, options_.threads, 0);
    const LoadedModel model = load_model(*context, load_card_checkpoint(folder(run) + "/best.safetensors"));
    const Predictions predictions = predict_split(*context, *model.network, model.card, target_, target_.test);
    const PredictionTable table = prediction_table(target_, target_.test, "test", predictions);
    const AucEstimate auc = mean_auc(estimate_aucs(rank_all(findings(table))));
    return {name, model.card.network.name + " from site a, not adapted", auc_interval(auc), result.seconds};
  }

  void train_all() {
    const TrainingResult teacher = train_run(source_options(plan_.teacher, "teacher"), source_);
    const TrainingResult source = train_run(source_options(plan_.student, "source-student"), source_);
    report_.references = {reference("Teacher", "teacher", teacher),
                          reference("Source student", "source-student", source)};
    for (const ArmPlan& plan : arm_plans()) {
      Arm arm{plan.name, plan.start, {}};
      for (int seed = 0; seed < options_.seeds; ++seed) {
        const TrainingOptions training = target_options(plan, seed);
        train_run(training, target_);
        arm.runs.push_back(open_run_and_checkpoint(training.out));
      }
      report_.arms.push_back(std::move(arm));
    }
    add_numbers(report_, {.resamples = plan_.bootstrap, .threads = options_.threads});
  }

  // A training image without a finding, and for every finding the image with the fewest others.
  PictureRow pictures(char site, const Dataset& dataset, const std::string& title) const {
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
      std::string caption;
      for (int label = 0; label < dataset.outputs; ++label)
        if (dataset.train.labels[static_cast<std::size_t>(chosen) * dataset.outputs + label] > 0.5f)
          caption += (caption.empty() ? "" : ", ") + dataset.label_names[label];
      const Image large{phantom.size, phantom.size, dataset.channels,
                        make_phantoms(phantom, PhantomPart::train, chosen, 1).images};
      row.pictures.push_back(
          {caption.empty() ? "no finding" : caption, image_at(dataset, dataset.train, chosen), large});
    }
    return row;
  }

  void describe() {
    report_.title = "What helps a small network that has few images to learn from?";
    report_.lead = message(
        "A teacher (", plan_.teacher, ") learned from ", source_.train.count,
        " synthetic chest X-rays of hospital a. A student (", plan_.student, ") then gets ", target_.train.count,
        " images of hospital b, which differs in exposure, noise, geometry and prevalence. Five ways to train "
        "it, each with ",
        options_.seeds, options_.seeds == 1 ? " seed and " : " seeds and ", plan_.target_epochs, " epochs.");
    report_.pictures.push_back(
        {"images",
         "The images",
         "Synthetic phantoms. Below each drawing is the same patient as the networks see it.",
         {pictures('a', source_, "Hospital a, the source"), pictures('b', target_, "Hospital b, the target")}});
    const auto context = open_context(options_.device, options_.threads, 0);
    report_.pictures.push_back(explained_images(report_, target_, *context, target_.outputs));
    report_.settings = {
        {"Source", plan_.source},
        {"Target", plan_.target},
        {"Source training", message(plan_.source_epochs, " epochs in batches of ", plan_.source_batch,
                                    "; teacher and source student are trained once, with seed 0")},
        {"Target training", message(plan_.target_epochs, " epochs in batches of ", plan_.target_batch, "; seeds 0 to ",
                                    options_.seeds - 1, " choose initial values and the order of images")},
        {"Optimiser", "Adam, learning rate 0.002 with a cosine schedule, images shifted by up to 2 pixels"},
        {"Choice of epoch",
         "best macro AUC on the target's validation images; the test images are used once, after that"},
        {"Distillation",
         "kd:temperature=4,weight=0.9, the binary form for each label; no gradient flows to the teacher"},
        {"Attention transfer",
         "at:weight=10, chosen from 1, 10 and 100 by validation AUC on another target sample; 1000 failed here"},
        {"Machine time", message(duration_text(seconds_), " of training with ", options_.threads, " threads")},
        {"Single runs", "each run's folder holds config.toml, metrics.csv and checkpoints"}};
  }

  nlohmann::ordered_json results() const {
    nlohmann::ordered_json json{{"source", plan_.source}, {"target", plan_.target}, {"seeds", options_.seeds}};
    for (std::size_t i = 0; i < report_.arms.size(); ++i) {
      const ArmScore& score = report_.comparison.arms[i];
      nlohmann::ordered_json entry{{"arm", arm_plans()[i].key},
                                   {"name", report_.arms[i].name},
                                   {"start", report_.arms[i].note},
                                   {"test_auc", mean_json(score.over_seeds)},
                                   {"test_auc_over_images", mean_json(score.over_images)},
                                   {"train_validation_gap", score.gap},
                                   {"seconds", score.seconds}};
      if (const Difference* difference = report_.comparison.over_seeds(i)) {
        entry["difference_from_scratch"] = mean_json(difference->interval);
        entry["difference_from_scratch"]["p_holm"] = difference->p_holm;
      }
      for (const EvaluatedRun& run : report_.arms[i].runs)
        entry["runs"].push_back({{"best_epoch", run.best_epoch}, {"test", run.result["test"]}});
      json["arms"].push_back(entry);
    }
    for (const Reference& reference : report_.references)
      json["references"].push_back(
          {{"name", reference.name}, {"network", reference.note}, {"test_auc", mean_json(reference.auc)}});
    json["conclusion"] = summary_text(report_);
    return json;
  }

  void print_table() const {
    constexpr const char* row = "%-16s %-48s %8s %-16s %-16s %8s %8s\n";
    std::printf(row, "arm", "network", "test AUC", "95 % over seeds", "95 % images*", "gap**", "seconds");
    for (std::size_t i = 0; i < report_.arms.size(); ++i) {
      const ArmScore& score = report_.comparison.arms[i];
      std::printf(row, report_.arms[i].name.c_str(), report_.arms[i].note.c_str(),
                  fixed(score.over_seeds.value, 3).c_str(), bounds_text(score.over_seeds).c_str(),
                  bounds_text(score.over_images).c_str(), fixed(score.gap, 3, true).c_str(),
                  fixed(score.seconds, 1).c_str());
    }
    for (const Reference& reference : report_.references)
      std::printf(row, lower_start(reference.name).c_str(), reference.note.c_str(),
                  fixed(reference.auc.value, 3).c_str(), "", bounds_text(reference.auc).c_str(), "",
                  fixed(reference.seconds, 1).c_str());
    std::printf("* DeLong's interval over %d test images   ** training minus validation AUC at the chosen epoch\n\n",
                target_.test.count);
    std::fflush(stdout);
    print_wrapped(summary_text(report_), 110);
  }

  QuickstartOptions options_;
  Plan plan_;
  Dataset source_, target_;
  Report report_;
  int started_ = 0;
  double seconds_ = 0;
};

int run_quickstart(int argc, char** argv) {
  QuickstartOptions options;
  OptionTable table;
  table(options.out, "--out", "DIR",
        "Folder of all runs and the report; by default runs/quickstart, or runs/quickstart-fast with --fast");
  table(options.seeds, "--seeds", "COUNT", "Runs of every arm", {.at_least = 1, .at_most = 100});
  add_device(table, options.device);
  add_threads(table, options.threads);
  table(options.fast, "--fast", "Use tiny sizes: shows in seconds that everything runs, and nothing else");
  add_quiet(table, options.quiet);
  const CommandHelp help = {
      "preceptor-quickstart",
      "Trains a teacher on synthetic X-rays of one hospital, then a small student on few images of another in five\n"
      "ways, and compares them: a table here, curves and pictures in report.html. A second call resumes an interrupted "
      "one."};
  if (!parse_command_line(help, table, argc, argv)) return 0;
  if (options.out.empty()) options.out = options.fast ? "runs/quickstart-fast" : "runs/quickstart";
  // Part of a run's settings, so it has to be a number.
  if (options.threads == 0) options.threads = default_threads(options.device);
  explain_interrupts("preceptor-quickstart", "the same command goes on where this one stopped");
  Quickstart(options).run();
  return 0;
}

}  // namespace
}  // namespace preceptor

int main(int argc, char** argv) { return preceptor::run_app(argc, argv, preceptor::run_quickstart); }
