// How the images of a batch relate to each other: distances, angles, similarities, and the losses on them.
#pragma once

#include "kernels/device/bfloat16.h"
#include "kernels/device/device.h"

namespace preceptor::kernels {

// distances[i][j] = |x_i - x_j|^2, from the differences themselves: nothing cancels.
struct SquaredDistances {
  static constexpr const char* name = "squared_distances";
  const float* x;    // [rows, columns]
  float* distances;  // [rows, rows]
  int rows, columns;
};
Cost cost(const SquaredDistances& arguments);
void run_on(Cpu, const SquaredDistances& arguments);
void run_on(Cuda, const SquaredDistances& arguments);
void run_on(Emulated, const SquaredDistances& arguments);

// d_x from derivatives by every entry of `distances`, which need not be symmetric.
struct SquaredDistancesBackward {
  static constexpr const char* name = "squared_distances_backward";
  const float* x;            // [rows, columns]
  const float* d_distances;  // [rows, rows]
  float* d_x;                // [rows, columns]
  int rows, columns;
};
Cost cost(const SquaredDistancesBackward& arguments);
void run_on(Cpu, const SquaredDistancesBackward& arguments);
void run_on(Cuda, const SquaredDistancesBackward& arguments);
void run_on(Emulated, const SquaredDistancesBackward& arguments);

enum class Relation {
  // Park et al. 2019, distance-wise: Huber's loss (delta 1) on the distances, each network's divided by their mean over
  // all pairs, averaged over all entries. In: squared distances. A distance of less than 1e-6 counts as that much and
  // passes no gradient.
  distances,
  // Park et al. 2019, angle-wise: Huber's loss on the cosines of all angles (j, i, k), averaged over all rows^3. In:
  // squared distances. Where i is j or k, or lies on one of them, the cosine is 0.
  angles,
  // Passalis and Tefas 2018: rows of (1 + cosine) / 2, divided by their sum, are distributions; the mean over all
  // entries of t log((t + 1e-7) / (s + 1e-7)). In: cosines of all pairs.
  similarities,
};

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
};
Cost cost(const RelationalLoss& arguments);
void run_on(Cpu, const RelationalLoss& arguments);
void run_on(Cuda, const RelationalLoss& arguments);
void run_on(Emulated, const RelationalLoss& arguments);

}  // namespace preceptor::kernels
