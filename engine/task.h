// The kind of task, which decides about data sets, losses, networks and metrics.
#pragma once

namespace preceptor {

// It chooses the loss, the number of network outputs and the metrics.
enum class Task {
  multi_class,  // one class of `outputs`; also binary problems (2 classes)
  multi_label,  // `outputs` independent findings, each 0, 1 or unknown
  ordinal,      // grades 0..outputs-1, trained like multi_class
};

// The name used in files and messages: "multi-class", "multi-label", "ordinal".
constexpr const char* to_string(Task task) {
  switch (task) {
    case Task::multi_class:
      return "multi-class";
    case Task::multi_label:
      return "multi-label";
    case Task::ordinal:
      return "ordinal";
  }
  return "unknown";
}

}  // namespace preceptor
