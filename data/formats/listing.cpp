// Assigns parts as given, drawn, in folds or from a table, and collects the images of each part.
#include "data/formats/listing.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <limits>
#include <unordered_map>

#include "data/formats/patients.h"
#include "data/tables/table.h"
#include "engine/files/check.h"
#include "engine/files/numbers.h"
#include "engine/files/text.h"

namespace preceptor {
namespace {

int count_of(const std::vector<Part>& parts, Part part) {
  return static_cast<int>(std::count(parts.begin(), parts.end(), part));
}

std::uint64_t seed_of(const DatasetSpec& spec) {
  return static_cast<std::uint64_t>(spec.integer("seed", 0, 0, std::numeric_limits<std::int64_t>::max()));
}

// Assigns every image to one of `fractions`. Stream 1 of the seed, to be independent of `n` with the same seed.
std::vector<std::int32_t> drawn(const Listing& listing, const Split& of, const std::vector<double>& fractions,
                                const DatasetSpec& spec) {
  return draw_fractions(of, listing.task, static_cast<int>(listing.label_names.size()), fractions,
                        RandomStream(seed_of(spec), 1));
}

void draw_all(Listing& listing, const std::vector<double>& fractions, const DatasetSpec& spec) {
  const std::vector<std::int32_t> part = drawn(listing, listing.all, fractions, spec);
  for (std::size_t i = 0; i < part.size(); ++i) listing.parts[i] = static_cast<Part>(part[i]);
}

std::vector<std::int32_t> rows_of(const Listing& listing, Part part) {
  std::vector<std::int32_t> rows;
  for (std::int32_t i = 0; i < listing.all.count; ++i)
    if (listing.parts[i] == part) rows.push_back(i);
  return rows;
}

// Parts that the data do not give are drawn from the training images, a tenth each.
void complete(Listing& listing, const DatasetSpec& spec) {
  std::array<int, 3> given{};
  for (int p = 0; p < 3; ++p) given[p] = count_of(listing.parts, static_cast<Part>(p));
  if (given[0] + given[1] + given[2] == 0) return draw_all(listing, {0.8, 0.1, 0.1}, spec);
  std::vector<Part> missing;
  for (const Part part : {Part::val, Part::test})
    if (given[static_cast<std::size_t>(part)] == 0) missing.push_back(part);
  if (given[0] == 0 || missing.empty()) return;
  const std::vector<std::int32_t> rows = rows_of(listing, Part::train);
  std::vector<double> fractions(missing.size() + 1, 0.1);
  fractions[0] = 1 - 0.1 * static_cast<double>(missing.size());
  const int label_width = listing.task == Task::multi_label ? static_cast<int>(listing.label_names.size()) : 1;
  const std::vector<std::int32_t> part = drawn(listing, selected(listing.all, rows, label_width), fractions, spec);
  for (std::size_t i = 0; i < rows.size(); ++i)
    if (part[i] > 0) listing.parts[rows[i]] = missing[part[i] - 1];
}

// "80/10/10" as numbers; empty for any other text.
std::vector<double> numbers_between_slashes(const std::string& text) {
  std::vector<double> numbers;
  for (const std::string_view part : split(text, '/')) {
    const std::optional<double> number = parse_number(part);
    if (!number) return {};
    numbers.push_back(*number);
  }
  return numbers;
}

void read_split_table(Listing& listing, const std::string& path) {
  TableReader table(path);
  const std::size_t id = table.require_column("id"), part = table.require_column("split");
  std::unordered_map<std::string_view, std::int32_t> position;
  for (std::int32_t i = 0; i < listing.all.count; ++i) position.emplace(listing.all.ids[i], i);
  std::fill(listing.parts.begin(), listing.parts.end(), Part::open);
  while (table.next()) {
    const auto found = position.find(table.field(id));
    if (found == position.end()) table.reject(id, message("the data set has no image '", table.field(id), "'"));
    Part& chosen = listing.parts[found->second];
    if (chosen != Part::open) table.reject(id, message("'", table.field(id), "' is listed a second time"));
    const auto name = std::find(split_names.begin(), split_names.end(), table.field(part));
    if (name == split_names.end()) table.reject(part, message("'", table.field(part), "' is not train, val or test"));
    chosen = static_cast<Part>(name - split_names.begin());
  }
}

void assign_fold(Listing& listing, const std::string& text, const DatasetSpec& spec) {
  const std::vector<double> numbers = numbers_between_slashes(text);
  const bool whole =
      numbers.size() == 2 && numbers[0] == static_cast<int>(numbers[0]) && numbers[1] == static_cast<int>(numbers[1]);
  require(whole && numbers[1] >= 3 && numbers[1] <= 1000 && numbers[0] >= 1 && numbers[0] <= numbers[1], spec.text,
          ": fold='", text, "' is not K/FOLDS, from 1/3 to 1000/1000");
  const int folds = static_cast<int>(numbers[1]), test = static_cast<int>(numbers[0]) - 1, val = (test + 1) % folds;
  const std::vector<std::int32_t> fold = drawn(listing, listing.all, std::vector<double>(folds, 1.0 / folds), spec);
  for (std::size_t i = 0; i < fold.size(); ++i)
    listing.parts[i] = fold[i] == test ? Part::test : fold[i] == val ? Part::val : Part::train;
}

void assign_parts(Listing& listing, const DatasetSpec& spec) {
  const std::string *fold = spec.find("fold"), *split = spec.find("split");
  require(fold == nullptr || split == nullptr, spec.text, ": fold and split are mutually exclusive");
  if (fold != nullptr) return assign_fold(listing, *fold, spec);
  if (split == nullptr || *split == "given") return complete(listing, spec);
  if (*split == "test") return std::fill(listing.parts.begin(), listing.parts.end(), Part::test);
  std::vector<double> fractions = numbers_between_slashes(*split);
  if (fractions.empty()) return read_split_table(listing, *split);
  double sum = 0;
  for (const double percent : fractions) sum += percent >= 0 ? percent : std::numeric_limits<double>::quiet_NaN();
  require(fractions.size() == 3 && std::abs(sum - 100) < 1e-9, spec.text, ": split='", *split,
          "' is not three percentages of train/val/test that add up to 100");
  for (double& fraction : fractions) fraction /= 100;
  draw_all(listing, fractions, spec);
}

Split split_of(const Listing& listing, Part part, int label_width, const char* key, const DatasetSpec& spec) {
  const std::vector<std::int32_t> rows = rows_of(listing, part);
  Split split = selected(listing.all, rows, label_width);
  if (spec.find(key) == nullptr) return split;
  require_data(split.count > 0, spec.text, ": ", key, " is given, but there are no images to choose from");
  const auto n = static_cast<std::size_t>(spec.integer(key, 0, 1, split.count));
  const RandomStream random =
      part == Part::train ? RandomStream(seed_of(spec)) : RandomStream(seed_of(spec), 2, static_cast<int>(part));
  std::vector<std::int32_t> order = patient_order(split, random);
  order.resize(n);
  for (std::int32_t& row : order) row = rows[row];
  return selected(listing.all, std::move(order), label_width);
}

}  // namespace

Part part_named(std::string_view name) {
  const std::string known = lower(std::string(name));
  if (known == "train" || known == "training") return Part::train;
  if (known == "val" || known == "valid" || known == "validation" || known == "dev") return Part::val;
  return known == "test" || known == "testing" ? Part::test : Part::open;
}

Part part_in_path(const std::string& path) {
  for (const std::filesystem::path& folder : std::filesystem::path(path).parent_path())
    if (const Part part = part_named(folder.string()); part != Part::open) return part;
  return Part::open;
}

Dataset divide(Listing listing, const DatasetSpec& spec) {
  assign_parts(listing, spec);
  Dataset data;
  data.source = spec.text;
  data.task = listing.task;
  data.height = listing.height;
  data.width = listing.width;
  data.channels = listing.channels;
  data.outputs = static_cast<int>(listing.label_names.size());
  data.label_names = listing.label_names;
  data.train = split_of(listing, Part::train, data.label_width(), "n", spec);
  data.val = split_of(listing, Part::val, data.label_width(), "val", spec);
  data.test = split_of(listing, Part::test, data.label_width(), "test", spec);
  return data;
}

std::string split_table(const Dataset& data) {
  std::string text = "id,split\n";
  for (std::size_t s = 0; s < split_names.size(); ++s)
    for (const std::string& id : data.splits()[s]->ids) text += csv_field(id) + "," + split_names[s] + "\n";
  return text;
}

}  // namespace preceptor
