// The rules by which parameters are updated.
#pragma once

namespace preceptor::kernels {

enum class UpdateRule { sgd, adam, adamw };

}  // namespace preceptor::kernels
