// Tensors as kernels see them, and their way to and from the host.
#include "engine/tensor.h"

#include "engine/context.h"

namespace preceptor {

Tensor::Tensor(Context& context, Shape shape, std::shared_ptr<Buffer> buffer, int block)
    : context_(&context),
      shape_(std::move(shape)),
      buffer_(std::move(buffer)),
      data_(static_cast<float*>(buffer_->data())),
      block_(block),
      pitch_(shape_.rank() == 4 ? shape_[1] : 0) {}

kernels::FeatureMap<float> Tensor::map() const {
  if (shape_.rank() != 4) return {data_, 1, 1, 1, static_cast<int>(shape_.elements()), 1, 1};
  return {data_, shape_[0], shape_[1], shape_[2], shape_[3], block_, pitch_};
}

Tensor Tensor::channels(int begin, int count) const {
  require(shape_.rank() == 4 && begin >= 0 && count > 0 && begin + count <= shape_[1], "channels: [", begin, ", ",
          begin + count, ") is no range of a map of ", shape_);
  require(begin % block_ == 0 && count % block_ == 0, "channels: ", begin, " and ", count,
          " are no multiples of the block of ", block_, " channels");
  Tensor view = *this;
  view.shape_ = {shape_[0], count, shape_[2], shape_[3]};
  view.data_ = data_ + static_cast<std::size_t>(begin) * shape_[2] * shape_[3];
  view.slot_ = -1;
  return view;
}

Tensor Tensor::without_values() const {
  Tensor tensor = *this;
  tensor.buffer_.reset();
  tensor.data_ = nullptr;
  return tensor;
}

namespace {

// Calls visit(position in plain order, position in memory) for every element.
template <class Visit>
void for_each_element(const kernels::FeatureMap<float>& map, const Visit& visit) {
  std::size_t plain = 0;
  for (int n = 0; n < map.images; ++n)
    for (int c = 0; c < map.channels; ++c)
      for (int y = 0; y < map.height; ++y)
        for (int x = 0; x < map.width; ++x) visit(plain++, map.offset(n, c, y, x));
}

std::size_t spanned(const kernels::FeatureMap<float>& map) {
  return static_cast<std::size_t>((map.images - 1) * map.pitch + map.channels) * map.plane();
}

}  // namespace

std::vector<float> Tensor::to_host() const {
  const auto layout = map();
  std::vector<float> raw(spanned(layout)), plain(shape_.elements());
  context_->run(kernels::Copy{raw.data(), data_, raw.size() * sizeof(float)});
  context_->stream().synchronize();
  for_each_element(layout, [&](std::size_t to, std::size_t from) { plain[to] = raw[from]; });
  return plain;
}

void Tensor::from_host(const std::vector<float>& values) const {
  require(values.size() == shape_.elements(), "from_host: ", values.size(), " values for a tensor of ", shape_);
  const auto layout = map();
  std::vector<float> raw(spanned(layout));
  if (layout.pitch != layout.channels) {  // a view: what lies between its images belongs to others
    context_->run(kernels::Copy{raw.data(), data_, raw.size() * sizeof(float)});
    context_->stream().synchronize();
  }
  for_each_element(layout, [&](std::size_t from, std::size_t to) { raw[to] = values[from]; });
  context_->run(kernels::Copy{data_, raw.data(), raw.size() * sizeof(float)});
  context_->stream().synchronize();
}

}  // namespace preceptor
