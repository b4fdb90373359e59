// CheXpert: train.csv and valid.csv of Irvin et al. 2019 with its policies for uncertain labels. The policy multi-class
// is U-MultiClass with a sigmoid each for positive and uncertain in place of a softmax over the three.
#include <algorithm>
#include <filesystem>
#include <limits>

#include "data/formats/formats.h"
#include "data/formats/image_table.h"
#include "engine/files/check.h"
#include "engine/files/text.h"

namespace preceptor {
namespace {

namespace files = std::filesystem;
constexpr float unknown = std::numeric_limits<float>::quiet_NaN();

const std::vector<std::string> fourteen = {"No Finding",       "Enlarged Cardiomediastinum",
                                           "Cardiomegaly",     "Lung Opacity",
                                           "Lung Lesion",      "Edema",
                                           "Consolidation",    "Pneumonia",
                                           "Atelectasis",      "Pneumothorax",
                                           "Pleural Effusion", "Pleural Other",
                                           "Fracture",         "Support Devices"};
const std::vector<std::string> five = {"Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Pleural Effusion"};

const std::vector<std::string> policies = {"zeros", "ones", "ignore", "multi-class", "self-trained"};
enum class Uncertain { zeros, ones, ignore, multi_class, self_trained };

Uncertain policy_named(const DatasetSpec& spec, std::string_view name) {
  const auto found = std::find(policies.begin(), policies.end(), name);
  require(found != policies.end(), spec.text, ": uncertain='", name, "' is not one of ", list(policies));
  return static_cast<Uncertain>(found - policies.begin());
}

// One policy per label, from "zeros,Edema:ones,Atelectasis:ignore".
std::vector<Uncertain> policies_of(const DatasetSpec& spec, const std::vector<std::string>& labels) {
  std::vector<Uncertain> result(labels.size(), Uncertain::zeros);
  const std::string* text = spec.find("uncertain");
  if (text == nullptr) return result;
  const std::vector<std::string_view> words = split(*text, ',');
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::size_t colon = words[i].find(':');
    if (colon == std::string_view::npos) {
      require(i == 0, spec.text, ": uncertain: '", words[i], "' is for all labels and must come first");
      std::fill(result.begin(), result.end(), policy_named(spec, words[i]));
    } else {
      const auto label = std::find(labels.begin(), labels.end(), words[i].substr(0, colon));
      require(label != labels.end(), spec.text, ": uncertain: there is no label '", words[i].substr(0, colon), "'");
      result[label - labels.begin()] = policy_named(spec, words[i].substr(colon + 1));
    }
  }
  return result;
}

// Probabilities from a trained model for each image, from a table of preceptor-predict (columns path, LABEL) or of a
// run (columns id, probability:LABEL).
class Guesses {
 public:
  Guesses(const std::string& path, const std::vector<std::string>& labels, const std::vector<Uncertain>& policy)
      : path_(path), labels_(labels.size()) {
    TableReader table(path);
    const std::optional<std::size_t> path_column = table.find("path");
    const std::size_t id = path_column ? *path_column : table.require_column("id");
    std::vector<std::size_t> columns(labels.size(), 0);
    for (std::size_t l = 0; l < labels.size(); ++l)
      if (policy[l] == Uncertain::self_trained)
        columns[l] = table.require_column(path_column ? labels[l] : "probability:" + labels[l]);
    while (table.next()) {
      std::vector<float>& row = of_[std::string(table.field(id))];
      if (!row.empty()) table.reject(id, message("'", table.field(id), "' is listed a second time"));
      row.resize(labels_, unknown);
      for (std::size_t l = 0; l < labels_; ++l) {
        if (policy[l] != Uncertain::self_trained) continue;
        const double value = table.number(columns[l]);
        if (value < 0 || value > 1) table.reject(columns[l], message(value, " is not a probability"));
        row[l] = static_cast<float>(value);
      }
    }
  }

  float at(const TableReader& table, std::size_t id_column, std::size_t label) const {
    const auto found = of_.find(std::string(table.field(id_column)));
    if (found == of_.end())
      table.reject(id_column,
                   message(path_, " has no row for '", table.field(id_column), "', whose label is uncertain"));
    return found->second[label];
  }

