// A row that has a block of its own, in pieces of 16 bytes, kept on chip as far as it fits.
#pragma once

#include "kernels/softened_kl/tile.cuh"

namespace preceptor::kernels {

// The row is `head` values, then pieces, then a tail of less than a piece. Head and tail are at most one value for a
// thread of the first warp, which keeps it in registers. The first `resident` pieces are kept in shared memory, each by
// the thread that uses it, so that no barrier is needed; the others are read where they lie each time.
template <class T>
class LongRow {
 public:
  static constexpr int pack = Pack<T>::count;

  // Begins to copy what is kept. d_student is asked for its alignment only.
  __device__ LongRow(const T* student, const T* teacher, const T* d_student, int classes, int resident_most)
      : student_(student),
        teacher_(teacher),
        student_tile_(dynamic_shared<T>()),
        teacher_tile_(student_tile_ + resident_most * pack),
        in_pieces_(same_alignment(student, teacher, d_student)) {
    head_ = in_pieces_ ? min(values_to_sector(student), classes) : 0;
    pieces_ = (classes - head_) / pack;
    resident_ = min(pieces_, resident_most);
    for_range(0, resident_, [&](int piece) {
      const int i = head_ + piece * pack;
      if (in_pieces_) {
        copy_async16(student_tile_ + piece * pack, student + i);
        copy_async16(teacher_tile_ + piece * pack, teacher + i);
      } else {
        store16(student_tile_ + piece * pack, load_piece(student + i));
        store16(teacher_tile_ + piece * pack, load_piece(teacher + i));
      }
    });
    copy_async_commit();
    const int thread = static_cast<int>(threadIdx.x);
    if (thread < classes - pieces_ * pack) {
      loose_ = thread < head_ ? thread : thread + pieces_ * pack;
      loose_student_ = to_float(student[loose_]);
      loose_teacher_ = to_float(teacher[loose_]);
    }
  }

  // Calls visit(first class, student's logits, teacher's logits) for this thread's pieces and its loose value.
  template <class Visit>
  __device__ void for_each(const Visit& visit) const {
    for_range(resident_, pieces_, [&](int piece) {
      const int i = head_ + piece * pack;
      visit_piece(i, load_piece(student_ + i), load_piece(teacher_ + i), visit);
    });
    copy_async_wait<0>();
    for_range(0, resident_, [&](int piece) {
      visit_piece(head_ + piece * pack, load16(student_tile_ + piece * pack), load16(teacher_tile_ + piece * pack),
                  visit);
    });
    if (loose_ >= 0) {
      const float s[1] = {loose_student_}, t[1] = {loose_teacher_};
      visit(loose_, s, t);
    }
  }

  // Stores what was computed of a visit's logits.
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
  __device__ static void visit_piece(int first, const Pack<T>& student, const Pack<T>& teacher, const Visit& visit) {
    float s[pack], t[pack];
    for (int i = 0; i < pack; ++i) s[i] = to_float(student.value[i]), t[i] = to_float(teacher.value[i]);
    visit(first, s, t);
  }
  __device__ Pack<T> load_piece(const T* p) const {
    if (in_pieces_) return load16(p);
    Pack<T> piece;
    for (int i = 0; i < pack; ++i) piece.value[i] = p[i];
    return piece;
  }

  const T *student_, *teacher_;
  T *student_tile_, *teacher_tile_;
  bool in_pieces_;  // else the arrays are not aligned alike, and pieces are loaded value by value
  int head_, pieces_, resident_;
  int loose_ = -1;
  float loose_student_ = 0, loose_teacher_ = 0;
};

}  // namespace preceptor::kernels
