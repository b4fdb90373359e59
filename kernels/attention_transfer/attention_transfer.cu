// Attention transfer on cuda and emulated: a launch for attention maps and losses, one for gradients.
#include "kernels/attention_transfer/attention_transfer.h"

#include <algorithm>
#include <cmath>

#include "kernels/attention_transfer/tiling.h"
#include "kernels/device/channels_last.cuh"
#include "kernels/device/reduce.cuh"

namespace preceptor::kernels {
namespace {

// A thread's positions in the image of its block.
struct Place {
  int image, slice;
  int first;           // position of the block: thread i has first + i for its own, if the block has so many
  bool owns;           // this thread has one
  std::int64_t begin;  // the image's first position among all
  int tile;            // position of the warp, counted from the block's
  int group, member;   // which position of those the warp reads at once; which of its lanes

  __device__ Place(const AttentionTiling& t, int block) {
    const int thread = static_cast<int>(threadIdx.x), lane = thread % warp_size;
    image = block / t.slices;
    slice = block - image * t.slices;
    first = slice * t.block_positions();
    owns = thread < t.block_positions() && first + thread < t.plane;
    begin = static_cast<std::int64_t>(image) * t.plane;
    tile = thread / warp_size * t.tile;
    group = lane / t.lanes;
    member = lane % t.lanes;
  }
  template <class T>
  __device__ T* row(const FeatureMap<T>& map, int position) const {
    return map.data + (begin + first + position) * map.channel_stride;
  }
  __device__ std::int64_t own() const { return begin + first + static_cast<int>(threadIdx.x); }
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

// By all lanes of one warp; `loss` is the image's. With the sums of products, |a_s - a_t|^2 = |a_s|^2 + |a_t|^2 - 2 a_s
// . a_t: in double that leaves 1e-16 where the attentions, rounded to float, are themselves good for (1e-7)^2.
template <class T>
__device__ ImageTerms terms_of(const AttentionTransfer<T>& a, const double* products, int slices, double& loss) {
  double sums[3] = {0, 0, 0};
  for (int slice = static_cast<int>(threadIdx.x); slice < slices; slice += warp_size)
    for (int i = 0; i < 3; ++i) sums[i] += products[AttentionWorkspace::pitch * slice + i];
  for (double& sum : sums) sum = reduce_lanes(sum, Sum{});
  const double student = std::sqrt(sums[0]), least_student = static_cast<double>(a.epsilon) * a.student.channels;
  const double teacher = std::sqrt(sums[1]), least_teacher = static_cast<double>(a.epsilon) * a.teacher.channels;
  // Written so that a NaN passes.
  const double by_student = 1 / (student < least_student ? least_student : student);
  const double by_teacher = 1 / (teacher < least_teacher ? least_teacher : teacher);
  const double own = sums[0] * by_student * by_student, others = sums[1] * by_teacher * by_teacher;
  const double common = sums[2] * by_student * by_teacher, square = own + others - 2 * common;
  const AttentionScale scale(a, square < 0 ? 0 : square);
  // A norm held at epsilon is a constant, without a gradient of its own.
  loss = scale.loss;
  return {by_student, by_teacher, scale.slope, student > least_student ? own - common : 0};
}

// mapping: AttentionTiling; lanes in the channels of a position, whose sum then goes to the position's own thread; the
// last block of an image adds up all its blocks; bytes: both maps read, 8 per position written; operations: 2 per
// value; hazard: squares of the attentions of large maps overflow in float: what is added over positions is added in
// double, by one warp, a lane of which has eight at most.
template <class T>
__global__ void __launch_bounds__(AttentionTiling::threads, 4)
    attend(AttentionTransfer<T> a, AttentionTiling t, int first_image, bool student_packs, bool teacher_packs,
           unsigned* tickets) {
  SHARED(float, student, [AttentionTiling::threads]);
  SHARED(float, teacher, [AttentionTiling::threads]);
  const int block = first_image * t.slices + static_cast<int>(blockIdx.x), thread = static_cast<int>(threadIdx.x);
  const Place at(t, block);
  for (int done = 0; done < t.tile; done += t.positions_at_once()) {
    const int position = at.tile + done + at.group;
    float s = 0, q = 0;
    if (at.first + position < t.plane) {
      s = sum_squares(a.student, student_packs, at, position, t.lanes);
      q = sum_squares(a.teacher, teacher_packs, at, position, t.lanes);
    }
    s = reduce_lanes(s, Sum{}, t.lanes);
    q = reduce_lanes(q, Sum{}, t.lanes);
    if (at.member == 0) student[position] = s, teacher[position] = q;
  }
  __syncthreads();
  const AttentionWorkspace workspace(a.workspace, t);
  if (at.owns) {
    workspace.student[at.own()] = student[thread];
    workspace.teacher[at.own()] = teacher[thread];
  }
  if (thread < warp_size) {
    double products[3] = {0, 0, 0};
    for (int i = thread; i < t.block_positions() && at.first + i < t.plane; i += warp_size) {
      const double s = static_cast<double>(student[i]), q = static_cast<double>(teacher[i]);
      products[0] += s * s, products[1] += q * q, products[2] += s * q;
    }
    for (double& product : products) product = reduce_lanes(product, Sum{});
    if (thread < 3)
      workspace.products_of(block)[thread] = thread == 0 ? products[0] : thread == 1 ? products[1] : products[2];
  }
  if (last_block(tickets + (at.image - first_image), t.slices) && thread < warp_size) {
    double loss = 0;
    const ImageTerms terms = terms_of(a, workspace.products_of(at.image * t.slices), t.slices, loss);
    if (thread == 0) {
      workspace.terms[at.image] = terms;
      a.loss[at.image] = static_cast<float>(loss);
    }
  }
}

// mapping: as attend, blocks from the last to the first, which finds what was read last in L2; a position's own thread
// computes its derivative, which goes to all its lanes; bytes: 8 per position and the student read, d_student written;
// operations: 1 per value.
template <class T, class Group>
__global__ void __launch_bounds__(AttentionTiling::threads) differentiate(AttentionTransfer<T> a, AttentionTiling t) {
  constexpr int width = Group::count, in_flight = 4;
  SHARED(ImageTerms, terms, );
  SHARED(float, slopes, [AttentionTiling::threads]);
  const Place at(t, static_cast<int>(gridDim.x - 1 - blockIdx.x));
  const AttentionWorkspace workspace(a.workspace, t);
  if (threadIdx.x == 0) terms = workspace.terms[at.image];
  __syncthreads();
  if (at.owns) {
    const double student = static_cast<double>(workspace.student[at.own()]) * terms.by_student;
    const double difference = student - static_cast<double>(workspace.teacher[at.own()]) * terms.by_teacher;
    slopes[threadIdx.x] =
        static_cast<float>(4 * terms.slope * terms.by_student * (difference - terms.projection * student));
  }
  __syncthreads();
  const int step = t.lanes * width, channels = a.student.channels;
  for (int done = 0; done < t.tile; done += t.positions_at_once()) {
    const int position = at.tile + done + at.group;
    if (at.first + position >= t.plane) return;
    // By a value x of the student, the derivative is slope * x.
    const float slope = slopes[position];
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
          for (int j = 0; j < width; ++j) values[u].value[j] = from_float<T>(slope * to_float(values[u].value[j]));
          store_group(d_x + channel + u * step, values[u]);
        }
    }
  }
}

}  // namespace

template <class T>
void run_on(Gpu gpu, const AttentionTransfer<T>& a) {
  const AttentionTiling t = tiling_of(a);
  constexpr int threads = AttentionTiling::threads;
  for (int first = 0; first < t.images;
       first += ticket_count)  // a ticket for every image: more than once for thousands
    launch(gpu, attend<T>, static_cast<std::int64_t>(std::min(ticket_count, t.images - first)) * t.slices, threads, 0,
           a, t, first, rows_aligned(a.student), rows_aligned(a.teacher), gpu.tickets);
  const std::int64_t blocks = static_cast<std::int64_t>(t.images) * t.slices;
  with_group<T>(rows_aligned(a.student, a.d_student),
                [&](auto group) { launch(gpu, differentiate<T, decltype(group)>, blocks, threads, 0, a, t); });
}
INSTANTIATE_RUN_ON(AttentionTransfer);

}  // namespace preceptor::kernels
