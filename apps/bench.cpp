// preceptor-bench: the speed and memory of a whole training step, of single kernel families, and of loading images.
#include <array>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>
#include <numeric>

#include "apps/bench/kernels.h"
#include "apps/bench/loading.h"
#include "apps/bench/measure.h"
#include "apps/command_line/command_line.h"
#include "apps/training/step/student_step.h"
#include "kernels/device/card.h"
#include "models/registry.h"

namespace preceptor {
namespace {

struct StepOptions {
  std::string method = "kd:temperature=4,weight=0.9";
  std::string model = "resnet18", stem = "imagenet", device = "cpu";
  Precision precision = Precision::float32;
  int size = 64, batch = 32, threads = 2, channels = 3, outputs = 1000;
  std::string teacher;
  Graph graph = Graph::on;
  Effort effort;
  bool inference = false, teacher_stream = false, json = false, profile = false, serve = false;
};

constexpr int bench_images = 50000;  // in the data set; methods with a memory bank keep an embedding of each

// A network on random images, and what is timed of it: the step of a training run, or a forward pass.
class BenchStep {
 public:
  explicit BenchStep(const StepOptions& options)
      : context_(open_context(options.device, options.threads, 1, options.precision)),
        student_(network(options, options.model, 1)) {
    options.inference ? prepare_inference(options) : prepare_training(options);
  }

  // Launches a step and waits for it.
  void operator()() {
    if (training_)
      training_->run(batch_, 0, 0.01f);
    else
      (*inference_)();
    context_->stream().synchronize();
  }
  Context& context() { return *context_; }

 private:
  std::unique_ptr<Network> network(const StepOptions& options, const std::string& name, std::uint64_t seed) {
    std::unique_ptr<Network> made = make_model(*context_, {.name = name,
                                                           .in_channels = options.channels,
                                                           .outputs = options.outputs,
                                                           .small_stem = options.stem == "small"});
    made->initialize(seed);
    made->fold();
    return made;
  }

  void prepare_inference(const StepOptions& options) {
    // Normal numbers: on zeros some processors multiply faster, and every ReLU would be shut.
    images_ = context_->empty({options.batch, options.channels, options.size, options.size}, Lifetime::persistent);
    images_.from_host(random_normal(images_.shape().elements(), 2));
    inference_.emplace(
        *context_, [this] { student_->forward(images_, Mode::inference); }, options.graph == Graph::on, options.batch);
  }

  void prepare_training(const StepOptions& options) {
    const Shape shape{options.batch, options.channels, options.size, options.size};
    fill_batch(shape, options.outputs);
    if (!options.teacher.empty()) prepare_teacher(options);
    std::vector<Parameters*> learning = {&student_->parameters()};
    for (const StepMethod& each : methods_) learning.push_back(&each.method->parameters());
    optimizer_.emplace(learning, OptimizerOptions{.rule = UpdateRule::sgd, .momentum = 0.9f});
    const auto channels = static_cast<std::size_t>(options.channels);
    StepSetup setup;
    setup.students = {{.network = student_.get(), .methods = methods_, .optimizer = &*optimizer_}};
    setup.teacher = teacher_ ? &*teacher_ : nullptr;
    setup.outputs = options.outputs;
    setup.images = shape;
    setup.input = {.mean = std::vector<float>(channels, 0.5f), .deviation = std::vector<float>(channels, 0.25f)};
    setup.replay = options.graph == Graph::on;
    setup.teacher_stream = options.teacher_stream;
    training_.emplace(*context_, setup);
  }

  void fill_batch(const Shape& shape, int outputs) {
    std::mt19937_64 bits(3);
    batch_.size = batch_.valid = shape[0];
    batch_.images.resize(shape.elements());
    for (std::uint8_t& pixel : batch_.images) pixel = static_cast<std::uint8_t>(bits() & 255);
    batch_.labels.resize(static_cast<std::size_t>(shape[0]));
    for (float& label : batch_.labels) label = static_cast<float>(bits() % static_cast<std::uint64_t>(outputs));
    // In order, so that no image is twice in a step.
    batch_.positions.resize(static_cast<std::size_t>(shape[0]));
    std::iota(batch_.positions.begin(), batch_.positions.end(), 0);
  }

  void prepare_teacher(const StepOptions& options) {
    teacher_network_ = network(options, options.teacher, 4);
    teacher_.emplace(*context_, *teacher_network_, /*learns=*/false);
    for (std::size_t i = 0; i < classes_.size(); ++i)
      classes_[i] = static_cast<float>(i % static_cast<std::size_t>(options.outputs));
    methods_ = make_methods({parse_method(options.method)}, {.context = context_.get(),
                                                             .student = student_.get(),
                                                             .teacher = teacher_network_.get(),
                                                             .height = options.size,
                                                             .width = options.size,
                                                             .teacher_height = options.size,
                                                             .teacher_width = options.size,
                                                             .images = bench_images,
                                                             .classes = &classes_});
  }

