// Losses on differences on the cpu.
#include "kernels/pointwise_loss/pointwise_loss.h"

#include <cmath>

#include "kernels/device/cpu_loops.h"

namespace preceptor::kernels {
namespace {

template <PointwiseLossKind kind>
void run_row(const PointwiseLoss<float>& a, int row) {
  const std::size_t first = static_cast<std::size_t>(row) * a.columns;
  const double scale = static_cast<double>(a.scale), parameter = static_cast<double>(a.parameter);
  double sum = 0;
  for (std::size_t i = first; i < first + a.columns; ++i) {
    const PointwiseTerm<double> term(kind, static_cast<double>(a.student[i]),
                                     a.teacher ? static_cast<double>(a.teacher[i]) : 0.0, parameter);
    sum += term.loss;
    a.d_student[i] = static_cast<float>(scale * term.derivative);
  }
  a.loss[row] = static_cast<float>(scale * sum);
}

// The kind becomes a template argument of the inner loop.
using Row = void (*)(const PointwiseLoss<float>&, int);
Row row_of(PointwiseLossKind kind) {
  switch (kind) {
    case PointwiseLossKind::square:
      return run_row<PointwiseLossKind::square>;
    case PointwiseLossKind::correlation:
      return run_row<PointwiseLossKind::correlation>;
    case PointwiseLossKind::boundary:
      return run_row<PointwiseLossKind::boundary>;
    case PointwiseLossKind::partial:
      return run_row<PointwiseLossKind::partial>;
    case PointwiseLossKind::absolute:
      return run_row<PointwiseLossKind::absolute>;
  }
  return nullptr;
}

}  // namespace

// mapping: rows over threads; bytes: student and teacher read, d_student written; operations: 2 to 15 per entry;
// hazard: a row may have millions of columns, so it is summed in double.
void run_on(Cpu, const PointwiseLoss<float>& a) {
  const Row run = row_of(a.kind);
#pragma omp parallel for schedule(static) if (worth_threads(a.rows, a.columns, 2))
  for (int row = 0; row < a.rows; ++row) run(a, row);
}

// mapping: one thread, the vector is a batch's losses; bytes: 8 per value; operations: 1 per value.
void run_on(Cpu, const RootOfSum& a) {
  double sum = 0;
  for (int i = 0; i < a.count; ++i) {
    sum += static_cast<double>(a.loss[i]);
    a.loss[i] = 0;
  }
  const double root = std::sqrt(sum), scale = static_cast<double>(a.scale);
  a.loss[0] = static_cast<float>(scale * root);
  *a.factor = root == 0 ? 0 : static_cast<float>(scale / (2 * root));
}

}  // namespace preceptor::kernels
