// Loss terms: each kernel gives values and derivatives together, so the tape only passes the derivatives on.
#include "engine/ops/launch.h"
#include "kernels/attention_transfer/attention_transfer.h"
#include "kernels/cross_entropy/cross_entropy.h"
#include "kernels/softened_kl/softened_kl.h"

namespace preceptor {
Tensor softmax_cross_entropy(const Tensor& logits, const Tensor& labels, float weight, const Tensor& row_weights) {
  require_matrix("softmax_cross_entropy", logits);
  const int rows = logits.shape()[0], classes = logits.shape()[1];
  require(labels.shape() == Shape{rows}, "softmax_cross_entropy: logits ", logits.shape(), " and labels ",
          labels.shape(), " do not fit");
  require(!row_weights.defined() || row_weights.shape() == labels.shape(), "softmax_cross_entropy: labels ",
          labels.shape(), " and shares ", row_weights.shape(), " differ");
  const RowLoss loss{logits};
  launch<kernels::SoftmaxCrossEntropy<float>>(logits, labels, loss.values, loss.d_x, rows, classes, weight,
                                              row_weights);
  return loss.recorded();
}

Tensor binary_cross_entropy(const Tensor& logits, const Tensor& targets, float weight) {
  require_matrix("binary_cross_entropy", logits);
  require_equal("binary_cross_entropy", "logits", logits, "targets", targets);
  const int rows = logits.shape()[0], labels = logits.shape()[1];
  const RowLoss loss{logits};
  launch<kernels::BinaryCrossEntropy<float>>(logits, targets, loss.values, loss.d_x, rows, labels, weight);
  return loss.recorded();
}

Tensor softened_kl(const Tensor& student, const Tensor& teacher, float temperature, float weight) {
  require_matrix("softened_kl", student);
  require_equal("softened_kl", "student", student, "teacher", teacher);
  require(temperature > 0, "softened_kl: temperature ", temperature, " is not positive");
  const int rows = student.shape()[0], classes = student.shape()[1];
  const RowLoss loss{student};
  launch<kernels::SoftenedKl<float>>(student, teacher, loss.values, loss.d_x, rows, classes, temperature,
                                     weight / static_cast<float>(rows));
  return loss.recorded();
}

Tensor softened_binary_kl(const Tensor& student, const Tensor& teacher, const Tensor& targets, float temperature,
                          float weight, float of_present, float of_absent) {
  require_matrix("softened_binary_kl", student);
  require_equal("softened_binary_kl", "student", student, "teacher", teacher);
  if (targets.defined()) require_equal("softened_binary_kl", "student", student, "targets", targets);
  require(temperature > 0, "softened_binary_kl: temperature ", temperature, " is not positive");
  const int rows = student.shape()[0], labels = student.shape()[1];
  require(targets.defined() || (of_present == 1 && of_absent == 1),
          "softened_binary_kl: labels are weighted by targets, and there are none");
  const RowLoss loss{student};
  launch<kernels::SoftenedBinaryKl<float>>(student, teacher, targets, loss.values, loss.d_x, rows, labels, temperature,
                                           weight, of_present, of_absent);
  return loss.recorded();
}

Tensor attention_transfer(const Tensor& student, const Tensor& teacher, float weight, bool paper) {
  const Shape &s = student.shape(), &t = teacher.shape();
  require(s.rank() == 4 && t.rank() == 4 && s[0] == t[0] && s[2] == t[2] && s[3] == t[3],
          "attention_transfer: student ", s, " and teacher ", t, " differ in images, height or width");
  const RowLoss loss{student};
  launch<kernels::AttentionTransfer>(student, teacher, loss.values, loss.d_x, weight, 1e-12f, nullptr, paper);
  return loss.recorded();
}

Tensor softmax(const Tensor& logits) {
  require_matrix("softmax", logits);
  const Tensor probabilities = logits.context().empty(logits.shape());
  launch<kernels::Softmax<float>>(logits, probabilities, logits.shape()[0], logits.shape()[1]);
  return probabilities;
}

Tensor sigmoid(const Tensor& logits) {
  const Tensor probabilities = logits.context().empty(logits.shape());
  launch<kernels::Sigmoid<float>>(logits, probabilities, static_cast<std::int64_t>(logits.shape().elements()));
  return probabilities;
}

}  // namespace preceptor
