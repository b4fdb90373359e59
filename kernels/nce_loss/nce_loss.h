// Contrast with a bank that holds an embedding of every image: CRD (Tian et al. 2020), whose negatives come from the
// whole data set and not from the batch.
#pragma once

#include "kernels/device/device.h"
#include "kernels/optimizer/optimizer.h"

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
};
Cost cost(const DrawNegatives& arguments);
void run_on(Cpu, const DrawNegatives& arguments);
void run_on(Cuda, const DrawNegatives& arguments);
void run_on(Emulated, const DrawNegatives& arguments);

// scores[r][k] = <anchor r, the bank's row of candidate k> / temperature.
struct NceScores {
  static constexpr const char* name = "nce_scores";
  const float* anchors;  // [rows, columns]
  const float* bank;     // [images, columns]
  const int* index;      // [rows, candidates]
  float* scores;         // [rows, candidates]
  int rows, columns, candidates;
  double temperature;
};
Cost cost(const NceScores& arguments);
void run_on(Cpu, const NceScores& arguments);
void run_on(Cuda, const NceScores& arguments);
void run_on(Emulated, const NceScores& arguments);

// constant = images times the mean of exp(scores), where it is 0; else it stays as it is.
struct NceConstant {
  static constexpr const char* name = "nce_constant";
  const float* scores;  // [count]
  std::int64_t count;
  int images;
  float* constant;  // [1]
};
Cost cost(const NceConstant& arguments);
void run_on(Cpu, const NceConstant& arguments);
void run_on(Cuda, const NceConstant& arguments);
void run_on(Emulated, const NceConstant& arguments);

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
};
Cost cost(const NceLoss& arguments);
void run_on(Cpu, const NceLoss& arguments);
void run_on(Cuda, const NceLoss& arguments);
void run_on(Emulated, const NceLoss& arguments);

// bank[position] = momentum bank[position] + (1 - momentum) embedding, brought to unit length; 0 where that has none.
// Of rows that are the same image the last counts.
struct UpdateBank {
  static constexpr const char* name = "update_bank";
  float* bank;                    // [images, columns]
  const float* embeddings;        // [rows, columns]
  const std::int32_t* positions;  // [rows] each row's image
  int rows, columns;
  float momentum;
};
Cost cost(const UpdateBank& arguments);
void run_on(Cpu, const UpdateBank& arguments);
void run_on(Cuda, const UpdateBank& arguments);
void run_on(Emulated, const UpdateBank& arguments);

}  // namespace preceptor::kernels
