// Contrast with a bank on the cpu, in double.
#include "kernels/nce_loss/nce_loss.h"

#include <algorithm>
#include <cmath>

#include "kernels/device/cpu_loops.h"
#include "kernels/device/philox.h"
#include "kernels/nce_loss/term.h"

namespace preceptor::kernels {
namespace {

constexpr int ahead = 8;  // candidates: 4 KiB of 128 columns, as much as a core has on its way at once

// Asks for the row of the candidate `ahead` of index[i]: rows lie anywhere in the bank, so no prefetcher of the
// hardware guesses the next one, and each would be waited for. Inlined always: g++ 12 takes a function that only
// prefetches for one without effect, and drops its calls.
[[gnu::always_inline]] inline void fetch_ahead(const float* bank, const int* index, std::int64_t i, std::int64_t last,
                                               int columns) {
  if (i + ahead >= last) return;
  const float* row = bank + static_cast<std::ptrdiff_t>(index[i + ahead]) * columns;
  for (int c = 0; c < columns; c += 16) __builtin_prefetch(row + c);  // 64 bytes: a line
}

}  // namespace

// mapping: rows over threads, 256 draws at a time: first their numbers, in vectors of counters; bytes: index written;
// operations: one philox per four draws.
void run_on(Cpu, const DrawNegatives& a) {
  const std::uint64_t step = static_cast<std::uint64_t>(a.state->step), seed = a.state->seed;
#pragma omp parallel for schedule(static) if (worth_threads(a.rows, a.negatives, 8))
  for (int row = 0; row < a.rows; ++row) {
    int* index = a.index + static_cast<std::ptrdiff_t>(row) * (1 + a.negatives);
    const int image = a.positions[row];
    *index++ = image;
    const std::uint64_t counter = DrawNegatives::first_counter + static_cast<std::uint64_t>(row) * a.quads();
    for_each_group(a.quads(), [&](int first, auto count) {
      std::uint32_t random[4 * chunk_size];
      for (int i = 0; i < count; ++i) {
        const auto four = philox(seed, step, counter + first + i);
        for (int j = 0; j < 4; ++j) random[4 * i + j] = four[j];
      }
      const int draws = std::min(4 * count, a.negatives - 4 * first);
      for (int k = 0; k < draws; ++k) index[4 * first + k] = a.other(image, random[k]);
    });
  }
}

// mapping: candidates of all rows over threads; bytes: a row of the bank per candidate, scores written; operations: 2
// per value; hazard: a score grows with 1 / temperature and is the argument of exp(), so it is summed in double.
void run_on(Cpu, const NceScores& a) {
  const std::int64_t all = static_cast<std::int64_t>(a.rows) * a.candidates;
#pragma omp parallel for schedule(static) if (worth_threads(all, a.columns))
  for (std::int64_t i = 0; i < all; ++i) {
    fetch_ahead(a.bank, a.index, i, all, a.columns);
    const float* anchor = a.anchors + i / a.candidates * a.columns;
    const float* other = a.bank + static_cast<std::ptrdiff_t>(a.index[i]) * a.columns;
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int c = 0; c < a.columns; ++c) sum += static_cast<double>(anchor[c]) * static_cast<double>(other[c]);
    a.scores[i] = static_cast<float>(sum / a.temperature);
  }
}

// mapping: one thread, once in a run; bytes: scores read; operations: an exponential per score.
void run_on(Cpu, const NceConstant& a) {
  if (*a.constant != 0) return;
  double sum = 0;
  for (std::int64_t i = 0; i < a.count; ++i) sum += std::exp(static_cast<double>(a.scores[i]));
  *a.constant = static_cast<float>(sum / static_cast<double>(a.count) * a.images);
}

// mapping: rows over threads; bytes: scores, and a row of the bank per candidate; operations: 2 per value, an
// exponential and two logarithms per candidate.
void run_on(Cpu, const NceLoss& a) {
  const NceTerm term(a);
  const std::int64_t all = static_cast<std::int64_t>(a.rows) * a.candidates;
#pragma omp parallel for schedule(static) if (worth_threads(a.rows, a.candidates, a.columns))
  for (int row = 0; row < a.rows; ++row) {
    double loss = 0, gradient[most_nce_columns] = {};
    for (int k = 0; k < a.candidates; ++k) {
      const std::ptrdiff_t at = static_cast<std::ptrdiff_t>(row) * a.candidates + k;
      fetch_ahead(a.bank, a.index, at, all, a.columns);
      loss += term.loss(a.scores[at], k == 0);
      const double by_score = term.derivative(a.scores[at], k == 0);
      const float* other = a.bank + static_cast<std::ptrdiff_t>(a.index[at]) * a.columns;
#pragma omp simd
      for (int c = 0; c < a.columns; ++c) gradient[c] += by_score * static_cast<double>(other[c]);
    }
    a.loss[row] = static_cast<float>(a.scale * loss);
    float* d_anchor = a.d_anchors + static_cast<std::ptrdiff_t>(row) * a.columns;
    for (int c = 0; c < a.columns; ++c) d_anchor[c] = static_cast<float>(a.scale / a.temperature * gradient[c]);
  }
}

// mapping: one thread: a batch's rows; bytes: rows of the bank read and written, embeddings read;
// operations: 6 per value.
void run_on(Cpu, const UpdateBank& a) {
  for (int row = 0; row < a.rows; ++row) {
    const std::int32_t* const end = a.positions + a.rows;
    if (std::find(a.positions + row + 1, end, a.positions[row]) != end) continue;
    float* bank = a.bank + std::ptrdiff_t{a.positions[row]} * a.columns;
    const float* embedding = a.embeddings + static_cast<std::ptrdiff_t>(row) * a.columns;
    const double momentum = static_cast<double>(a.momentum);
    const auto moved = [&](int c) {
      return momentum * static_cast<double>(bank[c]) + (1 - momentum) * static_cast<double>(embedding[c]);
    };
    double squares = 0;
    for (int c = 0; c < a.columns; ++c) squares += moved(c) * moved(c);
    const double inverse = squares > 0 ? 1 / std::sqrt(squares) : 0;
    for (int c = 0; c < a.columns; ++c) bank[c] = static_cast<float>(moved(c) * inverse);
  }
}

}  // namespace preceptor::kernels
