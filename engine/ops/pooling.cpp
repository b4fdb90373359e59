// Max, average and global average pooling.
#include "kernels/pooling/pooling.h"

#include "engine/ops/launch.h"

namespace preceptor {
namespace {

Shape pooled_shape(const char* op, const Tensor& x, int window, int stride, int padding) {
  require_map(op, x);
  require(window >= 1 && window <= 15 && stride >= 1 && padding >= 0 && padding <= window / 2, op, ": window ", window,
          ", stride ", stride, ", padding ", padding, " are out of range");
  const int height = (x.shape()[2] + 2 * padding - window) / stride + 1;
  const int width = (x.shape()[3] + 2 * padding - window) / stride + 1;
  require(x.shape()[2] + 2 * padding >= window && x.shape()[3] + 2 * padding >= window, op, ": ", x.shape(),
          " is smaller than the window of ", window);
  return {x.shape()[0], x.shape()[1], height, width};
}

}  // namespace

Tensor max_pool(const Tensor& x, int window, int stride, int padding) {
  Context& context = x.context();
  Tensor y = context.empty(pooled_shape("max_pool", x, window, stride, padding));
  const bool recorded = context.tape().requires_grad(x);
  const std::shared_ptr<Buffer> winner = recorded ? context.scratch(y.shape().elements()) : nullptr;
  auto* winners = recorded ? static_cast<std::uint8_t*>(winner->data()) : nullptr;
  launch<kernels::MaxPoolForward>(x, y, winners, window, stride, padding);
  if (!recorded) return y;
  context.tape().record(y, x, [winner, winners, window, stride, padding](const Tensor& d_y, const Tensor& d_x) {
    launch<kernels::MaxPoolBackward>(d_y, winners, d_x, window, stride, padding);
  });
  return y;
}

Tensor average_pool(const Tensor& x, int window, int stride, int padding, bool count_padding) {
  Context& context = x.context();
  Tensor y = context.empty(pooled_shape("average_pool", x, window, stride, padding));
  launch<kernels::AveragePoolForward>(x, y, window, stride, padding, count_padding);
  context.tape().record(y, x, [=](const Tensor& d_y, const Tensor& d_x) {
    launch<kernels::AveragePoolBackward>(d_y, d_x, window, stride, padding, count_padding);
  });
  return y;
}

Tensor global_average_pool(const Tensor& x) {
  require_map("global_average_pool", x);
  Context& context = x.context();
  Tensor y = context.empty({x.shape()[0], x.shape()[1]});
  launch<kernels::GlobalAveragePoolForward>(x, y, nullptr);
  context.tape().record(y, x, [&context](const Tensor& d_y, const Tensor& d_x) {
    context.run(d_x.storage(), [&]<class T>(T) {
      return kernels::GlobalAveragePoolBackward<T>{d_y.data(), d_x.map<T>()};
    });
  });
  return y;
}

}  // namespace preceptor
