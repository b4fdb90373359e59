// A tensor is a handle: a shape, a shared buffer in device memory, and its place on the tape. Its const is shallow, as
// a pointer's is: kernels write to a `const Tensor`.
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
  int block() const { return block_; }  // adjacent channels of a feature map
  // The values; nullptr for an empty tensor. Errors: internal, if they are not stored as T.
  template <class T = float>
  T* data() const {
    if (data_ != nullptr && storage_ != storage_of<T>) refuse(storage_of<T>);
    return reinterpret_cast<T*>(data_);
  }
  // No other tensor shares the buffer, so it may be overwritten.
  bool owns_alone() const { return buffer_.use_count() == 1; }

  // The argument of a kernel: vectors and matrices become one long row, an empty tensor a map without data.
  template <class T = float>
  kernels::FeatureMap<T> map() const {
    if (shape_.rank() != 4) return {data<T>(), 1, 1, 1, static_cast<int>(shape_.elements()), 1, 1};
    return {data<T>(), shape_[0], shape_[1], shape_[2], shape_[3], block_, channel_stride_};
  }
  // False for a channel range of a wider map.
  bool is_contiguous() const { return shape_.rank() != 4 || channel_stride_ == shape_[1]; }

  // The channels [begin, begin + count) of a feature map, without a copy. begin and count are multiples of the block.
  Tensor channels(int begin, int count) const;

  // The same memory under another shape with as many elements; a map must be contiguous.
  Tensor reshaped(const Shape& shape) const;

  // These channels and those of `next`, which must follow them directly in the same map.
  Tensor joined_with(const Tensor& next) const;

  // Statistics of a feature map's channels in device memory, which save a batch norm of this map, or of a wider one
  // that contains it, a pass over the values; nullptr if they are not kept. keep_statistics() allocates them: the op
  // that writes the map's values then has to write them, too.
  kernels::ChannelStatistics* statistics() const { return statistics_.get(); }
  void keep_statistics();

  // The same memory for other values: no place on the tape, no statistics.
  Tensor overwritten() const;

  // Shape and place on the tape without the values: for an op whose gradient does not read this input.
  Tensor shape_only() const;

  // Copies the values to a tensor of the same shape, converting storage and order.
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
  // Float memory for the values in plain order: the tensor itself if it is a float vector or matrix.
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