  std::unique_ptr<Context> context_;
  std::unique_ptr<Network> student_;

  // For inference.
  Tensor images_;
  std::optional<TrainStep> inference_;

  // For training.
  Batch batch_;
  std::vector<float> classes_ = std::vector<float>(bench_images);
  std::unique_ptr<Network> teacher_network_;
  std::optional<NetworkTeacher> teacher_;
  std::vector<StepMethod> methods_;
  std::optional<Optimizer> optimizer_;
  std::optional<StudentStep> training_;
};

// Null for an empty name.
nlohmann::ordered_json named(const std::string& name) {
  return name.empty() ? nlohmann::ordered_json() : nlohmann::ordered_json(name);
}

nlohmann::ordered_json measure_step(const StepOptions& options, BenchStep& step) {
  const std::vector<double> seconds = time_repeats(options.effort, std::ref(step), [] {});
  const double typical = median(seconds);
  return {{"model", options.model},
          {"stem", options.stem},
          {"size", options.size},
          {"batch", options.batch},
          {"threads", step.context().device().threads},
          {"device", to_string(step.context().device().kind)},
          {"card", named(card_name(step.context().device()))},
          {"precision", word_of(options.precision)},
          {"layout", step.context().device().kind == kernels::DeviceKind::cpu ? "blocked" : "channels_last"},
          {"channels", options.channels},
          {"classes", options.outputs},
          {"inference", options.inference},
          {"mode", options.inference         ? "inference"
                   : options.teacher.empty() ? "training"
                                             : "distillation"},
          {"teacher", named(options.teacher)},
          {"method", named(options.teacher.empty() ? "" : options.method)},
          {"graph", word_of(options.graph)},
          {"images_per_second", options.batch / typical},
          {"images_per_second_low", options.batch / quantile(seconds, 0.9)},
          {"images_per_second_high", options.batch / quantile(seconds, 0.1)},
          {"step_milliseconds", 1e3 * typical},
          {"peak_memory_bytes", peak_process_bytes()},
          {"pool_peak_bytes", peak_pool_bytes(step.context())},
          {"device_memory_bytes", peak_pool_bytes(step.context())},
          {"repeats", seconds.size()}};
}

void print_step(const nlohmann::ordered_json& result) {
  const auto number = [&](const char* key) { return result.at(key).get<double>(); };
  std::printf("%s, %s stem, %d px, batch %d, %d threads, %s\n", result.at("model").get<std::string>().c_str(),
              result.at("stem").get<std::string>().c_str(), result.at("size").get<int>(), result.at("batch").get<int>(),
              result.at("threads").get<int>(), result.at("mode").get<std::string>().c_str());
  std::printf("  %.1f images/s (10 %%: %.1f, 90 %%: %.1f), %.2f ms a step, median of %d steps\n",
              number("images_per_second"), number("images_per_second_low"), number("images_per_second_high"),
              number("step_milliseconds"), result.at("repeats").get<int>());
  std::printf("  memory: process %.1f MiB, pools %.1f MiB\n", number("peak_memory_bytes") / 0x1p20,
              number("pool_peak_bytes") / 0x1p20);
}

// Time of a step by kernel family, the slowest first.
void print_profile(BenchStep& step) {
  constexpr int steps = 5;
  kernels::Stream& stream = step.context().stream();
  stream.clear_profile();
  stream.set_profiling(true);
  const double begin = seconds_now();
  for (int i = 0; i < steps; ++i) step();
  const double wall = (seconds_now() - begin) / steps;
  stream.set_profiling(false);
  std::vector<kernels::ProfileRow> rows = stream.profile();
  std::sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.seconds > b.seconds; });
  std::fprintf(stderr, "%-30s %9s %10s %7s %9s %9s\n", "kernel family", "launches", "ms", "share", "GB/s", "GFLOP/s");
  double launched = 0;
  for (const kernels::ProfileRow& row : rows) {
    launched += row.seconds / steps;
    std::fprintf(stderr, "%-30s %9lld %10.3f %6.1f%% %9.2f %9.2f\n", row.family,
                 static_cast<long long>(row.launches / steps), 1e3 * row.seconds / steps,
                 100 * row.seconds / steps / wall, row.cost.bytes / row.seconds / 1e9,
                 row.cost.operations / row.seconds / 1e9);
  }
  std::fprintf(stderr, "%-30s %9s %10.3f %6.1f%%\n", "outside of launches", "", 1e3 * (wall - launched),
               100 * (wall - launched) / wall);
  std::fprintf(stderr, "%-30s %9s %10.3f\n", "one step", "", 1e3 * wall);
}

