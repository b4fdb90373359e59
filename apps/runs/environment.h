// The machine and the program of a run, for result.json and reports.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "engine/context.h"

namespace preceptor {

// "version", "compiler", "processor", "system", "device", "card" (empty on the cpu), "threads".
nlohmann::ordered_json environment_json(const Context& context);

}  // namespace preceptor
