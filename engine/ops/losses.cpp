// Loss terms: each kernel gives values and derivatives together, so the tape only hands the derivatives on.
#include "engine/ops.h"
#include "kernels/attention_transfer/attention_transfer.h"
#include "kernels/cross_entropy/cross_entropy.h"
#include "kernels/softened_kl/softened_kl.h"

namespace preceptor {
namespace {

void require_matrix(const char* op, const Tensor& logits) {
  require(logits.shape().rank() == 2, op, ": logits ", logits.shape(), " are no matrix of [rows, classes]");
}

void require_equal(const char* op, const char* first, const Tensor& a, const char* second, const Tensor& b) {
  require(a.shape() == b.shape(), op, ": ", first, " ", a.shape(), " and ", second, " ", b.shape(), " differ");
}

void record(const Tensor& input, const Tensor& d_input) {
  Tape& tape = input.context().tape();
  if (!tape.watches(input)) return;
  tape.record_loss([target = input.shape_only(), d_input, &tape](const Tensor&) { tape.accumulate(target, d_input); });
}

}  // namespace

Tensor softmax_cross_entropy(const Tensor& logits, const Tensor& labels, float weight, const Tensor& row_weights) {
  require_matrix("softmax_cross_entropy", logits);
  const int rows = logits.shape()[0], classes = logits.shape()[1];
  require(labels.shape() == Shape{rows}, "softmax_cross_entropy: logits ", logits.shape(), " and labels ",
          labels.shape(), " do not fit");
  require(!row_weights.defined() || row_weights.shape() == labels.shape(), "softmax_cross_entropy: labels ",
          labels.shape(), " and shares ", row_weights.shape(), " differ");
  Context& context = logits.context();
  const Tensor loss = context.empty({rows}), d_logits = context.empty(logits.shape());
  context.run(kernels::SoftmaxCrossEntropy<float>{logits.data(), labels.data(), loss.data(), d_logits.data(), rows,
                                                  classes, weight, row_weights.data()});
  record(logits, d_logits);
  return loss;
}

Tensor binary_cross_entropy(const Tensor& logits, const Tensor& targets, float weight) {
  require_matrix("binary_cross_entropy", logits);
  require_equal("binary_cross_entropy", "logits", logits, "targets", targets);
  const int rows = logits.shape()[0], labels = logits.shape()[1];
  Context& context = logits.context();
  const Tensor loss = context.empty({rows}), d_logits = context.empty(logits.shape());
  context.run(kernels::BinaryCrossEntropy<float>{logits.data(), targets.data(), loss.data(), d_logits.data(), rows,
                                                 labels, weight});
  record(logits, d_logits);
  return loss;
}

Tensor softened_kl(const Tensor& student, const Tensor& teacher, float temperature, float weight) {
  require_matrix("softened_kl", student);
  require_equal("softened_kl", "student", student, "teacher", teacher);
  require(temperature > 0, "softened_kl: temperature ", temperature, " is not positive");
  const int rows = student.shape()[0], classes = student.shape()[1];
  Context& context = student.context();
  const Tensor loss = context.empty({rows}), d_student = context.empty(student.shape());
  context.run(kernels::SoftenedKl<float>{student.data(), teacher.data(), loss.data(), d_student.data(), rows, classes,
                                         temperature, weight / static_cast<float>(rows)});
  record(student, d_student);
  return loss;
}

Tensor softened_binary_kl(const Tensor& student, const Tensor& teacher, const Tensor& targets, float temperature,
                          float weight, float of_present, float of_absent) {
  require_matrix("softened_binary_kl", student);
  require_equal("softened_binary_kl", "student", student, "teacher", teacher);
  if (targets.defined()) require_equal("softened_binary_kl", "student", student, "targets", targets);
  require(temperature > 0, "softened_binary_kl: temperature ", temperature, " is not positive");
  const int rows = student.shape()[0], labels = student.shape()[1];
  Context& context = student.context();
  const Tensor loss = context.empty({rows}), d_student = context.empty(student.shape());
  require(targets.defined() || (of_present == 1 && of_absent == 1),
          "softened_binary_kl: labels are weighted by targets, and there are none");
  context.run(kernels::SoftenedBinaryKl<float>{student.data(), teacher.data(), targets.data(), loss.data(),
                                               d_student.data(), rows, labels, temperature, weight, of_present,
                                               of_absent});
  record(student, d_student);
  return loss;
}

Tensor attention_transfer(const Tensor& student, const Tensor& teacher, float weight, bool paper) {
  const Shape &s = student.shape(), &t = teacher.shape();
  require(s.rank() == 4 && t.rank() == 4 && s[0] == t[0] && s[2] == t[2] && s[3] == t[3],
          "attention_transfer: student ", s, " and teacher ", t, " differ in images, height or width");
  Context& context = student.context();
  const Tensor loss = context.empty({s[0]}), d_student = context.empty(s);
  context.run_with_workspace(student.storage(), [&]<class T>(T) {
    return kernels::AttentionTransfer<T>{student.map<T>(), teacher.map<T>(), loss.data(), d_student.map<T>(),
                                         weight,           1e-12f,           nullptr,     paper};
  });
  record(student, d_student);
  return loss;
}

Tensor softmax(const Tensor& logits) {
  require_matrix("softmax", logits);
  Context& context = logits.context();
  const Tensor probabilities = context.empty(logits.shape());
  context.run(kernels::Softmax<float>{logits.data(), probabilities.data(), logits.shape()[0], logits.shape()[1]});
  return probabilities;
}

Tensor sigmoid(const Tensor& logits) {
  Context& context = logits.context();
  const Tensor probabilities = context.empty(logits.shape());
  context.run(kernels::Sigmoid<float>{logits.data(), probabilities.data(),
                                      static_cast<std::int64_t>(logits.shape().elements())});
  return probabilities;
}

}  // namespace preceptor
