// The update of all parameters as one launch over a table of segments.
#include "engine/optimizer.h"

#include <set>

#include "kernels/optimizer/optimizer.h"

namespace preceptor {

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
  UpdateSegments segments;
  for (const State& state : states_) {
    kernels::UpdateSegment& segment = segments.add(state.parameter);
    segment.first = state.first.data();
    segment.second = state.second.data();
    segment.origin = state.origin.data();
    segment.start = state.start;
    segment.learning_rate_scale = state.group.learning_rate_scale;
    segment.weight_decay = state.group.weight_decay;
  }
  segments.upload(context_);
  segments_ = std::move(segments);
}

void Optimizer::step(bool advance) {
  kernels::Update update = segments_.update(context_.step_state());
  if (norm_.defined()) {
    update.gradient_scale = norm_.data() + 1;
    context_.run(segments_.gradient_norm(options_.clip_norm, norm_.data(), norm_.data() + 1));
  }
  update.rule = options_.rule;
  update.momentum = options_.momentum;
  update.nesterov = options_.nesterov;
  update.beta1 = options_.beta1;
  update.beta2 = options_.beta2;
  update.epsilon = options_.epsilon;
  update.clip_value = options_.clip_value;
  context_.run(update);
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
