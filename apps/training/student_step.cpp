// Augment, forward, losses, backward, update.
#include "apps/training/student_step.h"

#include <algorithm>
#include <functional>
#include <limits>

#include "apps/training/run_options.h"
#include "kernels/elementwise/elementwise.h"

namespace preceptor {
namespace {

void add_new(std::vector<std::string>& names, const std::vector<std::string>& more) {
  for (const std::string& name : more)
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
}

}  // namespace

StudentStep::StudentStep(Context& context, const StepSetup& setup)
    : context_(context),
      setup_(setup),
      multi_label_(setup.dataset->task == Task::multi_label),
      factors_(setup.settings.size(), 1),
      images_shape_{setup.batch, setup.dataset->channels, setup.dataset->height, setup.dataset->width},
      staging_(context),
      positions_(context.pool(Lifetime::persistent), static_cast<std::size_t>(setup.batch) * sizeof(std::int32_t)),
      labels_(context.empty(multi_label_ ? Shape{setup.batch, setup.dataset->outputs} : Shape{setup.batch},
                            Lifetime::persistent)),
      logits_(context.empty({setup.batch, setup.dataset->outputs}, Lifetime::persistent)),
      epoch_logits_(context.empty({setup.batches * setup.batch, setup.dataset->outputs}, Lifetime::persistent)),
      device_factors_(context.zeros({1 + static_cast<int>(setup.settings.size())}, Lifetime::persistent)),
      totals_(context.pool(Lifetime::persistent), (1 + setup.settings.size()) * sizeof(double)),
      step_(
          context, [this] { body(); }, setup.replay, setup.batch) {
  if (setup_.images != nullptr) {
    images_ = setup_.images->data();
    setup_.student_input.rows = static_cast<const std::int32_t*>(positions_.data());
  } else {
    batch_images_.emplace(context.pool(Lifetime::persistent), images_shape_.elements());
    images_ = static_cast<const std::uint8_t*>(batch_images_->data());
  }
  for (std::size_t i = 0; i < setup_.settings.size(); ++i) {
    scheduled_ |= has_schedule(setup_.settings[i]);
    add_new(student_taps_, (*setup_.methods)[i]->student_taps());
    add_new(teacher_taps_, (*setup_.methods)[i]->teacher_taps());
  }
  const bool all_taught = std::ranges::all_of(setup_.taught, std::identity());
  taught_labels_ = all_taught ? labels_ : context.empty(labels_.shape(), Lifetime::persistent);
  if (setup_.mixup && !multi_label_)
    for (Tensor* rows : {&partner_labels_, &shares_, &other_shares_})
      *rows = context.empty({setup.batch}, Lifetime::persistent);
  clear_totals();
  start_epoch(1);
}

void StudentStep::start_epoch(int epoch) {
  epoch_ = epoch;
  label_weight_ = 1;
  for (std::size_t i = 0; i < factors_.size(); ++i) {
    factors_[i] = weight_factor(setup_.settings[i], epoch);
    label_weight_ *= label_weight(setup_.settings[i], factors_[i]);
  }
  std::vector<float> values = {static_cast<float>(label_weight_)};
  values.insert(values.end(), factors_.begin(), factors_.end());
  device_factors_.from_host(values);
}

void StudentStep::run(const Batch& batch, int position, float learning_rate) {
  if (batch_images_) staging_.add(batch_images_->data(), batch.images);
  staging_.add(positions_.data(), batch.positions);
  staging_.add(&context_.step_state()->learning_rate, &learning_rate, sizeof learning_rate);
  stage_labels(batch);
  if (setup_.rows != nullptr || setup_.average != nullptr) {
    const std::int64_t step = static_cast<std::int64_t>(epoch_ - 1) * setup_.batches + position;
    if (setup_.rows != nullptr) setup_.rows->stage(batch, step, staging_);
    if (setup_.average != nullptr) setup_.average->stage(step, staging_);
  }
  staging_.send();
  step_();
  const std::size_t elements = logits_.shape().elements();
  context_.run(kernels::Copy{epoch_logits_.data() + static_cast<std::size_t>(position) * elements, logits_.data(),
                             elements * sizeof(float)});
}

void StudentStep::stage_labels(const Batch& batch) {
  const auto stage = [&](const Tensor& to, const std::vector<float>& values) { staging_.add(to.data(), values); };
  if (!multi_label_) {
    stage(labels_, batch.labels);
    if (!setup_.mixup) return;
    stage(partner_labels_, batch.partner_labels);
    stage(shares_, batch.shares);
    std::vector<float> others;
    for (const float share : batch.shares) others.push_back(1 - share);
    return stage(other_shares_, others);
  }
  std::vector<float> targets = batch.labels;
  const auto width = static_cast<std::size_t>(setup_.dataset->outputs);
  // The binary loss is linear in its target. What one of the two does not know is unknown: NaN stays NaN.
  for (std::size_t i = 0; i < targets.size() && setup_.mixup; ++i)
    targets[i] = batch.shares[i / width] * targets[i] + (1 - batch.shares[i / width]) * batch.partner_labels[i];
  stage(labels_, targets);
  if (taught_labels_.data() == labels_.data()) return;
  for (std::size_t i = 0; i < targets.size(); ++i)
    if (!setup_.taught[i % width]) targets[i] = std::numeric_limits<float>::quiet_NaN();
  stage(taught_labels_, targets);
}

void StudentStep::body() {
  std::optional<Features> teacher;
  if (setup_.teacher_stream) teacher = context_.in_branch([this] { return run_teacher(Tensor()); });
  const Features student = setup_.student->forward(augment(context_, images_, images_shape_, setup_.student_input),
                                                   Mode::train, student_taps_);
  context_.run(kernels::Copy{logits_.data(), student.logits.data(), logits_.shape().elements() * sizeof(float)});
  learn_from_labels(student.logits);
  if (setup_.teacher_stream) context_.join_branch();
  learn_from_methods(student, teacher ? *teacher : run_teacher(student.logits));
  teacher.reset();  // gone before the walk back, which needs memory
  context_.tape().backward();
  setup_.optimizer->step();
  if (setup_.average != nullptr) setup_.average->update();
}

// A weight that never changes is an argument of the loss; one that does is read from device memory by the gradient.
void StudentStep::learn_from_labels(const Tensor& logits) {
  // Methods may leave the labels no weight; their loss is then only measured, so that runs stay comparable.
  std::optional<Tape::Pause> only_measured;
  if (!scheduled_ && label_weight_ == 0) only_measured.emplace(context_.tape());
  const Tape::Scaled scaled(context_.tape(), scheduled_ ? device_factors_.data() : nullptr);
  const float weight = scheduled_ || label_weight_ == 0 ? 1.0f : static_cast<float>(label_weight_);
  if (multi_label_) return add_up(binary_cross_entropy(logits, labels_, weight), 0);
  add_up(softmax_cross_entropy(logits, labels_, weight, shares_), 0);
  if (setup_.mixup) add_up(softmax_cross_entropy(logits, partner_labels_, weight, other_shares_), 0);
}

Features StudentStep::run_teacher(const Tensor& student) {
  if (setup_.rows != nullptr) return setup_.rows->features(student);
  if (setup_.average_teacher != nullptr) {
    setup_.average_teacher->fold();
    return setup_.average_teacher->forward(augment(context_, images_, images_shape_, setup_.student_input),
                                           Mode::inference, teacher_taps_);
  }
  if (setup_.teachers == nullptr) return {};
  return setup_.teachers->forward(images_, images_shape_, setup_.student_input, teacher_taps_);
}

void StudentStep::learn_from_methods(const Features& student, const Features& teacher) {
  const auto* positions = static_cast<const std::int32_t*>(positions_.data());
  for (std::size_t i = 0; i < setup_.settings.size(); ++i) {
    const bool scheduled = has_schedule(setup_.settings[i]);
    const Tape::Scaled scaled(context_.tape(), scheduled ? device_factors_.data() + 1 + i : nullptr);
    const Tensor& labels = kind_of(setup_.settings[i]).needs_teacher ? taught_labels_ : labels_;
    for (const Tensor& loss : (*setup_.methods)[i]->losses({student, teacher, labels, positions}))
      add_up(loss, static_cast<int>(1 + i));
  }
}

void StudentStep::add_up(const Tensor& loss, int total) {
  context_.run(kernels::AccumulateSum{loss.data(), static_cast<int>(loss.shape().elements()),
                                      static_cast<double*>(totals_.data()) + total});
}

EpochSums StudentStep::finish_epoch() {
  std::vector<double> totals(1 + factors_.size());
  context_.run(kernels::Copy{totals.data(), totals_.data(), totals.size() * sizeof(double)});
  EpochSums sums;
  sums.probabilities = (multi_label_ ? sigmoid(epoch_logits_) : softmax(epoch_logits_)).to_host();
  const double weighted_with = scheduled_ || label_weight_ == 0 ? 1 : double{static_cast<float>(label_weight_)};
  sums.label_loss = totals[0] / setup_.batches / weighted_with;
  for (std::size_t i = 0; i < factors_.size(); ++i) sums.transfer_loss += factors_[i] * totals[1 + i] / setup_.batches;
  sums.label_weight = label_weight_;
  clear_totals();
  return sums;
}

void StudentStep::clear_totals() {
  const std::vector<double> zeros(1 + factors_.size());
  context_.run(kernels::Copy{totals_.data(), zeros.data(), zeros.size() * sizeof(double)});
  context_.stream().synchronize();
}

}  // namespace preceptor
