// Pairing of labels, and heads arranged for another list of them.
#include "apps/inference/label_match.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "engine/files/check.h"

namespace preceptor {
namespace {

// As the data sets of chest X-rays write them, and the name under which both are compared.
constexpr std::array<std::pair<const char*, const char*>, 4> synonyms = {{{"pleuraleffusion", "effusion"},
                                                                          {"hiatalhernia", "hernia"},
                                                                          {"pulmonaryedema", "edema"},
                                                                          {"normal", "nofinding"}}};

std::string plain(const std::string& name) {
  std::string text;
  for (const char letter : name)
    if (std::isalnum(static_cast<unsigned char>(letter)))
      text += static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  for (const auto& [other, usual] : synonyms)
    if (text == other) return usual;
  return text;
}

}  // namespace

std::vector<int> match_labels(const std::vector<std::string>& wanted, const std::vector<std::string>& known) {
  std::vector<std::string> names;
  for (const std::string& name : known) names.push_back(plain(name));
  std::vector<int> match;
  for (const std::string& name : wanted) {
    const auto found = std::find(names.begin(), names.end(), plain(name));
    match.push_back(found == names.end() ? -1 : static_cast<int>(found - names.begin()));
  }
  return match;
}

CardCheckpoint with_labels(CardCheckpoint checkpoint, const std::string& head, const std::vector<std::string>& labels,
                           const std::vector<int>& match) {
  const int outputs = static_cast<int>(labels.size());
  for (const char* part : {".weight", ".bias"}) {
    const auto found = checkpoint.tensors.find(head + part);
    require_data(found != checkpoint.tensors.end(), checkpoint.path, ": has no ", head, part);
    PlainTensor& tensor = found->second;
    const std::size_t row = tensor.values.size() / static_cast<std::size_t>(tensor.shape[0]);
    std::vector<float> values(static_cast<std::size_t>(outputs) * row);
    for (std::size_t i = 0; i < match.size(); ++i)
      if (match[i] >= 0)
        std::copy_n(tensor.values.begin() + static_cast<std::ptrdiff_t>(row) * match[i], row,
                    values.begin() + static_cast<std::ptrdiff_t>(row * i));
    tensor.shape = row == 1 && tensor.shape.rank() == 1 ? Shape{outputs} : Shape{outputs, static_cast<int>(row)};
    tensor.values = std::move(values);
  }
  checkpoint.card.labels = labels;
  checkpoint.card.network.outputs = outputs;
  return checkpoint;
}

}  // namespace preceptor
