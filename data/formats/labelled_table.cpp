// Any CSV or TSV that names images and their labels; keys name its columns. A first pass over the table collects the
// names of labels that only the rows tell, a second one reads the rows.
#include <algorithm>
#include <filesystem>
#include <limits>
#include <set>

#include "data/formats/formats.h"
#include "data/formats/image_table.h"
#include "engine/files/check.h"
#include "engine/files/numbers.h"
#include "engine/files/text.h"

namespace preceptor {
namespace {

constexpr std::size_t most_names = 10000;

// The columns and the names of the labels.
class Labels {
 public:
  Labels(const DatasetSpec& spec, const std::string& path) {
    const std::string *several = spec.find("labels"), *one = spec.find("label"), *separator = spec.find("separator");
    require((several == nullptr) != (one == nullptr), spec.text, ": one of labels=A,B,C and label=COLUMN is needed");
    require(separator == nullptr || (one != nullptr && separator->size() == 1), spec.text,
            ": separator must be a single character and needs label=COLUMN");
    require(spec.find("task") == nullptr || (one != nullptr && separator == nullptr), spec.text,
            ": task needs label=COLUMN without separator");
    require(spec.find("none") == nullptr || separator != nullptr, spec.text, ": none needs separator");
    if (several != nullptr) {
      for (const std::string_view name : split(*several, ',')) names_.emplace_back(name);
      columns_ = names_;
      return;
    }
    columns_ = {*one};
    if (separator != nullptr) separator_ = (*separator)[0];
    none_ = spec.text_of("none", "No Finding");
    task_ = separator != nullptr                                                          ? Task::multi_label
            : spec.choice("task", "multi-class", {"multi-class", "ordinal"}) == "ordinal" ? Task::ordinal
                                                                                          : Task::multi_class;
    find_names(path);
  }

  Task task() const { return task_; }
  const std::vector<std::string>& names() const { return names_; }
  const std::vector<std::string>& columns() const { return columns_; }

  std::vector<float> read(const TableReader& table, const std::vector<std::size_t>& columns) const {
    if (separator_ != 0) {
      std::vector<float> labels(names_.size(), 0.0f);
      for (const std::string_view word : words(table, columns[0])) labels[index(word)] = 1;
      return labels;
    }
    if (task_ != Task::multi_label)
      return {static_cast<float>(numbered_ ? table.number(columns[0])
                                           : static_cast<double>(index(table.field(columns[0]))))};
    std::vector<float> labels;
    for (const std::size_t column : columns) {
      const bool empty = table.field(column).empty();
      const double value = empty ? std::numeric_limits<double>::quiet_NaN() : table.number(column);
      if (!empty && value != 0 && value != 1)
        table.reject(column, message("'", table.field(column), "' is not 1, 0 or empty"));
      labels.push_back(static_cast<float>(value));
    }
    return labels;
  }

 private:
  std::size_t index(std::string_view name) const {
    return static_cast<std::size_t>(std::lower_bound(names_.begin(), names_.end(), name) - names_.begin());
  }

  std::vector<std::string_view> words(const TableReader& table, std::size_t column) const {
    std::vector<std::string_view> found = split(table.field(column), separator_);
    std::erase_if(found, [&](std::string_view word) { return word.empty() || word == none_; });
    return found;
  }

  void find_names(const std::string& path) {
    TableReader table(path);
    const std::size_t column = table.require_column(columns_[0]);
    std::set<std::string> names;
    double largest = 0;
    numbered_ = separator_ == 0;
    while (table.next()) {
      if (separator_ != 0) {
        for (const std::string_view word : words(table, column)) names.emplace(word);
      } else {
        if (table.field(column).empty()) table.reject(column, "a class is missing");
        names.emplace(table.field(column));
        const std::optional<double> number = parse_number(table.field(column));
        const bool is_class = number && *number >= 0 && *number < most_names && *number == static_cast<int>(*number);
        numbered_ = numbered_ && is_class;
        if (is_class) largest = std::max(largest, *number);
      }
      if (names.size() > most_names) table.reject(column, "more than 10000 different labels");
    }
    names_.assign(names.begin(), names.end());
    if (numbered_) {
      names_.clear();
      for (int i = 0; i <= static_cast<int>(largest); ++i)
        names_.push_back(message(task_ == Task::ordinal ? "grade " : "class ", i));
    }
    require_data(names_.size() >= (task_ == Task::multi_label ? 1u : 2u), path, ": column ", columns_[0], " holds ",
                 names_.size(), " different labels");
  }

  Task task_ = Task::multi_label;
  std::vector<std::string> names_, columns_;
  std::string none_;
  char separator_ = 0;
  bool numbered_ = false;
};

}  // namespace

Dataset open_labelled_table(const DatasetSpec& spec) {
  const std::string* image_key = spec.find("image");
  require(image_key != nullptr, spec.text, ": image=COLUMN is missing: the column of image files");
  const Labels labels(spec, spec.path);
  TableReader rows(spec.path);
  const std::size_t image = rows.require_column(*image_key);
  std::vector<std::size_t> label_columns;
  for (const std::string& name : labels.columns()) label_columns.push_back(rows.require_column(name));
  const auto mapped = [&](const char* key) {
    const std::string* name = spec.find(key);
    return name == nullptr ? std::optional<std::size_t>() : rows.require_column(*name);
  };
  const std::vector<std::string> names = {"patient", "sex", "age", "view", "site"};
  std::vector<std::optional<std::size_t>> columns;
  for (const std::string& name : names) columns.push_back(mapped(name.c_str()));
  const std::optional<std::size_t> part = mapped("part");
  const std::filesystem::path folder = spec.text_of("images", std::filesystem::path(spec.path).parent_path().string());
  const std::string ending = spec.text_of("ending", "");

  ImageTable table(labels.task(), labels.names(), names);
  while (rows.next()) {
    ImageRow row;
    row.id = rows.field(image);
    if (row.id.empty()) rows.reject(image, "an image is missing");
    row.path = (folder / (row.id + ending)).string();
    const std::string part_name(rows.field(part));
    row.part = part_in_path(part_name + "/");
    if (row.part == Part::open && !part_name.empty())
      rows.reject(*part, message("'", part_name, "' is not train, val or test"));
    row.labels = labels.read(rows, label_columns);
    for (std::size_t i = 0; i < names.size(); ++i) {
      const std::string_view text = rows.field(columns[i]);
      row.columns.push_back(i == 1 ? sex_text(text) : i == 2 ? age_text(text) : std::string(text));
    }
    table.add(rows, image, std::move(row));
  }
  return table.finish(spec, 0);
}

}  // namespace preceptor
