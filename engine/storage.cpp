// Names of storage types and precisions.
#include "engine/storage.h"

#include "engine/files/check.h"

namespace preceptor {

const char* to_string(Storage storage) { return storage == Storage::bfloat16 ? "bfloat16" : "float"; }

Precision precision_named(const std::string& name) {
  if (name == "float") return Precision::float32;
  if (name == "tf32") return Precision::tf32;
  require(name == "bf16", "--precision ", name, ": not one of float, tf32, bf16");
  return Precision::bfloat16;
}

}  // namespace preceptor
