// Reads a file of weights whatever its format.
#pragma once

#include <string>

#include "engine/files/checkpoint.h"

namespace preceptor {

struct WeightFile {
  std::string path;
  std::string format;  // "safetensors", "PyTorch zip archive" or "PyTorch file of before 1.6"
  std::string place;   // place of the tensors within the file (torch_file.h); "" at the top
  Checkpoint checkpoint;
};

// Tells the format by the first bytes, not by the name: safetensors, or a zip archive of torch.save. NaN and infinity
// are read, not refused: the caller has to check the tensors it uses. Errors: missing_input, io, data; files of PyTorch
// before 1.6 and bare pickles are refused with the way to convert them.
WeightFile load_weights(const std::string& path);

}  // namespace preceptor
