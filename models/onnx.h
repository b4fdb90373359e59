// A network as an ONNX file, for the runtimes and compilers that read it.
#pragma once

#include <string>

#include "models/loaded_model.h"

namespace preceptor {

struct OnnxOptions {
  bool fold = false;           // batch norms directly behind a convolution become part of its weight and bias
  bool probabilities = false;  // an output `probabilities` beside `logits`
};

// The bytes of the file: opset 17, float32. Input `input` [batch, channels, height, width], normalized; height and
// width are the card's, the batch is free. Output `logits` [batch, outputs]. Initializers have torchvision's names. The
// metadata hold the card as to_metadata() writes it, and `preprocessing`, the formula of the normalization.
std::string onnx_model(const LoadedModel& model, const OnnxOptions& options);

}  // namespace preceptor
