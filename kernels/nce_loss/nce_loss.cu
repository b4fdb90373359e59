// Contrast with a bank on cuda and emulated: a warp reads a row of the bank.
#include "kernels/nce_loss/nce_loss.h"

#include <cassert>
#include <cmath>

#include "kernels/device/gpu.h"
#include "kernels/device/philox.h"
#include "kernels/device/reduce.cuh"
#include "kernels/nce_loss/term.h"

namespace preceptor::kernels {
namespace {

constexpr int threads = 256, warps = threads / warp_size;

// mapping: a thread draws four candidates; bytes: index written; operations: one philox, about 80.
__global__ void __launch_bounds__(threads) draw(DrawNegatives a, int quads) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * threads + threadIdx.x;
  if (i >= static_cast<std::int64_t>(a.rows) * quads) return;
  const int row = static_cast<int>(i / quads), quad = static_cast<int>(i % quads);
  const int image = a.positions[row];
  int* const index = a.index + static_cast<std::int64_t>(row) * (1 + a.negatives);
  if (quad == 0) index[0] = image;
  const auto random = philox(a.state->seed, static_cast<std::uint64_t>(a.state->step),
                             DrawNegatives::first_counter + static_cast<std::uint64_t>(i));
#pragma unroll
  for (int j = 0; j < 4; ++j)
    if (4 * quad + j < a.negatives) index[1 + 4 * quad + j] = a.other(image, random[j]);
}

// mapping: a warp takes a candidate, its lanes the columns; bytes: a row of the bank per candidate, the anchor from L1;
// operations: 2 per value, in double; hazard: a score grows with 1 / temperature and is the argument of exp().
__global__ void __launch_bounds__(threads) score(NceScores a) {
  const std::int64_t i =
      static_cast<std::int64_t>(blockIdx.x) * warps + static_cast<std::int64_t>(threadIdx.x) / warp_size;
  if (i >= static_cast<std::int64_t>(a.rows) * a.candidates) return;  // whole warps
  const float* const anchor = a.anchors + i / a.candidates * a.columns;
  const float* const other = a.bank + static_cast<std::int64_t>(a.index[i]) * a.columns;
  double sum = 0;
  for (int c = static_cast<int>(threadIdx.x) % warp_size; c < a.columns; c += warp_size)
    sum += static_cast<double>(anchor[c]) * static_cast<double>(other[c]);
  sum = reduce_lanes(sum, Sum{});
  if (threadIdx.x % warp_size == 0) a.scores[i] = static_cast<float>(sum / a.temperature);
}

// mapping: one block, which has something to do once in a run; bytes: the constant, once the scores; operations: an
// exponential per score; hazard: all threads read the constant before one writes it, and all leave or none does.
__global__ void __launch_bounds__(threads) estimate_constant(NceConstant a) {
  if (*a.constant != 0) return;
  double sum = 0;
#pragma unroll 1
  for (std::int64_t i = threadIdx.x; i < a.count; i += threads) sum += std::exp(static_cast<double>(a.scores[i]));
  sum = reduce_block(sum, Sum{}, 0.0);
  if (threadIdx.x == 0) *a.constant = static_cast<float>(sum / static_cast<double>(a.count) * a.images);
}

// mapping: a block takes an anchor, its warps candidates by turns, lanes the columns, whose sums they keep in
// registers; bytes: scores, and a row of the bank per candidate; operations: 2 per value, an exponential and two
// logarithms per candidate, by every lane; hazard: sums are taken in an order that sizes alone decide: by warp, then
// warp by warp.
__global__ void __launch_bounds__(threads) nce_row(NceLoss a) {
  constexpr int pieces = most_nce_columns / warp_size;
  SHARED(double, by_warp, [warps][most_nce_columns]);
  const int row = static_cast<int>(blockIdx.x);
  const int lane = static_cast<int>(threadIdx.x) % warp_size, warp = static_cast<int>(threadIdx.x) / warp_size;
  const NceTerm term(a);
  double loss = 0, gradient[pieces] = {};
  for (int k = warp; k < a.candidates; k += warps) {
    const std::int64_t at = static_cast<std::int64_t>(row) * a.candidates + k;
    const float score = a.scores[at];
    loss += term.loss(score, k == 0);
    const double by_score = term.derivative(score, k == 0);
    const float* const other = a.bank + static_cast<std::int64_t>(a.index[at]) * a.columns;
#pragma unroll
    for (int p = 0; p < pieces; ++p) {
      const int c = p * warp_size + lane;
      if (c < a.columns) gradient[p] += by_score * static_cast<double>(other[c]);
    }
  }
#pragma unroll
  for (int p = 0; p < pieces; ++p) by_warp[warp][p * warp_size + lane] = gradient[p];
  // Every lane of a warp has its loss; one of them counts.
  loss = reduce_block(lane == 0 ? loss : 0.0, Sum{}, 0.0);
  if (threadIdx.x == 0) a.loss[row] = static_cast<float>(a.scale * loss);
  const int c = static_cast<int>(threadIdx.x);
  if (c >= a.columns) return;
  double sum = 0;
  for (int w = 0; w < warps; ++w) sum += by_warp[w][c];
  a.d_anchors[static_cast<std::int64_t>(row) * a.columns + c] = static_cast<float>(a.scale / a.temperature * sum);
}
static_assert(threads == most_nce_columns);

// mapping: a block takes a row of the batch; bytes: a row of the bank read and written, the embedding read; operations:
// 6 per value; hazard: two rows may be one image: the later one writes, the earlier one only takes
// part in the barriers.
__global__ void __launch_bounds__(threads) move_bank(UpdateBank a) {
  const int row = static_cast<int>(blockIdx.x);
  const std::int32_t position = a.positions[row];
  int later = 0;
  for (int i = row + 1 + static_cast<int>(threadIdx.x); i < a.rows; i += threads)
    if (a.positions[i] == position) later = 1;
  later = reduce_block(later, Maximum{}, 0);
  float* const bank = a.bank + static_cast<std::int64_t>(position) * a.columns;
  const float* const embedding = a.embeddings + static_cast<std::int64_t>(row) * a.columns;
  const double momentum = static_cast<double>(a.momentum);
  const auto moved = [&](int c) {
    return momentum * static_cast<double>(bank[c]) + (1 - momentum) * static_cast<double>(embedding[c]);
  };
  double squares = 0;
  for (int c = static_cast<int>(threadIdx.x); c < a.columns && later == 0; c += threads) squares += moved(c) * moved(c);
  squares = reduce_block(squares, Sum{}, 0.0);
  const double inverse = squares > 0 ? 1 / std::sqrt(squares) : 0;
  for (int c = static_cast<int>(threadIdx.x); c < a.columns && later == 0; c += threads)
    bank[c] = static_cast<float>(moved(c) * inverse);
}

}  // namespace

void run_on(Gpu gpu, const DrawNegatives& a) {
  launch(gpu, draw, steps(static_cast<std::int64_t>(a.rows) * a.quads(), threads), threads, 0, a, a.quads());
}
void run_on(Gpu gpu, const NceScores& a) {
  launch(gpu, score, steps(static_cast<std::int64_t>(a.rows) * a.candidates, warps), threads, 0, a);
}
void run_on(Gpu gpu, const NceConstant& a) { launch(gpu, estimate_constant, 1, threads, 0, a); }
void run_on(Gpu gpu, const NceLoss& a) {
  assert(a.columns <= most_nce_columns);
  launch(gpu, nce_row, a.rows, threads, 0, a);
}
void run_on(Gpu gpu, const UpdateBank& a) { launch(gpu, move_bank, a.rows, threads, 0, a); }

}  // namespace preceptor::kernels
