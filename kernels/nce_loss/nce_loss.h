// Contrast with a bank that holds an embedding of every image: CRD (Tian et al. 2020), whose negatives come from the
// whole data set and not from the batch.
#pragma once

#include "kernels/device/family.h"
#include "kernels/device/step_state.h"

namespace preceptor::kernels {

// Candidates of every row: its own image, then `negatives` others, drawn evenly and with replacement from the images
// that are not excluded for it. Draw k of row r is number k % 4 of
//   philox(key = seed, counter = (step, 2^62 + r ceil(negatives / 4) + k / 4)),
// as x (images - excluded) / 2^32, rounded down. Other random numbers of a step have smaller counters.
struct DrawNegatives {
  static constexpr const char* name = "draw_negatives";
  const std::int32_t* positions;  // [rows] each row's image
  // Images in an order in which those that an image excludes are neighbors: those of its class, or itself alone.
  const int* order;     // [images]
  const int* first;     // [images] place in `order` of the first one that the image excludes
  const int* excluded;  // [images] how many those are; fewer than images
  const StepState* state;
  int* index;  // [rows, 1 + negatives]
  int rows, negatives, images;

  int quads() const { return (negatives + 3) / 4; }
  static constexpr std::uint64_t first_counter = std::uint64_t{1} << 62;
  ON_ANY_DEVICE int other(int image, std::uint32_t random) const {
    const auto left = static_cast<std::uint64_t>(images - excluded[image]);
    const int place = static_cast<int>(random * left >> 32);
    return order[place < first[image] ? place : place + excluded[image]];
  }

  // `order` and the ranges add at most as much again, and are cached.
  Cost cost() const {
    const double draws = count_of(rows, negatives);
    return {(draws + 2 * rows) * sizeof(int), draws * 10 * 8 / 4};
  }
};
KERNEL_FAMILY(DrawNegatives);

// scores[r][k] = <anchor r, the bank's row of candidate k> / temperature.
struct NceScores {
  static constexpr const char* name = "nce_scores";
  const float* anchors;  // [rows, columns]
  const float* bank;     // [images, columns]
  const int* index;      // [rows, candidates]
  float* scores;         // [rows, candidates]
  int rows, columns, candidates;
  double temperature;

  // A row of the bank for every candidate.
  Cost cost() const {
    const double gathered = count_of(rows, candidates, columns);
    return {(gathered + 2 * count_of(rows, candidates) + count_of(rows, columns)) * sizeof(float), 2 * gathered};
  }
};
KERNEL_FAMILY(NceScores);

// constant = images times the mean of exp(scores), where it is 0; else it stays as it is.
struct NceConstant {
  static constexpr const char* name = "nce_constant";
  const float* scores;  // [count]
  std::int64_t count;
  int images;
  float* constant;  // [1]

  Cost cost() const { return {sizeof(float), 0}; }
};
KERNEL_FAMILY(NceConstant);

inline constexpr int most_nce_columns = 256;

// Noise-contrastive estimation. With P = exp(score) / constant, m negatives and c = m / images + 1e-7:
//   loss[r] = scale (log((P + c) / P) of the row's own image + the sum over the others of log((P + c) images / m)).
struct NceLoss {
  static constexpr const char* name = "nce_loss";
  const float* scores;                    // [rows, candidates]
  const int* index;                       // [rows, candidates], the own image first
  const float* bank;                      // [images, columns]
  const float* constant;                  // [1]
  float* loss;                            // [rows]
  float* d_anchors;                       // [rows, columns] d loss[row] / d anchor
  int rows, columns, candidates, images;  // columns: at most most_nce_columns
  double temperature, scale;

  Cost cost() const {
    const double gathered = count_of(rows, candidates, columns);
    return {(gathered + 2 * count_of(rows, candidates) + count_of(rows, columns + 1)) * sizeof(float), 2 * gathered};
  }
};
KERNEL_FAMILY(NceLoss);

// bank[position] = momentum bank[position] + (1 - momentum) embedding, scaled to unit length; 0 if that has no length.
// If rows are the same image, the last one counts.
struct UpdateBank {
  static constexpr const char* name = "update_bank";
  float* bank;                    // [images, columns]
  const float* embeddings;        // [rows, columns]
  const std::int32_t* positions;  // [rows] each row's image
  int rows, columns;
  float momentum;

  Cost cost() const { return {(3 * count_of(rows, columns) + rows) * sizeof(float), 6 * count_of(rows, columns)}; }
};
KERNEL_FAMILY(UpdateBank);

}  // namespace preceptor::kernels
