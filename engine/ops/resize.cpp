// Resizing of maps.
#include "kernels/resize/resize.h"

#include "engine/ops/launch.h"

namespace preceptor {

Resizer::Table Resizer::table(Context& context, const kernels::Axis& axis) {
  static_assert(sizeof(int) == sizeof(float));
  const int to = static_cast<int>(axis.first.size());
  Table table{axis.taps, context.empty({to}, Lifetime::persistent),
              context.empty({to, axis.taps}, Lifetime::persistent)};
  context.copy(table.first.data(), axis.first.data(), axis.first.size() * sizeof(int));
  context.copy_and_wait(table.weight.data(), axis.weight.data(), axis.weight.size() * sizeof(float));
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
  launch<kernels::Resize>(x, y, to.rows.first, to.rows.weight, to.columns.first, to.columns.weight, to.rows.taps,
                          to.columns.taps);
}

Tensor Resizer::operator()(const Tensor& x) const {
  const Shape& shape = x.shape();
  require(shape.rank() == 4 && shape[2] == from_.height && shape[3] == from_.width, "resize: ", shape, " is no map of ",
          from_.height, "x", from_.width);
  Context& context = x.context();
  Tensor y = context.empty({shape[0], shape[1], to_.height, to_.width});
  run(x, y, to_);
  context.tape().record(y, x, [back = from_](const Tensor& d_y, const Tensor& d_x) { run(d_y, d_x, back); });
  return y;
}

}  // namespace preceptor
