// How the images of a batch relate to each other: distances, angles, similarities, and the losses on them.
#pragma once

#include "kernels/device/family.h"
#include "kernels/relational_loss/relation.h"

namespace preceptor::kernels {

// distances[i][j] = |x_i - x_j|^2, from the differences themselves: nothing cancels.
struct SquaredDistances {
  static constexpr const char* name = "squared_distances";
  const float* x;    // [rows, columns]
  float* distances;  // [rows, rows]
  int rows, columns;

  Cost cost() const { return {count_of(rows, columns + rows) * sizeof(float), 3 * count_of(rows, rows, columns)}; }
};
KERNEL_FAMILY(SquaredDistances);

// d_x from derivatives by every entry of `distances`, which need not be symmetric.
struct SquaredDistancesBackward {
  static constexpr const char* name = "squared_distances_backward";
  const float* x;            // [rows, columns]
  const float* d_distances;  // [rows, rows]
  float* d_x;                // [rows, columns]
  int rows, columns;

  Cost cost() const { return {count_of(rows, 2 * columns + rows) * sizeof(float), 3 * count_of(rows, rows, columns)}; }
};
KERNEL_FAMILY(SquaredDistancesBackward);

// Loss and gradient of a relation in one launch.
struct RelationalLoss {
  static constexpr const char* name = "relational_loss";
  const float* student;  // [rows, rows]
  const float* teacher;  // [rows, rows]
  float* loss;           // [rows], whose sum is the loss
  float* d_student;      // [rows, rows]
  int rows;
  Relation relation;
  float weight;

  Cost cost() const {
    const double entries = count_of(rows, rows);
    return {(3 * entries + rows) * sizeof(float), relation == Relation::angles ? 60 * entries * rows : 30 * entries};
  }
};
KERNEL_FAMILY(RelationalLoss);

}  // namespace preceptor::kernels
