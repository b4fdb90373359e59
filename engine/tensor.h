// A tensor is a value: a shape, a shared buffer in device memory, and its place on the tape.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/shape.h"
#include "kernels/device/feature_map.h"

namespace preceptor {

class Context;

// Device memory taken from a pool and given back with the last tensor that uses it.
class Buffer;

// Copies share the buffer. float32. A rank-4 tensor is a feature map in the device's channel-blocked order, everything
// else is row-major. There is no broadcasting and no implicit conversion.
class Tensor {
 public:
  Tensor() = default;  // empty: defined() is false
  Tensor(Context& context, Shape shape, std::shared_ptr<Buffer> buffer, int block);

  bool defined() const { return buffer_ != nullptr; }
  const Shape& shape() const { return shape_; }
  Context& context() const { return *context_; }
  float* data() const { return data_; }
  bool owns_alone() const { return buffer_.use_count() == 1; }  // nobody else can see a change of the values

  // As kernels take it; shape().rank() must be 4.
  kernels::FeatureMap<float> map() const;

  // The channels [begin, begin + count) of a feature map, without a copy. begin and count are multiples of the block.
  Tensor channels(int begin, int count) const;

  // The same values in the same memory under another shape of as many elements. Of a map that has no gaps, or of none.
  Tensor reshaped(const Shape& shape) const;

  // These channels and those of `next`, which lie right behind them in the same map.
  Tensor joined_with(const Tensor& next) const;

  // Shape and place on the tape alone: what an op keeps of an input whose values its gradient does not need.
  Tensor without_values() const;

  // The value in plain order (n, c, h, w) on the host; waits for the device.
  std::vector<float> to_host() const;
  // Sets the value from plain order.
  void from_host(const std::vector<float>& values) const;

  // Position on the tape, -1 when no gradient flows to this tensor.
  int slot() const { return slot_; }
  void set_slot(int slot) { slot_ = slot; }

 private:
  Tensor in_plain_order() const;  // memory for the values in plain order; vectors and matrices are that themselves

  Context* context_ = nullptr;
  Shape shape_;
  std::shared_ptr<Buffer> buffer_;
  float* data_ = nullptr;
  int block_ = 1;
  int pitch_ = 0;
  int slot_ = -1;
};

}  // namespace preceptor
