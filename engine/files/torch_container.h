// The two containers of torch.save: a zip archive, and before PyTorch 1.6 pickles followed by the storages.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "engine/files/element_type.h"
#include "engine/files/pickle.h"

namespace preceptor {

// A storage as a pickle describes it.
struct TorchStorage {
  std::string key;
  ElementFormat format{};
  std::uint64_t elements = 0;
};

// `tensor` opens the message: errors are data, "`tensor`: ...", for anything but a storage of a known type.
TorchStorage storage_from(const Pickle& pickle, const PickleValue& persistent, const std::string& tensor);

class TorchContainer {
 public:
  virtual ~TorchContainer() = default;
  // The bytes of a storage, elements * format.bytes many. Errors: data, "`tensor`: ...", unless the file has exactly
  // as many; io.
  virtual std::string read(const TorchStorage& storage, const std::string& tensor) const = 0;

  const Pickle& pickle() const { return pickle_; }
  std::uint64_t file_bytes() const { return file_bytes_; }

 protected:
  Pickle pickle_;
  std::uint64_t file_bytes_ = 0;
};

// True if a file that begins like this was written by torch.save before PyTorch 1.6.
bool begins_like_legacy_torch(const std::string& begin);

// Members of zip archives must be stored, as torch.save does: what is read is never larger than the file. Errors:
// missing_input, io, data, "`path`: ...": damaged or hostile files, TorchScript programs, another byte order.
std::unique_ptr<TorchContainer> open_torch_container(const std::string& path);

}  // namespace preceptor
