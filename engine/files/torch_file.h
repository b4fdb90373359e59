// Reads the tensors of a file that PyTorch's torch.save wrote (.pth, .pt), and executes nothing of it.
#pragma once

#include <string>

#include "engine/files/checkpoint.h"

namespace preceptor {

struct TorchFile {
  // Values in plain order. The metadata are the texts and numbers stored beside the tensors ("epoch", "arch");
  // lists of texts are joined as JSON.
  Checkpoint checkpoint;
  std::string place;  // where the tensors were: "", "state_dict", "a module of class torch.nn....", ...
};

// Reads both containers (torch_container.h): a state dict, one inside {"state_dict": ...}, {"model": ...} or
// {"model_state_dict": ...}, or a whole module, whose _parameters, _buffers and _modules are read as data. Elements:
// float64, 32, 16, bfloat16, converted to float; whole numbers are skipped by name. Strided and shared storages are
// supported. Nothing is trusted: beside the checks of ZipArchive and parse_pickle, calls of unknown functions, storages
// whose size is not their member's, and views beyond their storage are refused, and all tensors together hold at most
// 2 values per byte of the file. NaN is not refused. Errors: missing_input, data, io, "`path`: ...".
TorchFile load_torch_file(const std::string& path);

}  // namespace preceptor
