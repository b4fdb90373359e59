// Opens data sets by name.
#include "data/dataset.h"

#include "data/dataset_spec.h"
#include "data/medmnist.h"
#include "data/phantom.h"
#include "engine/check.h"

namespace preceptor {

Dataset open_dataset(const std::string& spec) {
  const DatasetSpec parsed = parse_dataset_spec(spec);
  if (parsed.format == "medmnist") return open_medmnist(parsed);
  if (parsed.format == "phantom") return open_phantom(parsed);
  fail(ErrorKind::usage, spec, ": unknown format '", parsed.format, "'; valid formats: medmnist, phantom");
}

int class_of(const Split& split, int image) {
  require(image >= 0 && image < split.count, "class_of: image ", image, " of a split with ", split.count);
  require(split.labels.size() == static_cast<std::size_t>(split.count), "class_of: ", split.labels.size(),
          " labels for ", split.count, " images; multi-label data has no single class");
  return static_cast<int>(split.labels[image]);
}

}  // namespace preceptor
