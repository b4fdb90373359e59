// The order in which a training is set up: files, data, networks, teachers, methods, optimizers.
#include "apps/training/setup.h"

#include <algorithm>
#include <chrono>
#include <filesystem>

#include "apps/training/teachers/predicted_rows.h"
#include "apps/training/teachers/teacher_cache.h"
#include "data/predictions/grades.h"
#include "engine/files/check.h"

namespace preceptor {
namespace {

// Small files are read before the data, so that a wrong name costs seconds and not minutes.
struct TeacherFiles {
  std::vector<CardCheckpoint> checkpoints;
  std::optional<ProbabilityTable> predictions;
};

TeacherFiles read_teacher_files(const TrainingOptions& options) {
  TeacherFiles files;
  for (const TeacherSpec& teacher : options.teachers) {
    if (const auto* checkpoint = std::get_if<CheckpointSpec>(&teacher))
      files.checkpoints.push_back(load_card_checkpoint(checkpoint->path));
    if (const auto* table = std::get_if<TableSpec>(&teacher)) files.predictions = read_probabilities(table->path);
  }
  return files;
}

std::unique_ptr<Teachers> load_teachers(Context& context, const Dataset& learned, const Student& student,
                                        std::vector<CardCheckpoint> checkpoints, const Note& note) {
  if (checkpoints.empty()) return nullptr;
  if (checkpoints.size() == 1 && same_weights(student.network->parameters().state(), checkpoints[0].tensors))
    note(message("the student starts as its teacher ", checkpoints[0].path, ": there is nothing to learn from it"));
  return std::make_unique<Teachers>(context, std::move(checkpoints), learned, note);
}

// teachers: null, if there are none or the student's average teaches.
std::vector<StepMethod> methods_of(Context& context, const TrainingOptions& options, const TrainingData& data,
                                   const Student& student, const Teachers* teachers, const Note& note) {
  const Dataset &images = data.images, &learned = data.learned();
  MethodSetup setup{.context = &context,
                    .student = student.network.get(),
                    .height = images.height,
                    .width = images.width,
                    .images = images.train.count,
                    .multi_label = learned.task == Task::multi_label,
                    .seed = initial_seed(options),
                    .classes = learned.task == Task::multi_label ? nullptr : &images.train.labels,
                    .note = note};
  if (ema_teacher_decay(options)) {
    setup.teacher = student.averaged.get();
    setup.teacher_height = images.height;
    setup.teacher_width = images.width;
  } else if (teachers != nullptr) {
    setup.teacher = teachers->only_network();
    setup.teacher_height = teachers->height();
    setup.teacher_width = teachers->width();
  }
  return make_methods(options.methods, setup);
}

// Takes a pass over the validation images, so it comes after everything that could be refused.
void weigh_teachers(Teaching& teaching, const TrainingOptions& options, const Dataset& images, const Note& note) {
  const bool compares = options.meter_every > 0;
  Predictions on_validation = teaching.networks->weigh(options.teacher_weights, compares, note);
  if (!compares) return;
  teaching.on_validation = std::move(on_validation);
  std::vector<float>& probabilities = teaching.on_validation.probabilities;
  if (options.ordinal) probabilities = grade_probabilities(probabilities, images.outputs);
}

// Reports the filling of the teacher cache about twice a second.
auto cache_progress(const Run& run) {
  using Clock = std::chrono::steady_clock;
  return [&run, begin = Clock::now(), last = Clock::time_point()](std::uint64_t done, std::uint64_t images) mutable {
    if (!run.report || Clock::now() - last < std::chrono::milliseconds(500)) return;
    last = Clock::now();
    Progress progress;
    progress.label = run.options.out;
    progress.work = "teacher cache";
    progress.fraction = static_cast<double>(done) / static_cast<double>(images);
    progress.images_per_second = static_cast<double>(done) / std::chrono::duration<double>(last - begin).count();
    progress.seconds_left = static_cast<double>(images - done) / progress.images_per_second;
    run.report(progress);
  };
}

std::unique_ptr<Teacher> open_cache(const TrainingSetup& setup, Run& run) {
  const TrainingOptions& options = run.options;
  const Student& student = setup.students.front();
  TeacherCacheOptions cache;
  const std::filesystem::path beside = std::filesystem::path(options.out) / ".." / "teacher-cache";
  cache.folder = options.teacher_cache == "auto" ? beside.lexically_normal().string() : options.teacher_cache;
  cache.rounded = options.teacher_cache_type == Storage::bfloat16;
  for (const StepMethod& each : student.methods)
    for (const std::string& tap : each.method->teacher_taps())
      if (std::find(cache.taps.begin(), cache.taps.end(), tap) == cache.taps.end()) cache.taps.push_back(tap);
  cache.loader = setup.batches;
  cache.motions = options.augment.input(student.card.mean, student.card.deviation);
  if (options.augment != Augmentation{}) cache.changes = to_string(options.augment) + ", " + word_of(options.sampling);
  cache.epochs = options.epochs;
  return open_teacher_cache(*setup.context, *setup.teaching.networks, setup.data->learned(), cache, run.first_notes(),
                            cache_progress(run));
}

}  // namespace

TrainingSetup make_setup(std::unique_ptr<Context> owned, std::span<Run> runs, const Dataset* given) {
  Run& first = runs.front();
  const TrainingOptions& options = first.options;
  Context& context = *owned;
  std::vector<StudentStart> starts;
  for (Run& run : runs) starts.push_back(read_start(run, &run == &first ? nullptr : &first));
  TeacherFiles files = read_teacher_files(options);
  auto data = std::make_unique<const TrainingData>(
      open_training_data(options, given, first.directory.bad_images_path(), first.resumed,
                         [&](const std::string& text) { first.note(text); }));
  const Dataset& learned = data->learned();

  TrainingSetup setup{.context = std::move(owned),
                      .data = std::move(data),
                      .batches = {},
                      .students = {},
                      .teaching = {},
                      .schedule = Schedule(schedule_options(options))};
  std::vector<Student>& students = setup.students;
  Teaching& teaching = setup.teaching;
  for (std::size_t k = 0; k < runs.size(); ++k)
    students.push_back(
        make_student(context, *setup.data, runs[k], std::move(starts[k]), k == 0 ? nullptr : &students.front()));
  teaching.networks =
      load_teachers(context, learned, students.front(), std::move(files.checkpoints), first.first_notes());
  for (std::size_t k = 0; k < runs.size(); ++k) {
    keep_average(students[k], context, options);
    students[k].methods =
        methods_of(context, runs[k].options, *setup.data, students[k], teaching.networks.get(), runs[k].first_notes());
  }
  if (files.predictions)
    teaching.substitute = teach_predictions(context, options, learned, *files.predictions, first.first_notes());
  if (ema_teacher_decay(options))
    teaching.substitute = std::make_unique<NetworkTeacher>(context, *students.front().averaged, /*learns=*/true);
  for (std::size_t k = 0; k < runs.size(); ++k) prepare_learning(students[k], runs[k]);

  setup.batches = training_batches(options, *setup.data);
  if (first.state.epoch > 0) {
    setup.schedule.restore(first.state.schedule);
    context.write_step_state({.learning_rate = 0, .step = first.state.step, .seed = options.seed});
  }
  if (teaching.networks) weigh_teachers(teaching, options, setup.data->images, first.first_notes());
  if (teaching.networks && !options.teacher_cache.empty()) teaching.substitute = open_cache(setup, first);
  return setup;
}

}  // namespace preceptor
