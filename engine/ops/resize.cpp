// Maps at another size.
#include "kernels/resize/resize.h"

#include "engine/ops.h"

namespace preceptor {

Resizer::Table Resizer::table(Context& context, const kernels::Axis& axis) {
  static_assert(sizeof(int) == sizeof(float));
  const int to = static_cast<int>(axis.first.size());
  Table table{axis.taps, context.empty({to}, Lifetime::persistent),
              context.empty({to, axis.taps}, Lifetime::persistent)};
  context.run(kernels::Copy{table.first.data(), axis.first.data(), axis.first.size() * sizeof(int)});
  context.run(kernels::Copy{table.weight.data(), axis.weight.data(), axis.weight.size() * sizeof(float)});
  context.stream().synchronize();
  return table;
}

Resizer::Resizer(Context& context, int height, int width, int to_height, int to_width, ResizeRule rule) {
  for (const auto& [from, to] : {std::pair{height, to_height}, {width, to_width}})
    require(from > 0 && to > 0, "resize: from ", from, " to ", to, " pixels");
  const kernels::Axis rows(height, to_height, rule), columns(width, to_width, rule);
  to_ = {to_height, to_width, table(context, rows), table(context, columns)};
  from_ = {height, width, table(context, rows.transposed(height)), table(context, columns.transposed(width))};
}

void Resizer::run(const Tensor& x, const Tensor& y, const Side& to) {
  const auto positions = [](const Table& table) {
    return static_cast<const int*>(static_cast<const void*>(table.first.data()));
  };
  x.context().run(x.storage(), [&]<class T>(T) {
    return kernels::Resize<T>{x.map<T>(),
                              y.map<T>(),
                              positions(to.rows),
                              to.rows.weight.data(),
                              positions(to.columns),
                              to.columns.weight.data(),
                              to.rows.taps,
                              to.columns.taps};
  });
}

Tensor Resizer::operator()(const Tensor& x) const {
  const Shape& shape = x.shape();
  require(shape.rank() == 4 && shape[2] == from_.height && shape[3] == from_.width, "resize: ", shape, " is no map of ",
          from_.height, "x", from_.width);
  Context& context = x.context();
  Tensor y = context.empty({shape[0], shape[1], to_.height, to_.width});
  run(x, y, to_);
  if (!context.tape().watches(x)) return y;
  context.tape().record(y, [target = x.shape_only(), back = from_, &context](const Tensor& d_y) {
    const Tensor d_x = context.empty(target.shape());
    run(d_y, d_x, back);
    context.tape().accumulate(target, d_x);
  });
  return y;
}

}  // namespace preceptor
