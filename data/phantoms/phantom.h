// Seeded synthetic chest X-rays and fundus photographs, drawn from an anatomy with known findings.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "data/dataset.h"
#include "data/dataset_spec.h"
#include "data/images/box.h"

namespace preceptor {

enum class PhantomKind {
  chest,   // grey; multi-label: opacity, effusion, cardiomegaly, nodule, pneumothorax
  fundus,  // RGB; ordinal: grade 0 to 4 of diabetic retinopathy
};

enum class PhantomPart { train, val, test };

// The keys of phantom:chest?site=a&n=2000&val=300&test=1000&size=32&seed=0.
struct PhantomOptions {
  PhantomKind kind = PhantomKind::chest;
  char site = 'a';  // a, b or c: hospitals that differ in exposure, noise, sharpness, framing and prevalence
  int train = 2000, val = 300, test = 1000;  // images; train is the key n
  int size = 32;                             // pixels along each side, 16 to 512
  std::uint64_t seed = 0;
};

struct Phantoms {
  int count = 0;
  std::vector<std::uint8_t> images;  // [count, size, size, channels]
  std::vector<float> labels;         // as in Split
};

// Images first..first+count-1 of one part. Image i depends on (kind, site, part, seed, i) alone: a smaller part is the
// beginning of a larger one, parts never share an image, and `threads` (0: all cores) changes nothing. The same i at
// another size is the same patient.
Phantoms make_phantoms(const PhantomOptions& options, PhantomPart part, int first, int count, int threads = 0);

// The bounding box of finding `label` in chest image `index`: the pixels that would differ without it by at least a
// quarter of the largest difference (a heart of normal size is 0.45 of the thorax). Nothing if the patient does not
// have the finding or it changes no pixel. Errors: usage, for fundus phantoms.
std::optional<Box> phantom_box(const PhantomOptions& options, PhantomPart part, int index, int label);

// The keys of phantom:chest or phantom:fundus. Errors: usage.
PhantomOptions phantom_options(const DatasetSpec& spec);

Dataset open_phantom(const DatasetSpec& spec);

}  // namespace preceptor
