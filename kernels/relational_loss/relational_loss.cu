// Relations of a batch on cuda and on the emulated device. The matrices of a batch are small: what counts is that there
// is one launch, and that all stays on the device.
#include "kernels/relational_loss/relational_loss.h"

#include <cmath>

#include "kernels/device/gpu.h"
#include "kernels/device/reduce.cuh"
#include "kernels/relational_loss/terms.h"

namespace preceptor::kernels {
namespace {

constexpr int threads = 256;  // of a block
constexpr int warps = threads / warp_size;

// mapping: a block takes a row, its warps the other rows by turns, lanes the columns; bytes: x read by every block,
// from L2 behind the first, distances written; operations: 3 per pair and column; hazard: differences are squared, not
// products subtracted, which would cancel where features share a large mean.
__global__ void __launch_bounds__(threads) squared_distances(SquaredDistances a) {
  const int i = static_cast<int>(blockIdx.x), lane = static_cast<int>(threadIdx.x) % warp_size;
  const float* x = a.x + static_cast<std::int64_t>(i) * a.columns;
  for (int j = static_cast<int>(threadIdx.x) / warp_size; j < a.rows; j += warps) {
    const float* y = a.x + static_cast<std::int64_t>(j) * a.columns;
    double sum = 0;
    for (int c = lane; c < a.columns; c += warp_size) {
      const double d = static_cast<double>(x[c]) - static_cast<double>(y[c]);
      sum += d * d;
    }
    sum = reduce_lanes(sum, Sum{});
    if (lane == 0) a.distances[static_cast<std::int64_t>(i) * a.rows + j] = static_cast<float>(sum);
  }
}

// mapping: a thread takes a value of d_x; bytes: x read by every row, from L2 behind the first, d_x written;
// operations: 3 per pair and column.
__global__ void __launch_bounds__(threads) squared_distances_backward(SquaredDistancesBackward a) {
  const int parts = static_cast<int>(steps(a.columns, threads)), i = static_cast<int>(blockIdx.x) / parts;
  const int c = static_cast<int>(blockIdx.x) % parts * threads + static_cast<int>(threadIdx.x);
  if (c >= a.columns) return;
  const double own = static_cast<double>(a.x[static_cast<std::int64_t>(i) * a.columns + c]);
  double sum = 0;
  for (int j = 0; j < a.rows; ++j) {
    const double weight = static_cast<double>(a.d_distances[static_cast<std::int64_t>(i) * a.rows + j]) +
                          static_cast<double>(a.d_distances[static_cast<std::int64_t>(j) * a.rows + i]);
    sum += weight * (own - static_cast<double>(a.x[static_cast<std::int64_t>(j) * a.columns + c]));
  }
  a.d_x[static_cast<std::int64_t>(i) * a.columns + c] = static_cast<float>(2 * sum);
}

// mapping: one block for all entries: the mean of all distances comes between two passes over them, and the sum of all
// derivatives before the last; bytes: both matrices read three times, d_student written; operations: 30 per entry;
// hazard: a batch of thousands would want more blocks and more launches.
__global__ void __launch_bounds__(threads) distance_loss(RelationalLoss a) {
  const int n = a.rows, all = n * n;
  const auto distance = [n](const float* squares, int at) { return at / n == at % n ? 0 : distance_of(squares[at]); };
  double of_student = 0, of_teacher = 0, common = 0;
  for (int at = static_cast<int>(threadIdx.x); at < all; at += threads) {
    of_student += distance(a.student, at);
    of_teacher += distance(a.teacher, at);
  }
  const double pairs = static_cast<double>(n) * (n - 1), scale = static_cast<double>(a.weight) / all;
  of_student = reduce_block(of_student, Sum{}, 0.0) / pairs;
  of_teacher = reduce_block(of_teacher, Sum{}, 0.0) / pairs;
  const auto term = [&](int at) {
    return Huber(at / n == at % n ? 0 : distance(a.student, at) / of_student - distance(a.teacher, at) / of_teacher);
  };
  for (int row = static_cast<int>(threadIdx.x) / warp_size; row < n; row += warps) {
    double loss = 0;
    for (int j = static_cast<int>(threadIdx.x) % warp_size; j < n; j += warp_size) {
      const Huber huber = term(row * n + j);
      loss += huber.loss;
      common += huber.slope * distance(a.student, row * n + j);
    }
    loss = reduce_lanes(loss, Sum{});
    if (threadIdx.x % warp_size == 0) a.loss[row] = static_cast<float>(scale * loss);
  }
  common = reduce_block(common, Sum{}, 0.0);
  common = n > 1 ? common / (of_student * of_student * pairs) : 0;
  for (int at = static_cast<int>(threadIdx.x); at < all; at += threads) {
    const double own = distance(a.student, at);
    a.d_student[at] =
        own > least_distance ? static_cast<float>(scale * (term(at).slope / of_student - common) / (2 * own)) : 0.0f;
  }
}

// mapping: a block takes a row a, a warp a pair (a, b), its lanes the third of a triple; bytes: both matrices read by
// every block, from L2 behind the first, d_student written; operations: about 60 per triple; hazard: a distance is a
// leg of angles at either end and lies opposite to others: all are added up by the warp of its entry, so no two blocks
// write to one place.
__global__ void __launch_bounds__(threads) angle_loss(RelationalLoss a) {
  const int row = static_cast<int>(blockIdx.x), lane = static_cast<int>(threadIdx.x) % warp_size;
  const double scale = static_cast<double>(a.weight) / (static_cast<double>(a.rows) * a.rows * a.rows);
  double loss = 0;
  for (int other = static_cast<int>(threadIdx.x) / warp_size; other < a.rows; other += warps) {
    AnglesOfPair pair;
    for (int third = lane; third < a.rows; third += warp_size) pair.add(a, row, other, third);
    loss += pair.loss;
    const double derivative = reduce_lanes(pair.derivative, Sum{});
    if (lane == 0)
      a.d_student[static_cast<std::int64_t>(row) * a.rows + other] = static_cast<float>(scale * derivative);
  }
  loss = reduce_block(loss, Sum{}, 0.0);
  if (threadIdx.x == 0) a.loss[row] = static_cast<float>(scale * loss);
}

// mapping: a block takes a row; bytes: both matrices read three times, from L1 behind the first, d_student written;
// operations: 30 per entry.
__global__ void __launch_bounds__(threads) similarity_loss(RelationalLoss a) {
  const std::int64_t first = static_cast<std::int64_t>(blockIdx.x) * a.rows;
  const double scale = static_cast<double>(a.weight) / (static_cast<double>(a.rows) * a.rows);
  const auto add_up = [&](const auto& term) {
    double sum = 0;
    for (int j = static_cast<int>(threadIdx.x); j < a.rows; j += threads) sum += term(first + j);
    return reduce_block(sum, Sum{}, 0.0);
  };
  const double by_student = 1 / add_up([&](std::int64_t at) { return affinity(a.student[at]); });
  const double by_teacher = 1 / add_up([&](std::int64_t at) { return affinity(a.teacher[at]); });
  const auto of_student = [&](std::int64_t at) { return affinity(a.student[at]) * by_student + similarity_epsilon; };
  const auto of_teacher = [&](std::int64_t at) { return affinity(a.teacher[at]) * by_teacher; };
  const double loss = add_up([&](std::int64_t at) {
    const double t = of_teacher(at);
    return t * (std::log(t + similarity_epsilon) - std::log(of_student(at)));
  });
  // d loss / d s, and its mean under s.
  const auto slope = [&](std::int64_t at) { return -of_teacher(at) / of_student(at); };
  const double mean = add_up([&](std::int64_t at) { return slope(at) * (of_student(at) - similarity_epsilon); });
  for (int j = static_cast<int>(threadIdx.x); j < a.rows; j += threads)
    a.d_student[first + j] = static_cast<float>(scale * (slope(first + j) - mean) * 0.5 * by_student);
  if (threadIdx.x == 0) a.loss[blockIdx.x] = static_cast<float>(scale * loss);
}

}  // namespace

void run_on(Gpu gpu, const SquaredDistances& a) { launch(gpu, squared_distances, a.rows, threads, 0, a); }
void run_on(Gpu gpu, const SquaredDistancesBackward& a) {
  launch(gpu, squared_distances_backward, a.rows * steps(a.columns, threads), threads, 0, a);
}
void run_on(Gpu gpu, const RelationalLoss& a) {
  switch (a.relation) {
    case Relation::distances:
      return launch(gpu, distance_loss, 1, threads, 0, a);
    case Relation::angles:
      return launch(gpu, angle_loss, a.rows, threads, 0, a);
    case Relation::similarities:
      return launch(gpu, similarity_loss, a.rows, threads, 0, a);
  }
}

}  // namespace preceptor::kernels
