// Knowledge distillation on logits (Hinton et al. 2015), and its per-label binary form for multi-label data.
#pragma once

#include "models/transfer/method.h"

namespace preceptor {

// temperature 4 and weight 0.9, as is common on CIFAR-100; the labels get 1 - weight.
std::map<std::string, double> kd_defaults();
void check_kd(const TransferMethod& method);  // temperature > 0, weight <= 1

Tensor kd_loss(const TransferMethod& method, const Features& student, const Features& teacher, const Tensor& targets,
               bool multi_label);

}  // namespace preceptor
