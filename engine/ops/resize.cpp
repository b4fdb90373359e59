// Maps at another size.
#include "kernels/resize/resize.h"

#include "engine/ops.h"

namespace preceptor {

Resizer::Table Resizer::table(Context& context, int from, int to) {
  require(from > 0 && to > 0, "resize: from ", from, " to ", to, " pixels");
  static_assert(sizeof(int) == sizeof(float));
  const kernels::Axis axis(from, to);
  Table table{axis.taps, context.empty({to}, Lifetime::persistent),
              context.empty({to, axis.taps}, Lifetime::persistent)};
  context.run(kernels::Copy{table.first.data(), axis.first.data(), axis.first.size() * sizeof(int)});
  context.run(kernels::Copy{table.weight.data(), axis.weight.data(), axis.weight.size() * sizeof(float)});
  context.stream().synchronize();
  return table;
}

Resizer::Resizer(Context& context, int height, int width, int to_height, int to_width)
    : height_(height),
      width_(width),
      to_height_(to_height),
      to_width_(to_width),
      rows_(table(context, height, to_height)),
      columns_(table(context, width, to_width)) {}

Tensor Resizer::operator()(const Tensor& x) const {
  const Shape& from = x.shape();
  require(from.rank() == 4 && from[2] == height_ && from[3] == width_, "resize: ", from, " is no map of ", height_, "x",
          width_);
  Context& context = x.context();
  const Tensor y = context.empty({from[0], from[1], to_height_, to_width_});
  const auto positions = [](const Table& table) {
    return static_cast<const int*>(static_cast<const void*>(table.first.data()));
  };
  context.run(x.storage(), [&]<class T>(T) {
    return kernels::Resize<T>{x.map<T>(),          y.map<T>(),          positions(rows_),
                              rows_.weight.data(), positions(columns_), columns_.weight.data(),
                              rows_.taps,          columns_.taps};
  });
  return y;
}

}  // namespace preceptor
