// Augment, forward, losses, backward, update.
#include "apps/training/student_step.h"

#include "apps/training/run_options.h"
#include "kernels/elementwise/elementwise.h"

namespace preceptor {
namespace {

enum Total { label_total, transfer_total, total_count };

}  // namespace

StudentStep::StudentStep(Context& context, const StepSetup& setup)
    : context_(context),
      setup_(setup),
      multi_label_(setup.dataset->task == Task::multi_label),
      label_weight_(static_cast<float>(label_weight(setup.methods))),
      images_shape_{setup.batch, setup.dataset->channels, setup.dataset->height, setup.dataset->width},
      images_(context.pool(Lifetime::persistent), images_shape_.elements()),
      labels_(context.empty(multi_label_ ? Shape{setup.batch, setup.dataset->outputs} : Shape{setup.batch},
                            Lifetime::persistent)),
      logits_(context.empty({setup.batch, setup.dataset->outputs}, Lifetime::persistent)),
      epoch_logits_(context.empty({setup.batches * setup.batch, setup.dataset->outputs}, Lifetime::persistent)),
      totals_(context.pool(Lifetime::persistent), total_count * sizeof(double)),
      step_(context, [this] { body(); }) {
  if (setup_.teacher != nullptr) {
    // The same motions, because they depend on seed, step and image alone; but the teacher's own constants.
    teacher_input_ = setup_.student_input;
    teacher_input_.mean = setup_.teacher->card.mean;
    teacher_input_.deviation = setup_.teacher->card.deviation;
  }
  if (setup_.mixup && !multi_label_)
    for (Tensor* rows : {&partner_labels_, &shares_, &other_shares_})
      *rows = context.empty({setup.batch}, Lifetime::persistent);
  clear_totals();
}

void StudentStep::run(const Batch& batch, int position) {
  context_.run(kernels::Copy{images_.data(), batch.images.data(), batch.images.size()});
  stage_labels(batch);
  step_();
  const std::size_t elements = logits_.shape().elements();
  context_.run(kernels::Copy{epoch_logits_.data() + static_cast<std::size_t>(position) * elements, logits_.data(),
                             elements * sizeof(float)});
}

void StudentStep::stage_labels(const Batch& batch) {
  const auto stage = [&](const Tensor& to, const std::vector<float>& values) {
    context_.run(kernels::Copy{to.data(), values.data(), values.size() * sizeof(float)});
  };
  if (!setup_.mixup) return stage(labels_, batch.labels);
  if (!multi_label_) {
    stage(labels_, batch.labels);
    stage(partner_labels_, batch.partner_labels);
    stage(shares_, batch.shares);
    std::vector<float> others;
    for (const float share : batch.shares) others.push_back(1 - share);
    return stage(other_shares_, others);
  }
  // The binary loss is linear in its target. What one of the two does not know is unknown: NaN stays NaN.
  std::vector<float> targets = batch.labels;
  const std::size_t width = targets.size() / batch.shares.size();
  for (std::size_t i = 0; i < targets.size(); ++i)
    targets[i] = batch.shares[i / width] * targets[i] + (1 - batch.shares[i / width]) * batch.partner_labels[i];
  stage(labels_, targets);
}

void StudentStep::body() {
  const auto* images = static_cast<const std::uint8_t*>(images_.data());
  const Features student =
      setup_.student->forward(augment(context_, images, images_shape_, setup_.student_input), Mode::train);
  context_.run(kernels::Copy{logits_.data(), student.logits.data(), logits_.shape().elements() * sizeof(float)});
  learn_from_labels(student.logits);
  if (setup_.teacher != nullptr) learn_from_teacher(student);
  context_.tape().backward();
  setup_.optimizer->step();
}

void StudentStep::learn_from_labels(const Tensor& logits) {
  // Methods may leave the labels no weight; their loss is then only measured, so that runs stay comparable.
  std::optional<Tape::Pause> only_measured;
  if (label_weight_ == 0) only_measured.emplace(context_.tape());
  const float weight = label_weight_ == 0 ? 1.0f : label_weight_;
  const auto add = [&](const Tensor& loss) {
    context_.run(kernels::AccumulateSum{loss.data(), setup_.batch, static_cast<double*>(totals_.data()) + label_total});
  };
  if (multi_label_) return add(binary_cross_entropy(logits, labels_, weight));
  add(softmax_cross_entropy(logits, labels_, weight, shares_));
  if (setup_.mixup) add(softmax_cross_entropy(logits, partner_labels_, weight, other_shares_));
}

void StudentStep::learn_from_teacher(const Features& student) {
  const auto* images = static_cast<const std::uint8_t*>(images_.data());
  const Features teacher =
      setup_.teacher->network->forward(augment(context_, images, images_shape_, teacher_input_), Mode::inference);
  for (const TransferMethod& method : setup_.methods)
    for (const Tensor& loss : transfer_losses(method, student, teacher, labels_, multi_label_))
      context_.run(kernels::AccumulateSum{loss.data(), static_cast<int>(loss.shape().elements()),
                                          static_cast<double*>(totals_.data()) + transfer_total});
}

EpochSums StudentStep::finish_epoch() {
  double totals[total_count];
  context_.run(kernels::Copy{totals, totals_.data(), sizeof totals});
  EpochSums sums;
  sums.probabilities = (multi_label_ ? sigmoid(epoch_logits_) : softmax(epoch_logits_)).to_host();
  sums.label_loss = totals[label_total] / setup_.batches / (label_weight_ == 0 ? 1.0 : double{label_weight_});
  sums.transfer_loss = totals[transfer_total] / setup_.batches;
  clear_totals();
  return sums;
}

void StudentStep::clear_totals() {
  const double zeros[total_count] = {};
  context_.run(kernels::Copy{totals_.data(), zeros, sizeof zeros});
  context_.stream().synchronize();
}

}  // namespace preceptor
