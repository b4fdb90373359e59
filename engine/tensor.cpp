// Tensors as kernels see them, and their way to and from the host.
#include "engine/tensor.h"

#include "engine/context.h"
#include "kernels/convert_layout/convert_layout.h"

namespace preceptor {

Tensor::Tensor(Context& context, Shape shape, Storage storage, std::shared_ptr<Buffer> buffer, int block)
    : context_(&context),
      shape_(std::move(shape)),
      storage_(storage),
      buffer_(std::move(buffer)),
      data_(static_cast<std::byte*>(buffer_->data())),
      block_(block),
      channel_stride_(shape_.rank() == 4 ? shape_[1] : 0) {}

void Tensor::refuse(Storage wanted) const {
  fail(ErrorKind::internal, "a tensor of ", shape_, " is stored in ", to_string(storage_), ", not in ",
       to_string(wanted));
}

std::size_t Tensor::channel_offset(int channel) const {
  const kernels::FeatureMap<std::byte> map{data_, shape_[0], shape_[1], shape_[2], shape_[3], block_, channel_stride_};
  return map.offset(0, channel, 0, 0) * bytes_of(storage_);
}

Tensor Tensor::channels(int begin, int count) const {
  require(shape_.rank() == 4 && begin >= 0 && count > 0 && begin + count <= shape_[1], "channels: [", begin, ", ",
          begin + count, ") is no range of a map of ", shape_);
  const bool blocked = context_->device().kind == kernels::DeviceKind::cpu;  // elsewhere channels-last
  require(!blocked || (begin % block_ == 0 && count % block_ == 0), "channels: ", begin, " and ", count,
          " are no multiples of the block of ", block_, " channels");
  Tensor view = *this;
  view.shape_ = {shape_[0], count, shape_[2], shape_[3]};
  view.data_ = data_ + channel_offset(begin);
  view.slot_ = -1;
  if (statistics_) view.statistics_ = {statistics_, statistics_.get() + begin};
  return view;
}

Tensor Tensor::reshaped(const Shape& shape) const {
  require(shape.elements() == shape_.elements() && (shape_.rank() != 4 || channel_stride_ == shape_[1]),
          "reshaped: ", shape_, " has gaps, or not the elements of ", shape);
  Tensor view = overwritten();
  view.shape_ = shape;
  view.block_ = shape.rank() == 4 ? context_->device().channel_block(shape[1]) : 1;
  view.channel_stride_ = shape.rank() == 4 ? shape[1] : 0;
  return view;
}

Tensor Tensor::joined_with(const Tensor& next) const {
  require(shape_.rank() == 4 && next.shape_.rank() == 4 && buffer_ == next.buffer_ && storage_ == next.storage_ &&
              next.data_ == data_ + channel_offset(shape_[1]),
          "joined_with: ", next.shape_, " does not follow ", shape_, " in one map");
  Tensor joined = *this;
  joined.shape_ = {shape_[0], shape_[1] + next.shape_[1], shape_[2], shape_[3]};
  joined.slot_ = -1;
  if (statistics_ && next.statistics() != statistics() + shape_[1]) joined.statistics_.reset();
  return joined;
}

Tensor Tensor::shape_only() const {
  Tensor tensor = *this;
  tensor.buffer_.reset();
  tensor.data_ = nullptr;
  tensor.statistics_.reset();
  return tensor;
}

void Tensor::keep_statistics() {
  require(shape_.rank() == 4, "keep_statistics: ", shape_, " is no feature map");
  const std::shared_ptr<Buffer> memory = context_->scratch(shape_[1] * sizeof(kernels::ChannelStatistics));
  statistics_ = {memory, static_cast<kernels::ChannelStatistics*>(memory->data())};
}

Tensor Tensor::overwritten() const {
  Tensor tensor = *this;
  tensor.slot_ = -1;
  tensor.statistics_.reset();
  return tensor;
}

void Tensor::copy_to(const Tensor& to) const {
  require(shape_ == to.shape_, "copy_to: ", shape_, " and ", to.shape_, " differ");
  const auto copy = [&]<class From>(From) {
    context_->run(to.storage_, [&]<class To>(To) {
      return kernels::ConvertLayout<From, To>{map<From>(), to.map<To>()};
    });
  };
  storage_ == Storage::bfloat16 ? copy(kernels::bfloat16()) : copy(float());
}

std::vector<float> Tensor::to_host() const {
  const Tensor plain = in_plain_order();
  if (plain.data_ != data_) copy_to(plain);
  std::vector<float> values(shape_.elements());
  context_->copy_and_wait(values.data(), plain.data(), values.size() * sizeof(float));
  return values;
}

void Tensor::from_host(const std::vector<float>& values) const {
  require(values.size() == shape_.elements(), "from_host: ", values.size(), " values for a tensor of ", shape_);
  const Tensor plain = in_plain_order();
  context_->copy(plain.data(), values.data(), values.size() * sizeof(float));
  if (plain.data_ != data_) plain.copy_to(*this);
  context_->stream().synchronize();
}

Tensor Tensor::in_plain_order() const {
  if (shape_.rank() != 4 && storage_ == Storage::float32) return *this;
  return Tensor(*context_, shape_, Storage::float32, context_->scratch(shape_.elements() * sizeof(float)), 1);
}

}  // namespace preceptor
