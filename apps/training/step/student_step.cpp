// Augment, forward, losses, backward, update.
#include "apps/training/step/student_step.h"

#include <algorithm>
#include <functional>
#include <limits>

namespace preceptor {
namespace {

void add_new(std::vector<std::string>& names, const std::vector<std::string>& more) {
  for (const std::string& name : more)
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
}

bool any_schedule(std::span<const StepMethod> methods) {
  return std::ranges::any_of(methods, [](const StepMethod& each) { return has_schedule(each.settings); });
}

// A weight that never changes is an argument of the loss; one that does is read from device memory by the gradient. If
// methods leave the labels no weight, their loss is still measured, so that runs stay comparable.
std::vector<LossTerms::Term> terms_of(std::span<const StepMethod> methods) {
  const bool scheduled = any_schedule(methods);
  double labels = 1;
  for (const StepMethod& each : methods) labels *= scheduled ? 1 : label_weight(each.settings);
  std::vector<LossTerms::Term> terms = {{"labels", labels == 0 ? 1 : double{static_cast<float>(labels)}}};
  for (const StepMethod& each : methods) terms.push_back({each.settings.name, each.settings.number("weight")});
  return terms;
}

}  // namespace

std::vector<StepMethod> make_methods(const std::vector<MethodSettings>& settings, const MethodSetup& setup) {
  std::vector<StepMethod> methods;
  for (const MethodSettings& each : settings) methods.push_back({each, kind_of(each).make(setup, each)});
  return methods;
}

StudentStep::Student::Student(Context& context, const StepSetup& setup, const StepStudent& student)
    : parts(student),
      epoch_logits(context.empty({setup.batches * setup.images[0], setup.outputs}, Lifetime::persistent)),
      terms(context, terms_of(student.methods), student.network->parameters()) {
  for (const StepMethod& each : student.methods) add_new(taps, each.method->student_taps());
}

StudentStep::StudentStep(Context& context, const StepSetup& setup)
    : context_(context),
      setup_(setup),
      multi_label_(setup.task == Task::multi_label),
      scheduled_(any_schedule(methods())),
      staging_(context),
      positions_(context.pool(Lifetime::persistent), static_cast<std::size_t>(batch()) * sizeof(std::int32_t)),
      position_(context.pool(Lifetime::persistent), sizeof(std::int32_t)),
      labels_(context.empty(multi_label_ ? Shape{batch(), setup.outputs} : Shape{batch()}, Lifetime::persistent)),
      step_(
          context, [this] { body(false); }, setup.replay, batch()),
      measured_step_(
          context, [this] { body(true); }, setup.replay, batch()) {
  if (setup_.resident != nullptr) {
    images_ = setup_.resident;
    setup_.input.rows = static_cast<const std::int32_t*>(positions_.data());
  } else {
    batch_images_.emplace(context.pool(Lifetime::persistent), setup_.images.elements());
    images_ = static_cast<const std::uint8_t*>(batch_images_->data());
  }
  for (const StepStudent& student : setup_.students) {
    students_.emplace_back(context_, setup_, student);
    for (const StepMethod& each : student.methods) add_new(teacher_taps_, each.method->teacher_taps());
  }
  const bool all_taught = setup_.teacher == nullptr || std::ranges::all_of(setup_.teacher->taught(), std::identity());
  taught_labels_ = all_taught ? labels_ : context.empty(labels_.shape(), Lifetime::persistent);
  if (setup_.mixup && !multi_label_)
    for (Tensor* rows : {&partner_labels_, &shares_, &other_shares_})
      *rows = context.empty({batch()}, Lifetime::persistent);
  start_epoch(1);
}

void StudentStep::start_epoch(int epoch) {
  epoch_ = epoch;
  label_weight_ = 1;
  for (const StepMethod& each : methods())
    label_weight_ *= label_weight(each.settings, weight_factor(each.settings, epoch_));
  for (Student& student : students_) set_factors(student);
}

void StudentStep::set_factors(Student& student) {
  const double balance_factor = student.parts.balance_factor > 0 ? student.parts.balance_factor : 1;
  std::vector<double> factors = {label_factor()};
  for (const StepMethod& each : methods()) factors.push_back(weight_factor(each.settings, epoch_) * balance_factor);
  student.terms.set_factors(factors);
}

void StudentStep::run(const Batch& batch, std::int32_t position, float learning_rate) {
  if (batch_images_) staging_.add(batch_images_->data(), batch.images);
  staging_.add(positions_.data(), batch.positions);
  staging_.add(position_.data(), &position, sizeof position);
  staging_.add(&context_.step_state()->learning_rate, &learning_rate, sizeof learning_rate);
  stage_labels(batch);
  const std::int64_t step = static_cast<std::int64_t>(epoch_ - 1) * setup_.batches + position;
  if (setup_.teacher != nullptr) setup_.teacher->stage(batch, step, staging_);
  for (const Student& student : students_)
    if (student.parts.average != nullptr) student.parts.average->stage(step, staging_);
  staging_.send();
  const bool measured = setup_.meter_every > 0 && !methods().empty() && step % setup_.meter_every == 0;
  measured ? measured_step_() : step_();
  for (Student& student : students_)
    if (measured) take_norms(student);
}

void StudentStep::take_norms(Student& student) {
  const std::vector<double> norms = student.terms.take_norms();
  if (setup_.balance == 0) return;
  double transfer = 0;
  for (std::size_t i = 0; i < methods().size(); ++i)
    transfer += weight_factor(methods()[i].settings, epoch_) * norms[1 + i];
  double& factor = student.parts.balance_factor;
  factor = balanced_factor(factor, setup_.balance, norms[0] * label_factor(), transfer);
  set_factors(student);
}

void StudentStep::stage_labels(const Batch& batch) {
  const auto stage = [&](const Tensor& to, const std::vector<float>& values) { staging_.add(to.data(), values); };
  if (!multi_label_) {
    stage(labels_, batch.labels);
    if (!setup_.mixup) return;
    stage(partner_labels_, batch.partner_labels);
    stage(shares_, batch.lambda);
    std::vector<float> others;
    for (const float share : batch.lambda) others.push_back(1 - share);
    return stage(other_shares_, others);
  }
  std::vector<float> targets = batch.labels;
  const auto width = static_cast<std::size_t>(setup_.outputs);
  // The binary loss is linear in its target. A label that is unknown (NaN) in one of the two stays unknown.
  for (std::size_t i = 0; i < targets.size() && setup_.mixup; ++i)
    targets[i] = batch.lambda[i / width] * targets[i] + (1 - batch.lambda[i / width]) * batch.partner_labels[i];
  stage(labels_, targets);
  if (taught_labels_.data() == labels_.data()) return;
  for (std::size_t i = 0; i < targets.size(); ++i)
    if (!setup_.teacher->taught()[i % width]) targets[i] = std::numeric_limits<float>::quiet_NaN();
  stage(taught_labels_, targets);
}

void StudentStep::body(bool measured) {
  staging_.take();
  std::optional<Features> teacher;
  if (setup_.teacher_stream) teacher = context_.in_branch([this] { return run_teacher(Tensor()); });
  const std::vector<Features> features = run_students();
  // [students][terms] begin and end of each loss term on the tape.
  std::vector<std::vector<std::pair<std::size_t, std::size_t>>> places(students_.size());
  const auto learn = [&](std::size_t student, const auto& record) {
    const std::size_t first = context_.tape().size();
    record();
    places[student].push_back({first, context_.tape().size()});
  };
  for (std::size_t k = 0; k < students_.size(); ++k)
    learn(k, [&] { learn_from_labels(students_[k], features[k].logits); });
  if (setup_.teacher_stream) context_.join_branch();
  if (!teacher) teacher = run_teacher(features.front().logits);
  for (std::size_t k = 0; k < students_.size(); ++k) {
    std::vector<Tensor> peers;
    for (std::size_t other = 0; other < students_.size(); ++other)
      if (other != k) peers.push_back(features[other].logits);
    for (std::size_t i = 0; i < methods().size(); ++i) {
      const Tensor& labels = kind_of(methods()[i].settings).needs_teacher ? taught_labels_ : labels_;
      const auto* positions = static_cast<const std::int32_t*>(positions_.data());
      learn(k, [&] { learn_from_method(students_[k], i, {features[k], *teacher, labels, positions, peers}); });
    }
  }
  teacher.reset();  // frees its memory for the backward pass
  for (std::size_t k = 0; k < students_.size() && measured; ++k) students_[k].terms.measure(places[k]);
  context_.tape().backward();
  for (const Student& student : students_) student.parts.optimizer->step(false);
  context_.advance_step();
  for (const Student& student : students_)
    if (student.parts.average != nullptr) student.parts.average->update();
}

std::vector<Features> StudentStep::run_students() {
  const Tensor input = augment(context_, images_, setup_.images, setup_.input);
  std::vector<Features> features;
  for (const Student& student : students_) {
    features.push_back(student.parts.network->forward(input, Mode::train, student.taps));
    const Tensor& logits = features.back().logits;
    copy_to_rows(logits, student.epoch_logits, static_cast<const std::int32_t*>(position_.data()));
  }
  return features;
}

void StudentStep::learn_from_labels(Student& student, const Tensor& logits) {
  LossTerms& terms = student.terms;
  std::optional<Tape::Pause> only_measured;
  if (!scheduled_ && label_weight_ == 0) only_measured.emplace(context_.tape());
  const Tape::Scaled scaled(context_.tape(), scheduled_ ? terms.factor(0) : nullptr);
  const float weight = scheduled_ || label_weight_ == 0 ? 1.0f : static_cast<float>(label_weight_);
  if (multi_label_) return terms.add(0, binary_cross_entropy(logits, labels_, weight));
  terms.add(0, softmax_cross_entropy(logits, labels_, weight, shares_));
  if (setup_.mixup) terms.add(0, softmax_cross_entropy(logits, partner_labels_, weight, other_shares_));
}

Features StudentStep::run_teacher(const Tensor& student_logits) {
  if (setup_.teacher == nullptr) return {};
  return setup_.teacher->features({images_, setup_.images, setup_.input, teacher_taps_}, student_logits);
}

void StudentStep::learn_from_method(Student& student, std::size_t method, const TransferInput& input) {
  const bool changes = setup_.balance > 0 || has_schedule(methods()[method].settings);
  const Tape::Scaled scaled(context_.tape(), changes ? student.terms.factor(1 + method) : nullptr);
  for (const Tensor& loss : student.parts.methods[method].method->losses(input)) student.terms.add(1 + method, loss);
}

std::vector<EpochSums> StudentStep::finish_epoch() {
  std::vector<EpochSums> all;
  for (Student& student : students_) {
    EpochSums& sums = all.emplace_back();
    sums.terms = student.terms.finish_epoch(setup_.batches);
    sums.probabilities = (multi_label_ ? sigmoid(student.epoch_logits) : softmax(student.epoch_logits)).to_host();
    sums.label_loss = sums.terms[0].loss;
    for (std::size_t i = 1; i < sums.terms.size(); ++i) sums.transfer_loss += sums.terms[i].weighted_loss;
    sums.label_weight = label_weight_;
  }
  return all;
}

}  // namespace preceptor
