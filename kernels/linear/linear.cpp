// The fully connected layer on the cpu: three matrix products through oneDNN.
#include "kernels/linear/linear.h"

#include "kernels/device/matrix.h"

namespace preceptor::kernels {

Cost cost(const LinearForward& a) {
  const double rows = a.rows, in = a.in, out = a.out;
  return {4 * (rows * in + in * out + rows * out), 2 * rows * in * out};
}

// y starts as the bias and the product is added to it: no second pass over y.
void run_on(Cpu, const LinearForward& a) {
  if (a.bias)
    for (int row = 0; row < a.rows; ++row)
      for (int o = 0; o < a.out; ++o) a.y[static_cast<std::size_t>(row) * a.out + o] = a.bias[o];
  multiply_on_cpu(false, true, a.rows, a.out, a.in, a.x, a.weight, a.bias ? 1.0f : 0.0f, a.y);
}

Cost cost(const LinearBackward& a) {
  const double rows = a.rows, in = a.in, out = a.out;
  const double product = 2 * rows * in * out;
  Cost result{4 * rows * out, 0};
  if (a.d_x) result = {result.bytes + 4 * (in * out + rows * in), result.operations + product};
  if (a.d_weight) result = {result.bytes + 4 * (in * out + rows * in), result.operations + product};
  if (a.d_bias) result = {result.bytes + 4 * out, result.operations + rows * out};
  return result;
}

void run_on(Cpu, const LinearBackward& a) {
  if (a.d_x) multiply_on_cpu(false, false, a.rows, a.in, a.out, a.d_y, a.weight, 0.0f, a.d_x);
  if (a.d_weight) multiply_on_cpu(true, false, a.out, a.in, a.rows, a.d_y, a.x, 0.0f, a.d_weight);
  if (!a.d_bias) return;
  for (int o = 0; o < a.out; ++o) a.d_bias[o] = 0;
  for (int row = 0; row < a.rows; ++row)
    for (int o = 0; o < a.out; ++o) a.d_bias[o] += a.d_y[static_cast<std::size_t>(row) * a.out + o];
}

}  // namespace preceptor::kernels