 private:
  std::string path_;
  std::size_t labels_;
  std::unordered_map<std::string, std::vector<float>> of_;
};

// The file of a path in a table of this folder. The first row whose file exists decides on the `rule` for the table;
// -1: there was none yet.
std::string file_of(const std::string& path, const std::string& folder, int& rule) {
  const std::size_t slash = path.find('/');
  const std::string below = slash == std::string::npos ? path : path.substr(slash + 1);
  const std::string choices[3] = {folder + "/" + path, folder + "/" + below, folder + "/../" + path};
  std::error_code ignored;
  for (int i = 0; i < 3 && rule < 0; ++i)
    if (files::exists(choices[i], ignored)) rule = i;
  return choices[rule < 0 ? 0 : rule];
}

std::string patient_in(const std::string& path) {
  for (const files::path& folder : files::path(path))
    if (folder.string().starts_with("patient")) return folder.string().substr(7);
  return {};
}

// Reads the tables of one data set.
class Reader {
 public:
  explicit Reader(const DatasetSpec& spec)
      : spec_(spec),
        labels_(spec.choice("labels", "14", {"14", "5"}) == "5" ? five : fourteen),
        policy_(policies_of(spec, labels_)),
        view_(spec.choice("view", "all", {"all", "frontal", "lateral"})),
        blank_(spec.choice("blank", "negative", {"negative", "unknown"}) == "unknown" ? unknown : 0.0f),
        table_(Task::multi_label, outputs(), {"patient", "sex", "age", "view"}) {
    const bool guessed = std::count(policy_.begin(), policy_.end(), Uncertain::self_trained) > 0;
    const std::string* predictions = spec.find("predictions");
    require(guessed == (predictions != nullptr), spec.text,
            ": uncertain=self-trained and predictions=FILE.csv belong together");
    if (guessed) guesses_.emplace(*predictions, labels_, policy_);
  }

  void read(const std::string& table, Part part) {
    TableReader rows(spec_.path + "/" + table);
    int rule = -1;
    const std::size_t path = rows.require_column("Path");
    const auto sex = rows.find("Sex"), age = rows.find("Age"), side = rows.find("Frontal/Lateral"),
               projection = rows.find("AP/PA");
    std::vector<std::size_t> columns;
    for (const std::string& label : labels_) columns.push_back(rows.require_column(label));
    while (rows.next()) {
      const std::string id(rows.field(path));
      const std::string name = id.substr(id.find_last_of('/') + 1);
      const bool lateral = (side ? rows.field(side) : name).find("ateral") != std::string_view::npos;
      if (view_ != "all" && (view_ == "lateral") != lateral) continue;
      ImageRow row;
      row.id = id;
      row.path = file_of(id, spec_.path, rule);
      row.part = part;
      row.columns = {patient_in(id), sex_text(rows.field(sex)), age_text(rows.field(age)),
                     std::string(lateral ? "lateral" : rows.field(projection))};
      for (std::size_t l = 0; l < labels_.size(); ++l) add_label(rows, path, columns[l], l, row.labels);
      table_.add(rows, path, std::move(row));
    }
  }

  Dataset finish() {
    Dataset data = table_.finish(spec_, 1);
    for (Split* split : {&data.val, &data.test})
      for (float& label : split->labels)
        if (label > 0 && label < 1) label = unknown;
    return data;
  }

 private:
  std::vector<std::string> outputs() const {
    std::vector<std::string> names = labels_;
    for (std::size_t l = 0; l < labels_.size(); ++l)
      if (policy_[l] == Uncertain::multi_class) names.push_back(labels_[l] + " uncertain");
    return names;
  }

  // Findings come first, in their order; the outputs for uncertainty follow.
  void add_label(const TableReader& rows, std::size_t id, std::size_t column, std::size_t label,
                 std::vector<float>& labels) const {
    if (label == 0) labels.resize(labels_.size());
    const std::string_view text = rows.field(column);
    const double value = text.empty() ? 0 : rows.number(column);
    if (value != 0 && value != 1 && value != -1) rows.reject(column, message("'", text, "' is not 1, 0, -1 or empty"));
    const bool uncertain = value == -1;
    labels[label] = text.empty() ? blank_ : uncertain ? resolved(rows, id, label) : static_cast<float>(value);
    if (policy_[label] == Uncertain::multi_class) labels.push_back(uncertain ? 1 : text.empty() ? blank_ : 0);
  }

  // The label in place of -1.
  float resolved(const TableReader& rows, std::size_t id, std::size_t label) const {
    if (policy_[label] == Uncertain::self_trained) return guesses_->at(rows, id, label);
    if (policy_[label] == Uncertain::ignore) return unknown;
    return policy_[label] == Uncertain::ones ? 1 : 0;
  }

  const DatasetSpec& spec_;
  std::vector<std::string> labels_;
  std::vector<Uncertain> policy_;
  std::string view_;
  float blank_;
  ImageTable table_;
  std::optional<Guesses> guesses_;
};

}  // namespace

Dataset open_chexpert(const DatasetSpec& spec) {
  Reader reader(spec);
  reader.read("train.csv", Part::train);
  std::error_code ignored;
  if (files::exists(spec.path + "/valid.csv", ignored)) reader.read("valid.csv", Part::val);
  if (files::exists(spec.path + "/test.csv", ignored)) reader.read("test.csv", Part::test);
  return reader.finish();
}

}  // namespace preceptor
