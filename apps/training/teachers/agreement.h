// Agreement of a student with its teacher on the validation images, for the columns of metrics.csv.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "apps/inference/prediction.h"
#include "apps/runs/progress.h"
#include "models/network.h"

namespace preceptor {

// The taps at which stages end, in the order of a forward pass of images of this size.
std::vector<std::string> stage_taps(const Network& network, int height, int width);

// For classes agreement/top_1; for findings rank_correlation/LABEL of each taught label, and their mean. cka/TAP for
// the ends of stages whose relations both have, paired from the last to the first and named after the student's tap,
// and the teacher's if it has another name. taught: [outputs].
std::vector<Meter> agreement_meters(const Dataset& dataset, const std::vector<bool>& taught, const Predictions& student,
                                    const Predictions& teacher);

}  // namespace preceptor
