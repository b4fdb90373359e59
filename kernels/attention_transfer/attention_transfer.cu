// Attention transfer on cuda and emulated: a launch for the attention maps, one for losses and gradients.
#include "kernels/attention_transfer/attention_transfer.h"

#include <cassert>
#include <cmath>

#include "kernels/attention_transfer/tiling.h"
#include "kernels/device/gpu.h"
#include "kernels/device/group.cuh"
#include "kernels/device/reduce.cuh"

namespace preceptor::kernels {
namespace {

// Whether all rows of these maps can be accessed by 16 bytes.
template <class... T>
bool rows_aligned(const FeatureMap<T>&... maps) {
  assert(((maps.block == maps.pitch) && ...));
  return ((aligned16(maps.data) && maps.pitch * sizeof(T) % 16 == 0 && maps.channels * sizeof(T) % 16 == 0) && ...);
}

// Where a thread stands in the positions of its block's image.
struct Place {
  int image, share;
  std::int64_t begin;  // of the image, in positions of all
  int first;           // position of the warp's tile
  int lane;            // of the warp: position first + lane of the tile is this thread's own
  int group, member;   // of the positions that the warp reads at once; of the position's lanes

  __device__ Place(const AttentionTiling& t, int block) {
    const int thread = static_cast<int>(threadIdx.x);
    image = block / t.shares;
    share = block - image * t.shares;
    begin = static_cast<std::int64_t>(image) * t.plane;
    first = t.first_position(share, thread / warp_size);
    lane = thread % warp_size;
    group = lane / t.lanes;
    member = lane % t.lanes;
  }
  template <class T>
  __device__ T* row(const FeatureMap<T>& map, int position) const {
    return map.data + (begin + position) * map.pitch;
  }
};

// A lane's part of the sum of a position's squares.
template <class Group, class T>
__device__ float sum_squares(const T* row, int channels, int member, int lanes) {
  float sum = 0;
#pragma unroll 4
  for (int channel = member * Group::count; channel < channels; channel += lanes * Group::count) {
    const Group x = load_group<Group>(row + channel);
#pragma unroll
    for (int j = 0; j < Group::count; ++j) sum = fmaf(to_float(x.value[j]), to_float(x.value[j]), sum);
  }
  return sum;
}
template <class T>
__device__ float sum_squares(const FeatureMap<const T>& map, bool packs, const Place& at, int position, int lanes) {
  const T* row = at.row(map, position);
  return packs ? sum_squares<Pack<T>>(row, map.channels, at.member, lanes)
               : sum_squares<Single<T>>(row, map.channels, at.member, lanes);
}

// mapping: AttentionTiling; lanes in the channels of a position, whose sum then goes to the position's own lane; bytes:
// both maps read, 8 per position written; operations: 2 per value; hazard: squares of attentions of large maps overflow
// in float: what is added over positions is added in double, and each lane has only few of them.
template <class T>
__global__ void __launch_bounds__(AttentionTiling::threads, 4)
    attend(AttentionTransfer<T> a, AttentionTiling t, bool student_packs, bool teacher_packs) {
  const Place at(t, static_cast<int>(blockIdx.x));
  const int plane = t.plane, at_once = t.positions_at_once();
  float student = 0, teacher = 0;  // of this lane's position; 0 behind the tile and behind the image
  for (int done = 0; done < t.tile; done += at_once) {
    const int position = at.first + done + at.group, source = at.lane - done;
    float s = 0, q = 0;
    if (position < plane) {
      s = sum_squares(a.student, student_packs, at, position, t.lanes);
      q = sum_squares(a.teacher, teacher_packs, at, position, t.lanes);
    }
    s = __shfl_sync(all_lanes, reduce_lanes(s, Sum{}, t.lanes), (source & (at_once - 1)) * t.lanes);
    q = __shfl_sync(all_lanes, reduce_lanes(q, Sum{}, t.lanes), (source & (at_once - 1)) * t.lanes);
    if (source >= 0 && source < at_once) {
      student = s;
      teacher = q;
    }
  }
  const AttentionWorkspace workspace(a.workspace, t);
  if (at.lane < t.tile && at.first + at.lane < plane) {
    const std::int64_t own = at.begin + at.first + at.lane;
    workspace.student[own] = student;
    workspace.teacher[own] = teacher;
  }
  const double s = static_cast<double>(student), q = static_cast<double>(teacher);
  double products[3] = {s * s, q * q, s * q};
  combine_block(products, Sum{}, 0.0);
  if (threadIdx.x == 0)
    for (int i = 0; i < 3; ++i) workspace.products[3 * static_cast<std::size_t>(blockIdx.x) + i] = products[i];
}

// What the gradient of an image needs of all its positions.
struct ImageTerms {
  double by_student, by_teacher;  // inverse norms of the sums of squares, which are channels times the attentions
  double square;                  // of the difference of the normalised attentions
  double projection;              // of the difference on the student's
};

// By all lanes of one warp. With the sums of products, |a_s - a_t|^2 = |a_s|^2 + |a_t|^2 - 2 a_s . a_t: in double that
// leaves 1e-16 where the attentions, rounded to float, are themselves good for (1e-7)^2.
template <class T>
__device__ ImageTerms terms_of(const AttentionTransfer<T>& a, const double* products, int shares) {
  double sums[3] = {0, 0, 0};
  for (int share = static_cast<int>(threadIdx.x); share < shares; share += warp_size)
    for (int i = 0; i < 3; ++i) sums[i] += products[3 * share + i];
  for (double& sum : sums) sum = reduce_lanes(sum, Sum{});
  const double student = std::sqrt(sums[0]), least_student = static_cast<double>(a.epsilon) * a.student.channels;
  const double teacher = std::sqrt(sums[1]), least_teacher = static_cast<double>(a.epsilon) * a.teacher.channels;
  // Written so that a NaN passes.
  const double by_student = 1 / (student < least_student ? least_student : student);
  const double by_teacher = 1 / (teacher < least_teacher ? least_teacher : teacher);
  const double own = sums[0] * by_student * by_student, others = sums[1] * by_teacher * by_teacher;
  const double common = sums[2] * by_student * by_teacher, square = own + others - 2 * common;
  // Where the norm is held at epsilon it is a constant, without a gradient of its own.
  return {by_student, by_teacher, square < 0 ? 0 : square, student > least_student ? own - common : 0};
}

// mapping: as attend, blocks from the last to the first, which finds what was read last in L2; a position's own lane
// computes its derivative, which goes to all its lanes; bytes: 8 per position and the student read, d_student written;
// operations: 1 per value; hazard: every block adds up the partial sums of its image in the same order.
template <class T, class Group>
__global__ void __launch_bounds__(AttentionTiling::threads) differentiate(AttentionTransfer<T> a, AttentionTiling t) {
  constexpr int width = Group::count, in_flight = 4;
  SHARED(ImageTerms, terms, );
  const int block = static_cast<int>(gridDim.x - 1 - blockIdx.x), plane = t.plane;
  const Place at(t, block);
  const AttentionWorkspace workspace(a.workspace, t);
  const double weight = static_cast<double>(a.weight) / (static_cast<double>(t.images) * plane);
  if (threadIdx.x < warp_size) {
    const ImageTerms own =
        terms_of(a, workspace.products + 3 * static_cast<std::size_t>(at.image) * t.shares, t.shares);
    if (threadIdx.x == 0) {
      terms = own;
      if (at.share == 0) a.loss[at.image] = static_cast<float>(weight * own.square);
    }
  }
  __syncthreads();
  float slope = 0;  // of the derivatives of this lane's position: by a value x it is slope * x
  if (at.lane < t.tile && at.first + at.lane < plane) {
    const std::int64_t own = at.begin + at.first + at.lane;
    const double student = static_cast<double>(workspace.student[own]) * terms.by_student;
    const double difference = student - static_cast<double>(workspace.teacher[own]) * terms.by_teacher;
    slope = static_cast<float>(4 * weight * terms.by_student * (difference - terms.projection * student));
  }
  const int step = t.lanes * width, channels = a.student.channels;
  for (int done = 0; done < t.tile; done += t.positions_at_once()) {
    const int position = at.first + done + at.group;
    const float factor = __shfl_sync(all_lanes, slope, done + at.group);
    if (position >= plane) continue;
    const T* const x = at.row(a.student, position);
    T* const d_x = at.row(a.d_student, position);
    for (int channel = at.member * width; channel < channels; channel += in_flight * step) {
      Group values[in_flight];
#pragma unroll
      for (int u = 0; u < in_flight; ++u)
        if (channel + u * step < channels) values[u] = load_group<Group>(x + channel + u * step);
#pragma unroll
      for (int u = 0; u < in_flight; ++u)
        if (channel + u * step < channels) {
#pragma unroll
          for (int j = 0; j < width; ++j) values[u].value[j] = from_float<T>(factor * to_float(values[u].value[j]));
          store_group(d_x + channel + u * step, values[u]);
        }
    }
  }
}

}  // namespace

template <class T>
void run_on(Gpu gpu, const AttentionTransfer<T>& a) {
  const AttentionTiling t = tiling_of(a);
  const std::int64_t blocks = static_cast<std::int64_t>(a.student.images) * t.shares;
  launch(gpu, attend<T>, blocks, AttentionTiling::threads, 0, a, t, rows_aligned(a.student), rows_aligned(a.teacher));
  if (rows_aligned(a.student, a.d_student))
    launch(gpu, differentiate<T, Pack<T>>, blocks, AttentionTiling::threads, 0, a, t);
  else
    launch(gpu, differentiate<T, Single<T>>, blocks, AttentionTiling::threads, 0, a, t);
}
template void run_on(Gpu, const AttentionTransfer<float>&);
template void run_on(Gpu, const AttentionTransfer<bfloat16>&);

}  // namespace preceptor::kernels
