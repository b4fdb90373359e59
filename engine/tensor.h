// A tensor is a value: a shape, a shared buffer in device memory, and its place on the tape.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "engine/files/shape.h"
#include "engine/storage.h"
#include "kernels/device/channel_statistics.h"
#include "kernels/device/feature_map.h"

namespace preceptor {

class Context;

// Device memory taken from a pool and given back with the last tensor that uses it.
class Buffer;

// Copies share the buffer. A rank-4 tensor is a feature map in the device's channel-blocked order, everything else is
// row-major. There is no broadcasting and no implicit conversion.
class Tensor {
 public:
  Tensor() = default;  // empty: defined() is false
  Tensor(Context& context, Shape shape, Storage storage, std::shared_ptr<Buffer> buffer, int block);

  bool defined() const { return buffer_ != nullptr; }
  const Shape& shape() const { return shape_; }
  Context& context() const { return *context_; }
  Storage storage() const { return storage_; }
  int block() const { return block_; }  // channels of a feature map that lie side by side
  // The values; nullptr of an empty tensor. Errors: internal, where they are not stored in T.
  template <class T = float>
  T* data() const {
    if (data_ != nullptr && storage_ != storage_of<T>) refuse(storage_of<T>);
    return reinterpret_cast<T*>(data_);
  }
  bool owns_alone() const { return buffer_.use_count() == 1; }  // nobody else can see a change of the values

  // As kernels take it: vectors and matrices as one long row, an empty tensor as a map without data.
  template <class T = float>
  kernels::FeatureMap<T> map() const {
    if (shape_.rank() != 4) return {data<T>(), 1, 1, 1, static_cast<int>(shape_.elements()), 1, 1};
    return {data<T>(), shape_[0], shape_[1], shape_[2], shape_[3], block_, channel_stride_};
  }
  // Whether the map is a range of the channels of a wider one.
  bool has_gaps() const { return shape_.rank() == 4 && channel_stride_ != shape_[1]; }

  // The channels [begin, begin + count) of a feature map, without a copy. begin and count are multiples of the block.
  Tensor channels(int begin, int count) const;

  // The same values in the same memory under another shape of as many elements. Of a map that has no gaps, or of none.
  Tensor reshaped(const Shape& shape) const;

  // These channels and those of `next`, which lie right behind them in the same map.
  Tensor joined_with(const Tensor& next) const;

  // The statistics of a feature map's channels, in device memory, so that no batch norm of the map, or of one that it
  // is part of, reads it for them; nullptr where nobody keeps them. keep_statistics() makes room for them: who then
  // writes the map's values, writes them too.
  kernels::ChannelStatistics* statistics() const { return statistics_.get(); }
  void keep_statistics();

  // The same memory for other values: no place on the tape, no statistics.
  Tensor overwritten() const;

  // Shape and place on the tape alone: what an op keeps of an input whose values its gradient does not need.
  Tensor shape_only() const;

  // Copies the values to a tensor of the same shape, whatever its storage and order.
  void copy_to(const Tensor& to) const;

  // The value in plain order (n, c, h, w) on the host; waits for the device.
  std::vector<float> to_host() const;
  // Sets the value from plain order.
  void from_host(const std::vector<float>& values) const;

  // Position on the tape, -1 when no gradient flows to this tensor.
  int slot() const { return slot_; }
  void set_slot(int slot) { slot_ = slot; }

 private:
  [[noreturn]] void refuse(Storage wanted) const;
  std::size_t channel_offset(int channel) const;  // bytes from the first value to the first of this channel
  // Float memory for the values in plain order; float vectors and matrices are that themselves.
  Tensor in_plain_order() const;

  Context* context_ = nullptr;
  Shape shape_;
  Storage storage_ = Storage::float32;
  std::shared_ptr<Buffer> buffer_;
  std::byte* data_ = nullptr;
  int block_ = 1;
  int channel_stride_ = 0;
  int slot_ = -1;
  std::shared_ptr<kernels::ChannelStatistics> statistics_;
};

}  // namespace preceptor
