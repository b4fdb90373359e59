// Matrix products on the cpu, through oneDNN.
#pragma once

namespace preceptor::kernels {

// c [rows, columns] = op(a) op(b) + beta c, row-major; op(a) is [rows, inner], op(b) is [inner, columns].
// transpose_a: a is stored [inner, rows]; transpose_b: b is stored [columns, inner].
void multiply_on_cpu(bool transpose_a, bool transpose_b, int rows, int columns, int inner, const float* a,
                     const float* b, float beta, float* c);

}  // namespace preceptor::kernels
