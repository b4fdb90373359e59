// Work of the host in a training step: one upload and one launch, for every kind of training.
#include "apps/training/step/student_step.h"

#include "models/registry.h"
#include "tests/engine/support.h"
#include "tests/support/devices.h"

namespace preceptor {
namespace {

using test::all_devices;
using test::name_of;

Dataset small_dataset(int images) {
  Dataset data;
  data.task = Task::multi_class;
  data.height = data.width = 8;
  data.channels = 1;
  data.outputs = 2;
  data.label_names = {"none", "some"};
  std::vector<std::uint8_t> pixels;
  for (int i = 0; i < images * 64; ++i) pixels.push_back(static_cast<std::uint8_t>(i * 37 + i / 64 % 2 * 50));
  for (int i = 0; i < images; ++i) data.train.labels.push_back(static_cast<float>(i % 2));
  data.train.count = images;
  data.train.images = std::make_shared<MemoryImages>(pixels, data.image_bytes());
  data.train.ids = numbered_ids("train", images);
  return data;
}

// An epoch of a student with an average beside it.
class Epoch {
 public:
  Epoch(const kernels::Device& device, bool replay, int images)
      : context(device, 1),
        dataset(small_dataset(images)),
        student_(make_model(context, {.name = "resnet8", .in_channels = 1, .outputs = 2})),
        averaged_(make_model(context, student_->options())),
        loader(dataset, dataset.train, loading()) {
    student_->initialize(3);
    averaged_->parameters().load(student_->parameters().state());
    average_.emplace(student_->parameters(), averaged_->parameters(), 0.9);
    optimizer_.emplace(student_->parameters(), OptimizerOptions{.clip_norm = 1});
    StepSetup setup;
    setup.students = {{.network = student_.get(), .optimizer = &*optimizer_, .average = &*average_}};
    setup.outputs = dataset.outputs;
    setup.images = {loader.batch_size(), dataset.channels, dataset.height, dataset.width};
    setup.input = {.mean = {0.5f}, .deviation = {0.25f}, .random = true, .flip = true};
    setup.batches = loader.batches_per_epoch();
    setup.replay = replay;
    step.emplace(context, setup);
    loader.start(0);
  }
  void run(int position) { step->run(*loader.next(), position, 0.01f / static_cast<float>(1 + position)); }
  std::int64_t in_pools() {
    return context.pool(Lifetime::step).allocations() + context.pool(Lifetime::persistent).allocations();
  }

  Context context;
  Dataset dataset;

 private:
  static LoaderOptions loading() {
    LoaderOptions options;
    options.batch = 2;
    options.shuffle = true;
    return options;
  }

  std::unique_ptr<Network> student_, averaged_;
  std::optional<MovingAverage> average_;
  std::optional<Optimizer> optimizer_;

 public:
  Loader loader;
  std::optional<StudentStep> step;
};

class StudentSteps : public test::DeviceTest {};

TEST_P(StudentSteps, AreOneCopyUpAndOneLaunchEach) {
  Epoch epoch(device(), true, 12);
  for (int position = 0; position < 3; ++position) epoch.run(position);  // warm-up and recording
  const kernels::StreamCounts before = epoch.context.stream().counts(), sent = epoch.step->uploads();
  const std::int64_t on_device = kernels::device_allocations(), in_pools = epoch.in_pools();
  for (int position = 3; position < 6; ++position) epoch.run(position);
  const kernels::StreamCounts &after = epoch.context.stream().counts(), &sent_after = epoch.step->uploads();
  EXPECT_EQ(after.graph_launches - before.graph_launches, 3);
  EXPECT_EQ(after.launches, before.launches);
  EXPECT_EQ(after.waits, before.waits);
  EXPECT_EQ(sent_after.launches - sent.launches, on_cpu() ? 0 : 3);
  EXPECT_EQ(sent_after.waits, sent.waits);
  EXPECT_EQ(kernels::device_allocations(), on_device);
  EXPECT_EQ(epoch.in_pools(), in_pools);
}

TEST_P(StudentSteps, CollectTheSameProbabilitiesInReplay) {
  Epoch eager(device(), false, 10), replayed(device(), true, 10);
  for (int position = 0; position < 5; ++position) eager.run(position), replayed.run(position);
  const EpochSums expected = eager.step->finish_epoch().front(), sums = replayed.step->finish_epoch().front();
  EXPECT_EQ(test::bits(sums.probabilities), test::bits(expected.probabilities));
  EXPECT_EQ(sums.label_loss, expected.label_loss);
  ASSERT_EQ(sums.probabilities.size(), 5u * 2 * 2);
  for (std::size_t i = 0; i < sums.probabilities.size(); i += 2)
    EXPECT_NEAR(sums.probabilities[i] + sums.probabilities[i + 1], 1, 1e-6) << "a place that no step wrote, " << i;
}

INSTANTIATE_ON_ALL_DEVICES(StudentSteps);

}  // namespace
}  // namespace preceptor
