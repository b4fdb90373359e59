// Formats of weight files, told apart by their first bytes.
#include "engine/files/weight_file.h"

#include "engine/files/check.h"
#include "engine/files/file.h"
#include "engine/files/torch_container.h"
#include "engine/files/torch_file.h"

namespace preceptor {

WeightFile load_weights(const std::string& path) {
  const std::string begin = read_file(path, 16);
  // The length before a safetensors header may consist of any bytes, even the first ones of other formats, but no other
  // format has this ninth byte.
  if (begin.size() > 8 && begin[8] == '{') return {path, "safetensors", "", load_safetensors(path, false)};
  const bool legacy = begins_like_legacy_torch(begin);
  if (legacy || begin.starts_with("PK\x03\x04")) {
    TorchFile file = load_torch_file(path);
    return {path, legacy ? "PyTorch file of before 1.6" : "PyTorch zip archive", std::move(file.place),
            std::move(file.checkpoint)};
  }
  require_data(!begin.starts_with('\x80'), path, ": is a bare pickle; weights are read from safetensors or torch.save");
  return {path, "safetensors", "", load_safetensors(path, false)};
}

}  // namespace preceptor
