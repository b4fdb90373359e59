// The update of all parameters as one launch over a table of segments.
#include "engine/optimizer.h"

#include <set>

#include "kernels/optimizer/optimizer.h"

namespace preceptor {

using kernels::UpdateSegment;

Optimizer::Optimizer(const std::vector<Parameters*>& parts, const OptimizerOptions& options)
    : context_(parts.at(0)->context()), parts_(parts), options_(options) {
  require(options.clip_value >= 0 && options.clip_norm >= 0 && options.weight_decay >= 0,
          "optimizer: clipping and weight decay are not negative");
  cover_watched(0);
  require(!states_.empty(), "optimizer: no parameter is left to train");
  if (options.clip_norm > 0) norm_ = context_.zeros({2}, Lifetime::persistent);
  write_segments();
}

void Optimizer::cover_unfrozen() {
  cover_watched(context_.read_step_state().step);
  write_segments();
}

void Optimizer::cover_watched(std::int64_t start) {
  std::set<std::string> covered;
  for (const State& state : states_) covered.insert(state.parameter.name());
  for (Parameters* part : parts_) {
    part->allocate_gradients();
    for (const Parameter& parameter : part->all())
      if (parameter.requires_grad() && !covered.contains(parameter.name())) cover(parameter, start);
  }
}

void Optimizer::cover(const Parameter& parameter, std::int64_t start) {
  const Shape flat{static_cast<int>(parameter.shape().elements())};
  State state{
      parameter, options_.group ? options_.group(parameter.name()) : UpdateGroup{.weight_decay = options_.weight_decay},
      start,     {},
      {},        {}};
  const bool is_sgd = options_.rule == UpdateRule::sgd;
  if (!is_sgd || options_.momentum != 0) state.first = context_.zeros(flat, Lifetime::persistent);
  if (!is_sgd) state.second = context_.zeros(flat, Lifetime::persistent);
  if (state.group.to_start) {
    state.origin = context_.empty(flat, Lifetime::persistent);
    context_.copy(state.origin.data(), parameter.value(), flat.elements() * sizeof(float));
  }
  states_.push_back(std::move(state));
}

void Optimizer::write_segments() {
  std::vector<UpdateSegment> segments;
  elements_ = rounded_elements_ = origin_elements_ = chunks_ = 0;
  for (const State& state : states_) {
    const auto count = static_cast<std::int64_t>(state.parameter.shape().elements());
    segments.push_back({.value = state.parameter.value(),
                        .gradient = state.parameter.gradient(),
                        .first = state.first.data(),
                        .second = state.second.data(),
                        .rounded = state.parameter.rounded(),
                        .origin = state.origin.data(),
                        .count = count,
                        .first_chunk = chunks_,
                        .start = state.start,
                        .learning_rate_scale = state.group.learning_rate_scale,
                        .weight_decay = state.group.weight_decay});
    elements_ += count;
    if (state.parameter.rounded() != nullptr) rounded_elements_ += count;
    if (state.group.to_start) origin_elements_ += count;
    chunks_ += kernels::update_chunks(count);
  }
  const std::size_t bytes = segments.size() * sizeof(UpdateSegment);
  segments_ = std::make_shared<Buffer>(context_.pool(Lifetime::persistent), bytes);
  context_.copy_and_wait(segments_->data(), segments.data(), bytes);
}

void Optimizer::step(bool advance) {
  const auto* segments = static_cast<const UpdateSegment*>(segments_->data());
  const int count = static_cast<int>(states_.size());
  const float* scale = nullptr;
  if (norm_.defined()) {
    scale = norm_.data() + 1;
    context_.run(kernels::GradientNorm{.segments = segments,
                                       .segment_count = count,
                                       .chunks = chunks_,
                                       .elements = elements_,
                                       .max_norm = options_.clip_norm,
                                       .norm = norm_.data(),
                                       .scale = norm_.data() + 1});
  }
  context_.run(kernels::Update{.segments = segments,
                               .segment_count = count,
                               .chunks = chunks_,
                               .elements = elements_,
                               .rounded_elements = rounded_elements_,
                               .origin_elements = origin_elements_,
                               .state = context_.step_state(),
                               .gradient_scale = scale,
                               .rule = options_.rule,
                               .momentum = options_.momentum,
                               .nesterov = options_.nesterov,
                               .beta1 = options_.beta1,
                               .beta2 = options_.beta2,
                               .epsilon = options_.epsilon,
                               .clip_value = options_.clip_value});
  if (advance) context_.advance_step();
}

StateDict Optimizer::state() const {
  StateDict state;
  for (const State& s : states_) {
    const auto add = [&](const Tensor& values, const char* suffix) {
      if (values.defined()) state[s.parameter.name() + suffix] = {s.parameter.shape(), read_plain(s.parameter, values)};
    };
    add(s.first, "/first");
    add(s.second, "/second");
    add(s.origin, "/origin");
    if (s.start > 0) state[s.parameter.name() + "/start"] = {{1}, {static_cast<float>(s.start)}};
  }
  return state;
}

void Optimizer::load(const StateDict& state) {
  const auto set = [&](const State& s, const Tensor& values, const char* suffix) {
    if (!values.defined()) return;
    const auto found = state.find(s.parameter.name() + suffix);
    require_data(found != state.end() && found->second.shape == s.parameter.shape(), "the optimizer state lacks ",
                 s.parameter.name(), suffix, " of ", s.parameter.shape());
    write_plain(s.parameter, values, found->second.values);
  };
  for (State& s : states_) {
    set(s, s.first, "/first");
    set(s, s.second, "/second");
    set(s, s.origin, "/origin");
    const auto start = state.find(s.parameter.name() + "/start");
    s.start = start == state.end() ? 0 : static_cast<std::int64_t>(start->second.values.at(0));
  }
  write_segments();
}

}  // namespace preceptor