void run_step(StepOptions options) {
  if (options.size >= 224) options.effort.least_repeats = 5;
  BenchStep step(options);
  // Two eager steps, the recorded one, and one replay that finds warm caches.
  for (int i = 0; i < 4; ++i) step();
  if (options.serve) {
    for (std::string line; std::getline(std::cin, line);) {
      require(line == "step", "bench: expected \"step\" on standard input, got \"", line, "\"");
      std::cout << measure_step(options, step).dump() << std::endl;
    }
    return;
  }
  const nlohmann::ordered_json result = measure_step(options, step);
  options.json ? void(std::cout << result.dump() << '\n') : print_step(result);
  if (options.profile) print_profile(step);
}

const OptionRules positive{.at_least = 1, .at_most = 1 << 20};
const OptionRules up_to_an_hour{.at_least = 0, .at_most = 3600};

int step_command(int argc, char** argv) {
  StepOptions options;
  OptionTable table;
  table(options.model, "--model", "NAME", "Network, for example resnet18");
  table(options.stem, "--stem", "NAME", "imagenet (7x7 stride 2, max pool) or small (3x3 stride 1)",
        {.one_of = {"imagenet", "small"}});
  table(options.size, "--size", "PIXELS", "Height and width of the images", positive);
  table(options.batch, "--batch", "COUNT", "Images per step", positive);
  add_device(table, options.device);
  add_threads(table, options.threads);
  add_precision(table, options.precision);
  table(options.channels, "--channels", "COUNT", "Channels of an image", positive);
  table(options.outputs, "--outputs", "COUNT", "Classes", positive);
  table(options.effort.repeats, "--repeats", "COUNT", "Timed steps; 0: as many as fit in --seconds",
        {.at_least = 0, .at_most = 1 << 20});
  table(options.effort.seconds, "--seconds", "SECONDS", "Measure at least this long, and at least 10 steps (5 at 224)",
        up_to_an_hour);
  table(options.inference, "--inference", "Time the forward pass with folded batch norms instead");
  table(options.teacher, "--teacher", "NAME", "Time the distillation step under this network");
  table(options.method, "--method", "NAME[:KEY=VALUE,...]", "Transfer method, as for preceptor-distill");
  table(options.teacher_stream, "--teacher-stream", "Run the teacher on a second branch of the step");
  add_graph(table, options.graph);
  table(options.json, "--json", "Print one JSON object");
  table(options.profile, "--profile", "Also print time, GB/s and GFLOP/s by kernel family on stderr");
  table(options.serve, "--serve", "For each line \"step\" on standard input measure once and print one JSON object");
  const CommandHelp help = {
      "preceptor-bench step",
      "Times whole training steps: forward, softmax cross-entropy, backward, SGD with momentum 0.9."};
  if (!parse_command_line(help, table, argc, argv)) return 0;
  require(options.teacher.empty() || !options.inference, "--teacher excludes --inference");
  require(!options.teacher.empty() || !table.given("--method"), "--method needs --teacher");
  require(!options.teacher.empty() || !options.teacher_stream, "--teacher-stream needs --teacher");
  run_step(options);
  return 0;
}

int kernels_command(int argc, char** argv) {
  KernelBenchOptions options;
  OptionTable table;
  table(options.family, "--family", "NAME", "Only families whose name starts with this; by default all of them");
  table(options.size, "--size", "PIXELS", "Height and width of the network's images", positive);
  table(options.batch, "--batch", "COUNT", "Images per batch", positive);
  add_device(table, options.device);
  add_threads(table, options.threads);
  table(options.repeats, "--repeats", "COUNT", "Timed runs of each shape", positive);
  table(options.json, "--json", "Print one JSON object");
  const CommandHelp help = {
      "preceptor-bench kernels",
      "Times single kernel families with a cold cache against the machine's copy and multiply rates."};
  if (parse_command_line(help, table, argc, argv)) run_kernel_bench(options);
  return 0;
}

int loading_command(int argc, char** argv) {
  LoadingBenchOptions options;
  OptionTable table;
  table(options.data, "data", "FORMAT:PATH", "As for preceptor-train", {.required = true});
  table(options.batch, "--batch", "COUNT", "Images per batch", {.at_least = 1, .at_most = 1 << 16});
  table(options.threads, "--threads", "COUNT", "Threads that decode", {.at_least = 1, .at_most = 4096});
  table(options.seconds, "--seconds", "SECONDS", "Measure whole epochs for at least this long", up_to_an_hour);
  table(options.json, "--json", "Print one JSON object");
  const CommandHelp help = {"preceptor-bench loading",
                            "Times reading, decoding and resizing of a data set's training images."};
  if (parse_command_line(help, table, argc, argv)) run_loading_bench(options);
  return 0;
}

constexpr std::array commands = {
    Command{"step", step_command, "times whole training steps, of one network or under a teacher"},
    Command{"kernels", kernels_command, "times single kernel families"},
    Command{"loading", loading_command, "times the loading of a data set's training images"},
};

int run_bench(int argc, char** argv) {
  return run_command({"preceptor-bench", "Measures speed and memory."}, commands, argc, argv);
}

}  // namespace
}  // namespace preceptor

int main(int argc, char** argv) { return preceptor::run_app(argc, argv, preceptor::run_bench); }
