// A student beside its teacher on the validation images, in the columns of metrics.csv.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "apps/inference/prediction.h"
#include "apps/runs/epoch.h"
#include "models/network.h"

namespace preceptor {

// The taps at which stages end, in the order of a forward pass of images of this size.
std::vector<std::string> stage_taps(const Network& network, int height, int width);

// What both said of the same images. Of classes agreement/top_1; of findings rank_correlation/LABEL for every label
// that is taught, and their mean. cka/TAP for the ends of stages whose relations both have, paired from the last to the
// first and named after the student's, and the teacher's where that is another. taught: [outputs].
std::vector<Meter> agreement_meters(const Dataset& dataset, const std::vector<bool>& taught, const Predictions& student,
                                    const Predictions& teacher);

}  // namespace preceptor
