// Inference over a split in batches of one size: probabilities and the loss on labels.
#pragma once

#include <string>
#include <vector>

#include "data/dataset.h"
#include "data/predictions/predictions.h"
#include "engine/context.h"
#include "engine/ops.h"
#include "models/loaded_model.h"

namespace preceptor {

// How the images of each batch relate to each other at a tap.
struct TapRelations {
  struct Batch {
    int images = 0;
    std::vector<float> products;  // [images, images] of their maps, as rows
  };
  std::string tap;
  std::vector<Batch> batches;
};

struct Predictions {
  std::vector<float> probabilities;     // [count, outputs] of the data
  std::vector<int> decisions;           // [count] of cumulative networks the grade; else empty: the most probable class
  double loss = 0;                      // of the labels, mean over the known ones; NaN if none is known
  std::vector<TapRelations> relations;  // at the taps that were asked for
};

// The table of a split's predictions, with what the data set knows of its images. `name` is the split's.
PredictionTable prediction_table(const Dataset& dataset, const Split& split, const std::string& name,
                                 const Predictions& predictions);

// Evaluation uses one batch size everywhere, so that preceptor-evaluate repeats a run's numbers to the last digit.
inline constexpr int evaluation_batch = 64;

struct PredictionOptions {
  int batch = evaluation_batch;
  const Resizer* resizer = nullptr;    // scales the images to another size
  std::vector<std::string> taps = {};  // whose relations are wanted
};

// The card gives the normalization and the meaning of the outputs. The network must have been folded since its
// parameters changed.
Predictions predict_split(Context& context, Network& network, const ModelCard& card, const Dataset& dataset,
                          const Split& split, const PredictionOptions& options = {});

}  // namespace preceptor
