// Models by name, and their description in checkpoints.
#pragma once

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "engine/files/checkpoint.h"
#include "models/cbr.h"
#include "models/densenet.h"
#include "models/resnet.h"

namespace preceptor {

// One entry of the table of models: a name, a line of help, and the numbers behind the name.
struct Architecture {
  std::string name, summary;
  std::variant<ResNetArchitecture, DenseNetArchitecture, CbrArchitecture> sizes;
  bool small_stem_only = false;  // a narrow network for small images, or one with a single stem

  const char* head() const;  // name of the last layer
};
const std::vector<Architecture>& architectures();
std::vector<std::string> model_names();
// Errors: usage, for an unknown name (the valid ones are listed), channels or outputs out of range.
const Architecture& architecture_of(const NetworkOptions& options);

// Builds a model; its options() say which stem it has.
std::unique_ptr<Network> make_model(Context& context, const NetworkOptions& options);

// Options to and from checkpoint metadata: "model", "in_channels", "outputs", "stem".
Metadata describe(const NetworkOptions& options);
NetworkOptions options_from(const Metadata& metadata, const std::string& path);

}  // namespace preceptor
