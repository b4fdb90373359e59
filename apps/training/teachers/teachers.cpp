// Loading, pairing and weighing of teachers, and their forward pass.
#include "apps/training/teachers/teachers.h"

#include <algorithm>
#include <cmath>
#include <sstream>

#include "apps/inference/card_and_data.h"
#include "data/metrics/agreement.h"
#include "data/metrics/interval.h"
#include "data/metrics/metrics.h"
#include "data/predictions/grades.h"
#include "engine/files/check.h"
#include "engine/files/numbers.h"
#include "engine/files/text.h"
#include "models/registry.h"

namespace preceptor {
namespace {

std::uint64_t hash_of_network(const CardCheckpoint& checkpoint) {
  ModelCard card = checkpoint.card;  // without what is only told of the network
  card.data.clear();
  card.epoch = 0;
  card.val_auc = 0;
  card.operating_point.reset();
  std::uint64_t hash = 0;
  for (const auto& [key, value] : to_metadata(card)) hash = hash_of(value, hash_of(key, hash));
  for (const auto& [name, tensor] : checkpoint.tensors) hash = hash_of(tensor.values, hash_of(name, hash));
  return hash;
}

std::vector<double> parse_weights(const std::string& text, std::size_t count) {
  std::vector<double> weights;
  std::istringstream parts(text);
  double sum = 0;
  for (std::string part; std::getline(parts, part, ',');) {
    const std::optional<double> value = parse_number(part);
    require(value && std::isfinite(*value) && *value >= 0, "--teacher-weights ", text, ": '", part,
            "' is no number of at least 0; equal, auc, or a number for each teacher is expected");
    weights.push_back(*value);
    sum += *value;
  }
  require(weights.size() == count, "--teacher-weights ", text, ": ", weights.size(), " numbers for ", count,
          " teachers");
  require(sum > 0, "--teacher-weights ", text, ": no teacher counts");
  return weights;
}

void add_rank_correlations(std::vector<Meter>& meters, const Dataset& dataset, const std::vector<bool>& taught,
                           const Predictions& student, const Predictions& teacher) {
  const std::size_t outputs = taught.size(), rows = student.probabilities.size() / outputs;
  Mean mean;
  for (std::size_t label = 0; label < outputs; ++label) {
    if (!taught[label]) continue;
    std::vector<double> of_student(rows), of_teacher(rows);
    for (std::size_t row = 0; row < rows; ++row) {
      of_student[row] = static_cast<double>(student.probabilities[row * outputs + label]);
      of_teacher[row] = static_cast<double>(teacher.probabilities[row * outputs + label]);
    }
    const double correlation = rank_correlation(of_student, of_teacher);
    meters.push_back({"rank_correlation/" + dataset.label_names[label], correlation});
    mean.add(correlation);
  }
  meters.push_back({"agreement/rank_correlation", mean.value()});
}

}  // namespace

Teachers::Teachers(Context& context, std::vector<CardCheckpoint> checkpoints, const Dataset& dataset, const Note& note)
    : Teacher(std::vector<bool>(static_cast<std::size_t>(dataset.outputs), false)),
      context_(context),
      dataset_(dataset),
      multi_label_(dataset.task == Task::multi_label) {
  for (CardCheckpoint& checkpoint : checkpoints) {
    const std::string path = checkpoint.path;
    const int height = checkpoint.card.height, width = checkpoint.card.width;
    std::vector<bool> knows;
    const CardCheckpoint arranged = arrange(std::move(checkpoint), knows, note);
    Member member{path, load_model(context, arranged), std::nullopt, {}, hash_of_network(arranged)};
    if (height != dataset.height || width != dataset.width) {
      member.resizer.emplace(context, dataset.height, dataset.width, height, width);
      note(message("teacher ", path, ": images of ", dataset.height, "x", dataset.width, " are scaled to its ", height,
                   "x", width));
    }
    for (std::size_t i = 0; i < taught_.size(); ++i) taught_[i] = taught_[i] || knows[i];
    member.knows = std::move(knows);
    members_.push_back(std::move(member));
  }
}

// The head gets the data's labels in their order.
CardCheckpoint Teachers::arrange(CardCheckpoint checkpoint, std::vector<bool>& knows, const Note& note) const {
  if (checkpoint.card.cumulative) {
    require_data(multi_label_, checkpoint.path, ": was trained with --ordinal, and so must be its student");
    checkpoint.card.task = Task::multi_label;
    checkpoint.card.labels = cumulative_names(checkpoint.card.labels);
    checkpoint.card.cumulative = false;
  }
  const ModelCard& card = checkpoint.card;
  require_same_kind(checkpoint, dataset_);
  knows.assign(taught_.size(), true);
  if (card.labels == dataset_.label_names) return checkpoint;
  const std::vector<int> match = match_labels(dataset_.label_names, card.labels);
  const bool same_count = card.labels.size() == dataset_.label_names.size();
  const auto known =
      static_cast<std::size_t>(std::count_if(match.begin(), match.end(), [](int at) { return at >= 0; }));
  if (known == 0 || (!multi_label_ && known < match.size())) {
    require_data(same_count, checkpoint.path, ": the labels (", list(card.labels), ") are not those of ",
                 dataset_.source, " (", list(dataset_.label_names), ")");
    note(message("teacher ", checkpoint.path, ": its labels have other names than those of ", dataset_.source,
                 "; they are paired by their order"));
    return checkpoint;
  }
  // A softmax over fewer classes would be another one.
  require_data(multi_label_ || same_count, checkpoint.path, ": the network tells ", card.labels.size(), " classes, ",
               dataset_.source, " has ", match.size());
  std::vector<std::string> missing;
  for (std::size_t i = 0; i < match.size(); ++i) {
    knows[i] = match[i] >= 0;
    if (!knows[i]) missing.push_back(dataset_.label_names[i]);
  }
  note(message("teacher ", checkpoint.path, ": ", known, " of ", match.size(), " labels are paired by name",
               missing.empty() ? "" : "; it does not teach " + list(missing)));
  return with_labels(std::move(checkpoint), architecture_of(card.network).head(), dataset_.label_names, match);
}

Predictions Teachers::weigh(const std::string& weights, bool relations, const Note& note) {
  const std::size_t outputs = taught_.size();
  std::vector<double> fixed(count(), 1);
  if (weights != "equal" && weights != "auc") fixed = parse_weights(weights, count());
  std::vector<Predictions> said;
  std::vector<std::vector<double>> by_member;
  for (std::size_t k = 0; k < count(); ++k) {
    const Member& member = members_[k];
    Network& network = *member.model.network;
    PredictionOptions asked{.resizer = member.resizer ? &*member.resizer : nullptr};
    if (relations && count() == 1) asked.taps = stage_taps(network, height(), width());
    said.push_back(predict_split(context_, network, member.model.card, dataset_, dataset_.val, asked));
    const std::vector<double> gained = gains(member, said[k], note);
    std::vector<double> own(outputs, fixed[k]);
    if (weights == "auc") {
      Mean mean;
      for (double gain : gained) mean.add(gain);
      // Classes share a softmax, and their weight; a finding whose AUC is undefined takes the mean of the others.
      for (std::size_t i = 0; i < outputs; ++i) {
        const double gain = multi_label_ && !std::isnan(gained[i]) ? gained[i] : mean.value();
        own[i] = gain > 0 ? gain : 0;
      }
    }
    by_member.push_back(std::move(own));
  }
  set_weights(std::move(by_member));
  Predictions all = said.front();
  for (std::size_t i = 0; i < all.probabilities.size(); ++i) {
    double sum = 0;
    for (std::size_t k = 0; k < count(); ++k)
      sum += static_cast<double>(shares_[k * outputs + i % outputs]) * static_cast<double>(said[k].probabilities[i]);
    all.probabilities[i] = static_cast<float>(sum);
  }
  return all;
}

void Teachers::set_weights(std::vector<std::vector<double>> by_member) {
  const std::size_t outputs = taught_.size();
  shares_.resize(members_.size() * outputs);
  for (std::size_t i = 0; i < outputs; ++i) {
    double sum = 0;
    for (std::size_t k = 0; k < members_.size(); ++k) {
      if (!members_[k].knows[i] && taught_[i]) by_member[k][i] = 0;
      sum += by_member[k][i];
    }
    // If no weight is left, for example none is better than chance, those that know the label count equally.
    for (std::size_t k = 0; k < members_.size() && sum <= 0; ++k)
      by_member[k][i] = members_[k].knows[i] || !taught_[i] ? 1 : 0;
    sum = 0;
    for (std::size_t k = 0; k < members_.size(); ++k) sum += by_member[k][i];
    for (std::size_t k = 0; k < members_.size(); ++k)
      shares_[k * outputs + i] = static_cast<float>(by_member[k][i] / sum);
  }
  weights_ = context_.empty({static_cast<int>(members_.size()), static_cast<int>(outputs)}, Lifetime::persistent);
  weights_.from_host(shares_);
}

std::uint64_t Teachers::fingerprint() const {
  std::uint64_t hash = hash_of(shares_);
  for (const Member& member : members_) hash = hash_of(std::to_string(member.fingerprint), hash);
  return hash;
}

std::vector<double> Teachers::gains(const Member& member, const Predictions& said, const Note& note) const {
  const Evaluation evaluation = evaluate_scores(dataset_.task, dataset_.outputs, dataset_.label_names,
                                                said.probabilities, dataset_.val.labels, 0, 0);
  std::vector<double> gains(taught_.size(), undefined);
  Mean mean;
  for (std::size_t i = 0; i < evaluation.auc.size(); ++i) {
    // Two classes have one AUC.
    if (!evaluation.auc[i] || (evaluation.auc.size() == taught_.size() && !member.knows[i])) continue;
    gains[i] = *evaluation.auc[i] - 0.5;
    mean.add(*evaluation.auc[i]);
  }
  note(worth_of_teacher(member.path, "validation", mean.value()));
  return gains;
}

Features Teachers::forward(const Member& member, const TeacherInput& input) const {
  // The same motions, because they depend on seed, step and image alone; but the teacher's own constants.
  AugmentOptions own = input.augmentation;
  own.mean = member.model.card.mean;
  own.deviation = member.model.card.deviation;
  const Tensor seen = augment(context_, input.images, input.shape, own);
  return member.model.network->forward(member.resizer ? (*member.resizer)(seen) : seen, Mode::inference, input.taps);
}

Features Teachers::features(const TeacherInput& input, const Tensor&) const {
  if (count() == 1) return forward(members_.front(), input);
  std::vector<Tensor> logits;
  for (const Member& member : members_)
    logits.push_back(forward(member, {input.images, input.shape, input.augmentation, {}}).logits);
  return {average_logits(logits, weights_, multi_label_), {}};
}

std::vector<std::string> stage_taps(const Network& network, int height, int width) {
  std::vector<std::string> names;
  for (const Tap& tap : network.taps(height, width))
    if (tap.ends_stage) names.push_back(tap.name);
  return names;
}

std::vector<Meter> agreement_meters(const Dataset& dataset, const std::vector<bool>& taught, const Predictions& student,
                                    const Predictions& teacher) {
  std::vector<Meter> meters;
  if (dataset.task == Task::multi_label)
    add_rank_correlations(meters, dataset, taught, student, teacher);
  else
    meters.push_back(
        {"agreement/top_1", top_one_agreement(student.probabilities, teacher.probabilities, dataset.outputs)});
  const auto &own = student.relations, &others = teacher.relations;
  const std::size_t pairs = std::min(own.size(), others.size());
  for (std::size_t i = 0; i < pairs; ++i) {
    const TapRelations &first = own[own.size() - pairs + i], &second = others[others.size() - pairs + i];
    KernelAlignment alignment;
    for (std::size_t batch = 0; batch < first.batches.size(); ++batch)
      alignment.add(first.batches[batch].products, second.batches[batch].products, first.batches[batch].images);
    meters.push_back({"cka/" + first.tap + (first.tap == second.tap ? "" : " " + second.tap), alignment.value()});
  }
  return meters;
}

std::string worth_of_teacher(const std::string& name, const std::string& images, double auc) {
  return message("teacher ", name, ": ", images, " AUC ", std::round(auc * 1e4) / 1e4,
                 auc <= 0.5 ? ", no better than chance: the student may learn less than from labels alone" : "");
}

bool same_weights(const StateDict& a, const StateDict& b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](const auto& left, const auto& right) {
           return left.first == right.first && left.second.values == right.second.values;
         });
}

}  // namespace preceptor
