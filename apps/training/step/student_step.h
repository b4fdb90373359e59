// One training step of a student, with or without a teacher, or of several that are each other's peers: the device work
// between staged images and updated weights.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "apps/training/step/device_images.h"
#include "apps/training/step/loss_terms.h"
#include "apps/training/teachers/teacher_rows.h"
#include "apps/training/teachers/teachers.h"
#include "data/batches/loader.h"
#include "engine/moving_average.h"
#include "engine/ops.h"
#include "engine/optimizer.h"
#include "engine/staging.h"
#include "engine/train_step.h"
#include "models/transfer/method.h"

namespace preceptor {

// A network that learns in the step.
struct StepStudent {
  Network* network = nullptr;
  std::vector<std::unique_ptr<TransferMethod>>* methods = nullptr;
  Optimizer* optimizer = nullptr;
  MovingAverage* average = nullptr;  // moved in every step; nullptr: none
  double balanced = 0;               // the methods' factor from earlier epochs, where they are balanced; 0: none yet
};

struct StepSetup {
  std::vector<StepStudent> students;     // one, or several that read what the others say of the same images
  AugmentOptions student_input;          // their normalization, and the augmentation of all networks
  const Teachers* teachers = nullptr;    // nullptr: none
  TeacherRows* rows = nullptr;           // what teachers say, known before the step; nullptr: they are asked in it
  Network* average_teacher = nullptr;    // the averaged network, where it teaches
  std::vector<bool> taught;              // [outputs] whether a teacher knows the label
  std::vector<MethodSettings> settings;  // of each method of a student
  const Dataset* dataset = nullptr;
  int batch = 0, batches = 0;            // images per step, steps per epoch
  const DeviceImages* images = nullptr;  // all training images; nullptr: batches bring theirs
  bool mixup = false;                    // batches are mixtures
  bool replay = true;                    // the step is recorded and replayed
  bool teacher_stream = false;           // teachers compute beside the student
  int meter_every = 0;                   // steps from one that measures the terms' gradients to the next; 0: none does
  double balance = 0;  // share of the gradient norms that the methods' terms are held at; 0: they are not
};

struct EpochSums {
  double label_loss = 0;             // mean over the steps, not weighted
  double transfer_loss = 0;          // mean over the steps, as weighted by the methods in this epoch
  double label_weight = 1;           // in this epoch
  std::vector<TermSummary> terms;    // labels, then each method
  std::vector<float> probabilities;  // [batches * batch, outputs] as seen in training
};

// All students move at once, each from what the others said before they moved. (Algorithm 1 of Zhang et al. 2018 moves
// them one after the other and asks the moved ones again, which costs a forward pass of every other network for each,
// and makes what is learned depend on their order.)
class StudentStep {
 public:
  // Keeps the pointers of the setup.
  StudentStep(Context& context, const StepSetup& setup);

  // Sets the weights of the epoch (from 1). Before its first step.
  void start_epoch(int epoch);

  // Trains on the batch that is step number `position` of the epoch: one copy up and, once recorded, one launch.
  // Returns when they are on their way; the batch may then change. Every meter_every-th step of the run, the first one
  // too, runs the backward pass once more for every term, and waits for the device.
  void run(const Batch& batch, std::int32_t position, float learning_rate);

  // Reads what the epoch added up for every student, and starts again from zero.
  std::vector<EpochSums> finish_epoch();

  // The factor that balance has come to for a student.
  double balanced(std::size_t student) const { return students_[student].balanced; }

  // Of the stream on which batches come up.
  const kernels::StreamCounts& uploads() const { return staging_.counts(); }

 private:
  struct Student {
    Student(Context& context, const StepSetup& setup, const StepStudent& student);
    StepStudent parts;
    double balanced;  // of all methods' weights; 0: as 1
    std::vector<std::string> taps;
    Tensor epoch_logits;  // [batches * batch, outputs]
    LossTerms terms;
  };
  void stage_labels(const Batch& batch);
  void body(bool measured);
  std::vector<Features> run_students();
  void set_factors(Student& student);
  void take_norms(Student& student);
  void learn_from_labels(Student& student, const Tensor& logits);
  void learn_from_method(Student& student, std::size_t method, const TransferInput& input);
  // student: its logits, undefined where they are not there yet.
  Features run_teacher(const Tensor& student);

  Context& context_;
  StepSetup setup_;
  bool multi_label_;
  bool scheduled_;  // whether any weight changes from epoch to epoch
  int epoch_ = 1;
  double label_weight_ = 1;  // in this epoch
  std::vector<std::string> teacher_taps_;
  Shape images_shape_;
  Staging staging_;
  std::optional<Buffer> batch_images_;  // where no DeviceImages hold them
  const std::uint8_t* images_ = nullptr;
  Buffer positions_;  // [batch] of images in the training split
  Buffer position_;   // of the step in its epoch
  Tensor labels_;
  Tensor taught_labels_;  // for methods with a teacher: unknown where no teacher knows the label
  Tensor partner_labels_, shares_, other_shares_;  // [batch] of mixtures with a class each; otherwise undefined
  std::deque<Student> students_;                   // which cannot be moved
  TrainStep step_, measured_step_;
};

}  // namespace preceptor
