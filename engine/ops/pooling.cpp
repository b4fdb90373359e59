// Max, average and global average pooling.
#include "kernels/pooling/pooling.h"

#include "engine/ops.h"

namespace preceptor {
namespace {

Shape pooled_shape(const char* op, const Tensor& x, int window, int stride, int padding) {
  require(x.shape().rank() == 4, op, ": ", x.shape(), " is no feature map");
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
  const bool recorded = context.tape().watches(x);
  const std::shared_ptr<Buffer> winner = recorded ? context.scratch(y.shape().elements()) : nullptr;
  auto* winners = recorded ? static_cast<std::uint8_t*>(winner->data()) : nullptr;
  context.run(x.storage(), [&]<class T>(T) {
    return kernels::MaxPoolForward<T>{x.map<T>(), y.map<T>(), winners, window, stride, padding};
  });
  if (!recorded) return y;
  // Only the shape and slot of x are needed: its values are released as early as they can be.
  context.tape().record(
      y, [target = x.shape_only(), winner, winners, window, stride, padding, &context](const Tensor& d_y) {
        const Tensor d_x = context.empty(target.shape());
        context.run(d_x.storage(), [&]<class T>(T) {
          return kernels::MaxPoolBackward<T>{d_y.map<T>(), winners, d_x.map<T>(), window, stride, padding};
        });
        context.tape().accumulate(target, d_x);
      });
  return y;
}

Tensor average_pool(const Tensor& x, int window, int stride, int padding, bool count_padding) {
  Context& context = x.context();
  Tensor y = context.empty(pooled_shape("average_pool", x, window, stride, padding));
  context.run(x.storage(), [&]<class T>(T) {
    return kernels::AveragePoolForward<T>{x.map<T>(), y.map<T>(), window, stride, padding, count_padding};
  });
  if (!context.tape().watches(x)) return y;
  context.tape().record(
      y, [target = x.shape_only(), window, stride, padding, count_padding, &context](const Tensor& d_y) {
        const Tensor d_x = context.empty(target.shape());
        context.run(d_x.storage(), [&]<class T>(T) {
          return kernels::AveragePoolBackward<T>{d_y.map<T>(), d_x.map<T>(), window, stride, padding, count_padding};
        });
        context.tape().accumulate(target, d_x);
      });
  return y;
}

Tensor global_average_pool(const Tensor& x) {
  require(x.shape().rank() == 4, "global_average_pool: ", x.shape(), " is no feature map");
  Context& context = x.context();
  Tensor y = context.empty({x.shape()[0], x.shape()[1]});
  context.run_with_workspace(x.storage(), [&]<class T>(T) {
    return kernels::GlobalAveragePoolForward<T>{x.map<T>(), y.data(), nullptr};
  });
  if (!context.tape().watches(x)) return y;
  context.tape().record(y, [target = x.shape_only(), &context](const Tensor& d_y) {
    const Tensor d_x = context.empty(target.shape());
    context.run(d_x.storage(), [&]<class T>(T) {
      return kernels::GlobalAveragePoolBackward<T>{d_y.data(), d_x.map<T>()};
    });
    context.tape().accumulate(target, d_x);
  });
  return y;
}

}  // namespace preceptor
