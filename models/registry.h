// Models by name, and their description in checkpoints.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/checkpoint.h"
#include "models/resnet.h"

namespace preceptor {

// "resnet18", "resnet34", "resnet50", and the narrow students "resnet8", "resnet14", "resnet20" (16, 32, 64 channels,
// always with the small stem; He et al. 2015, section 4.2).
std::vector<std::string> model_names();

// Builds a model; unknown names are a usage error that lists the valid ones.
std::unique_ptr<ResNet> make_model(Context& context, const ResNetOptions& options);

// Options to and from checkpoint metadata: "model", "in_channels", "outputs", "stem".
Metadata describe(const ResNetOptions& options);
ResNetOptions options_from(const Metadata& metadata, const std::string& path);

struct LayerRow {
  std::string name, kind;
  Shape output;  // of one image
  std::size_t parameters = 0;
  double operations = 0;             // multiply-adds count two, forward, one image
  std::size_t activation_bytes = 0;  // kept for the gradient, one image
};

// One row per layer for images of the given size.
std::vector<LayerRow> layer_table(const ResNetOptions& options, int height, int width);

}  // namespace preceptor
