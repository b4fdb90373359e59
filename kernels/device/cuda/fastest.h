// The choice between our own kernel and those of a library, by the clock.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "kernels/device/device.h"

namespace preceptor::kernels::cuda {

// The candidate that tuning() has chosen for `what`; where it has not yet, and nothing is being captured, all of them
// are run and timed, and the fastest is chosen. Else candidate 0, which is ours. run: launches a candidate, as often as
// asked, and says whether it can be run.
int fastest(Cuda gpu, const std::string& what, const std::vector<std::string>& candidates,
            const std::function<bool(int candidate)>& run);

}  // namespace preceptor::kernels::cuda
