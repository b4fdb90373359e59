// One training step: the device work from staged images to updated weights, of a student with or without a teacher, or
// of several students that are each other's peers.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "apps/training/step/loss_terms.h"
#include "apps/training/teachers/teacher.h"
#include "data/batches/loader.h"
#include "engine/moving_average.h"
#include "engine/ops.h"
#include "engine/optimizer.h"
#include "engine/staging.h"
#include "engine/train_step.h"
#include "models/transfer/method.h"

namespace preceptor {

// A transfer method of one student, with the settings that it was made from.
struct StepMethod {
  MethodSettings settings;
  std::unique_ptr<TransferMethod> method;
};
std::vector<StepMethod> make_methods(const std::vector<MethodSettings>& settings, const MethodSetup& setup);

// A network that learns in the step.
struct StepStudent {
  Network* network = nullptr;
  std::span<const StepMethod> methods = {};  // of the same settings for every student
  Optimizer* optimizer = nullptr;
  MovingAverage* average = nullptr;  // updated in every step; null: none
  double balance_factor = 0;         // of the methods' weights, from earlier epochs; 0: none yet
};

struct StepSetup {
  std::vector<StepStudent> students;  // one, or several that learn from each other
  Teacher* teacher = nullptr;         // null: none

  Task task = Task::multi_class;
  int outputs = 0;
  Shape images;                            // [batch, channels, height, width]
  const std::uint8_t* resident = nullptr;  // all training images in device memory; null: each batch brings its own
  AugmentOptions input;                    // normalization of the students, augmentation of all networks
  bool mixup = false;                      // batches are mixtures
  int batches = 1;                         // steps per epoch

  bool replay = true;           // the step is recorded once, then replayed
  bool teacher_stream = false;  // the teacher runs beside the student
  int meter_every = 0;          // steps between two that measure the gradient of each loss term; 0: never
  double balance = 0;           // share of the gradient norms that the methods are held at; 0: off
};

struct EpochSums {
  double label_loss = 0;             // mean over the steps, unweighted
  double transfer_loss = 0;          // mean over the steps, weighted as in this epoch
  double label_weight = 1;           // in this epoch
  std::vector<TermSummary> terms;    // labels, then each method
  std::vector<float> probabilities;  // [batches * batch, outputs] as seen in training
};

// All students move at once, each from what the others said before they moved. (Algorithm 1 of Zhang et al. 2018 moves
// them in turn and asks the moved ones again, which costs a forward pass of every other network for each, and makes
// the result depend on their order.)
class StudentStep {
 public:
  // Keeps the pointers of the setup.
  StudentStep(Context& context, const StepSetup& setup);

  // Sets the weights of the epoch (from 1). Before its first step.
  void start_epoch(int epoch);

  // Trains on the batch that is step number `position` of the epoch: one copy up and, once recorded, one launch.
  // Returns when they are on their way; the batch may then change. Every meter_every-th step of the run, starting with
  // the first, makes an extra backward pass for each term and waits for the device.
  void run(const Batch& batch, std::int32_t position, float learning_rate);

  // Reads the sums of the epoch for every student, and resets them.
  std::vector<EpochSums> finish_epoch();

  // The current factor of a student's methods under `balance`.
  double balance_factor(std::size_t student) const { return students_[student].parts.balance_factor; }

  // Counts of the stream that uploads batches.
  const StreamCounts& uploads() const { return staging_.counts(); }

 private:
  struct Student {
    Student(Context& context, const StepSetup& setup, const StepStudent& student);
    StepStudent parts;
    std::vector<std::string> taps;
    Tensor epoch_logits;  // [batches * batch, outputs]
    LossTerms terms;
  };
  std::span<const StepMethod> methods() const { return setup_.students.front().methods; }
  int batch() const { return setup_.images[0]; }
  void stage_labels(const Batch& batch);
  void body(bool measured);
  std::vector<Features> run_students();
  void set_factors(Student& student);
  void take_norms(Student& student);
  void learn_from_labels(Student& student, const Tensor& logits);
  void learn_from_method(Student& student, std::size_t method, const TransferInput& input);
  Features run_teacher(const Tensor& student_logits);
  // The labels' factor in device memory; 1 if their weight is an argument of the loss.
  double label_factor() const { return scheduled_ || label_weight_ == 0 ? label_weight_ : 1; }

  Context& context_;
  StepSetup setup_;
  bool multi_label_;
  bool scheduled_;  // a weight changes from epoch to epoch
  int epoch_ = 1;
  double label_weight_ = 1;  // in this epoch
  std::vector<std::string> teacher_taps_;

  Staging staging_;
  std::optional<Buffer> batch_images_;  // unless all images are resident
  const std::uint8_t* images_ = nullptr;
  Buffer positions_;  // [batch] of the images in the training split
  Buffer position_;   // of the step in its epoch
  Tensor labels_;
  Tensor taught_labels_;  // for methods with a teacher: NaN if the teacher does not know the label
  Tensor partner_labels_, shares_, other_shares_;  // [batch] for mixtures of classes only

  std::deque<Student> students_;  // not movable
  TrainStep step_, measured_step_;
};

}  // namespace preceptor
