// Which implementation was chosen for which shape, for programs that keep the choices with a run.
#pragma once

#include "kernels/device/tuning.h"

namespace preceptor {

using kernels::tuning;

}  // namespace preceptor
