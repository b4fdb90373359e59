// Attention transfer (Zagoruyko and Komodakis 2017) on the outputs of all stages, in the released code's reading.
#pragma once

#include "models/transfer/method.h"

namespace preceptor {

// weight 1000, the released code's beta for its ImageNet and CIFAR experiments, applied to the sum over stages.
std::map<std::string, double> at_defaults();

// One term per stage. Errors: usage, when the networks have different numbers of stages or map sizes.
std::vector<Tensor> at_losses(const TransferMethod& method, const Features& student, const Features& teacher);

}  // namespace preceptor
