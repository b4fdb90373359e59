// Models by name, and their description in checkpoints.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/files/checkpoint.h"
#include "models/cbr.h"
#include "models/densenet.h"
#include "models/resnet.h"

namespace preceptor {

// "resnet18", "resnet34", "resnet50", "resnet101", "densenet121", "densenet169", and narrow students that always have
// the small stem: "resnet8", "resnet14", "resnet20" (16, 32, 64 channels; He et al. 2015, section 4.2), "densenet16",
// "densenet28" (DenseNet-BC with three blocks and growth 16; Huang et al. 2017, section 3), "cbr-larget" and "cbr-tiny"
// (Raghu et al. 2019; one stem, for images of any size, which counts as the small one). The widths of cbr-tiny are
// those of the number of parameters in the paper's table; its appendix names twice as many channels.
std::vector<std::string> model_names();

// The numbers behind a name: one of the three. Errors: usage, for an unknown name (the valid ones are listed), channels
// or outputs out of range.
struct Architecture {
  std::optional<ResNetArchitecture> resnet;
  std::optional<DenseNetArchitecture> densenet;
  std::optional<CbrArchitecture> cbr;
  bool small_stem_only = false;

  const char* head() const {
    return densenet ? DenseNet::head_name : resnet ? ResNet::head_name : Cbr::head_name;
  }  // name of the last layer
};
const Architecture& architecture_of(const NetworkOptions& options);

// Builds a model; its options() say which stem it has.
std::unique_ptr<Network> make_model(Context& context, const NetworkOptions& options);

// Options to and from checkpoint metadata: "model", "in_channels", "outputs", "stem".
Metadata describe(const NetworkOptions& options);
NetworkOptions options_from(const Metadata& metadata, const std::string& path);

}  // namespace preceptor
