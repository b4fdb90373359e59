// The same row of several arrays, with a block of its own: in pieces of 16 bytes, kept on chip as far as it fits.
#pragma once

#include "kernels/device/tile.cuh"

namespace preceptor::kernels {

// The row is `head` values, then pieces, then a tail of less than a piece. Head and tail are at most one value for a
// thread of the first warp, which keeps it in registers. The first `resident` pieces are kept in shared memory, each by
// the thread that uses it, so that no barrier is needed; the others are read where they lie each time.
template <class T, int arrays>
class LongRow {
 public:
  static constexpr int pack = Pack<T>::count;

  // Begins to copy what is kept. The result's row is asked for its alignment only.
  __device__ LongRow(const T* const (&rows)[arrays], const T* result, int classes, int resident_most) {
    in_pieces_ = true;
    for (int a = 0; a < arrays; ++a) {
      rows_[a] = rows[a];
      tiles_[a] = dynamic_shared<T>() + a * resident_most * pack;
      in_pieces_ = in_pieces_ && same_alignment(rows[a], result);
    }
    head_ = in_pieces_ ? min(values_to_sector(rows[0]), classes) : 0;
    pieces_ = (classes - head_) / pack;
    resident_ = min(pieces_, resident_most);
    for_range(0, resident_, [&](int piece) {
      for (int a = 0; a < arrays; ++a) {
        T* const to = tiles_[a] + piece * pack;
        const T* const from = rows_[a] + head_ + piece * pack;
        if (in_pieces_)
          copy_async16(to, from);
        else
          store16(to, load_piece(from));
      }
    });
    copy_async_commit();
    const int thread = static_cast<int>(threadIdx.x);
    if (thread < classes - pieces_ * pack) {
      loose_ = thread < head_ ? thread : thread + pieces_ * pack;
      for (int a = 0; a < arrays; ++a) loose_values_[a][0] = to_float(rows_[a][loose_]);
    }
  }

  // Calls visit(first class, values) for this thread's pieces and its loose value; values[a] are those of array a, as
  // many as a piece has or one.
  template <class Visit>
  __device__ void for_each(const Visit& visit) const {
    for_range(resident_, pieces_, [&](int piece) {
      Pack<T> packs[arrays];
      for (int a = 0; a < arrays; ++a) packs[a] = load_piece(rows_[a] + head_ + piece * pack);
      visit_piece(piece, packs, visit);
    });
    copy_async_wait<0>();
    for_range(0, resident_, [&](int piece) {
      Pack<T> packs[arrays];
      for (int a = 0; a < arrays; ++a) packs[a] = load16(tiles_[a] + piece * pack);
      visit_piece(piece, packs, visit);
    });
    if (loose_ >= 0) visit(loose_, loose_values_);
  }

  // Stores what was computed of a visit's values.
  template <int count>
  __device__ void store(T* to, const T (&values)[count]) const {
    if (count == pack && in_pieces_) {
      Pack<T> piece;
      for (int i = 0; i < count; ++i) piece.value[i] = values[i];
      store16(to, piece);
    } else {
      for (int i = 0; i < count; ++i) to[i] = values[i];
    }
  }

 private:
  template <class Body>
  __device__ static void for_range(int begin, int end, const Body& body) {
    for (int i = begin + static_cast<int>(threadIdx.x); i < end; i += static_cast<int>(blockDim.x)) body(i);
  }
  template <class Visit>
  __device__ void visit_piece(int piece, const Pack<T> (&packs)[arrays], const Visit& visit) const {
    float values[arrays][pack];
    for (int a = 0; a < arrays; ++a)
      for (int i = 0; i < pack; ++i) values[a][i] = to_float(packs[a].value[i]);
    visit(head_ + piece * pack, values);
  }
  __device__ Pack<T> load_piece(const T* p) const {
    if (in_pieces_) return load16(p);
    Pack<T> piece;
    for (int i = 0; i < pack; ++i) piece.value[i] = p[i];
    return piece;
  }

  const T* rows_[arrays];
  T* tiles_[arrays];
  bool in_pieces_;  // else the arrays are not aligned alike, and pieces are loaded value by value
  int head_, pieces_, resident_;
  int loose_ = -1;
  float loose_values_[arrays][1] = {};
};

// Threads of a block that takes a row: about four pieces each.
constexpr int longest_row_block = 1024;
inline int long_row_threads(int pieces) {
  int threads = 128;
  while (threads < longest_row_block && 4 * threads < pieces) threads *= 2;
  return threads;
}

}  // namespace preceptor::kernels
