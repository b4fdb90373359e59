// weight * T^2 KL(teacher || student) on softened outputs.
#include "models/transfer/kd.h"

namespace preceptor {

std::map<std::string, double> kd_defaults() { return {{"temperature", 4}, {"weight", 0.9}}; }

void check_kd(const TransferMethod& method) {
  require(method.values.at("temperature") > 0, "--method kd: the temperature must be positive");
  require(method.values.at("weight") <= 1, "--method kd: the weight is at most 1, the labels get the rest");
}

Tensor kd_loss(const TransferMethod& method, const Features& student, const Features& teacher, const Tensor& targets,
               bool multi_label) {
  const auto temperature = static_cast<float>(method.values.at("temperature"));
  const auto weight = static_cast<float>(method.values.at("weight"));
  if (multi_label) return softened_binary_kl(student.logits, teacher.logits, targets, temperature, weight);
  return softened_kl(student.logits, teacher.logits, temperature, weight);
}

}  // namespace preceptor
