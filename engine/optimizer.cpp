// The update of all parameters as one launch over a table of segments.
#include "engine/optimizer.h"

namespace preceptor {

using kernels::UpdateRule;
using kernels::UpdateSegment;

Optimizer::Optimizer(const std::vector<Parameters*>& parts, const OptimizerOptions& options)
    : context_(parts.at(0)->context()), options_(options) {
  require(options.clip_value >= 0 && options.clip_norm >= 0 && options.weight_decay >= 0,
          "optimizer: clipping and weight decay are not negative");
  std::vector<Parameter> all;
  for (Parameters* part : parts) {
    part->allocate_gradients();
    all.insert(all.end(), part->all().begin(), part->all().end());
  }
  const bool needs_first = options.rule != UpdateRule::sgd || options.momentum != 0;
  const bool needs_second = options.rule != UpdateRule::sgd;
  std::vector<UpdateSegment> segments;
  for (const Parameter& parameter : all) {
    if (!parameter.watched()) continue;
    const Shape flat{static_cast<int>(parameter.shape().elements())};
    State state{parameter, Tensor(), Tensor()};
    if (needs_first) state.first = context_.zeros(flat, Lifetime::persistent);
    if (needs_second) state.second = context_.zeros(flat, Lifetime::persistent);
    const auto count = static_cast<std::int64_t>(flat.elements());
    segments.push_back({.value = parameter.value(),
                        .gradient = parameter.gradient(),
                        .first = state.first.data(),
                        .second = state.second.data(),
                        .rounded = nullptr,
                        .count = count,
                        .first_chunk = chunks_,
                        .learning_rate_scale = 1,
                        .weight_decay = options.weight_decay});
    elements_ += count;
    chunks_ += kernels::update_chunks(count);
    states_.push_back(std::move(state));
  }
  require(!segments.empty(), "optimizer: no parameter is left to train");
  const std::size_t bytes = segments.size() * sizeof(UpdateSegment);
  segments_ = std::make_shared<Buffer>(context_.pool(Lifetime::persistent), bytes);
  context_.run(kernels::Copy{segments_->data(), segments.data(), bytes});
  context_.stream().synchronize();
  if (options.clip_norm > 0) norm_ = context_.zeros({2}, Lifetime::persistent);
}

void Optimizer::step() {
  const auto* segments = static_cast<const UpdateSegment*>(segments_->data());
  const int count = static_cast<int>(states_.size());
  const float* scale = nullptr;
  if (norm_.defined()) {
    scale = norm_.data() + 1;
    context_.run_with_workspace(kernels::GradientNorm{.segments = segments,
                                                      .segment_count = count,
                                                      .chunks = chunks_,
                                                      .elements = elements_,
                                                      .max_norm = options_.clip_norm,
                                                      .norm = norm_.data(),
                                                      .scale = norm_.data() + 1,
                                                      .workspace = nullptr});
  }
  context_.run(kernels::Update{.segments = segments,
                               .segment_count = count,
                               .chunks = chunks_,
                               .elements = elements_,
                               .rounded_elements = 0,
                               .state = context_.step_state(),
                               .gradient_scale = scale,
                               .rule = options_.rule,
                               .momentum = options_.momentum,
                               .nesterov = options_.nesterov,
                               .beta1 = options_.beta1,
                               .beta2 = options_.beta2,
                               .epsilon = options_.epsilon,
                               .clip_value = options_.clip_value});
  context_.run(kernels::AdvanceStep{context_.step_state()});
}

StateDict Optimizer::state() const {
  StateDict state;
  for (const State& s : states_) {
    if (s.first.defined())
      state[s.parameter.name() + "/first"] = {s.parameter.shape(), read_plain(s.parameter, s.first)};
    if (s.second.defined())
      state[s.parameter.name() + "/second"] = {s.parameter.shape(), read_plain(s.parameter, s.second)};
  }
  return state;
}

void Optimizer::load(const StateDict& state) {
  const auto set = [&](const State& s, const Tensor& moment, const char* suffix) {
    if (!moment.defined()) return;
    const auto found = state.find(s.parameter.name() + suffix);
    require_data(found != state.end() && found->second.shape == s.parameter.shape(), "the optimiser state lacks ",
                 s.parameter.name(), suffix, " of ", s.parameter.shape());
    write_plain(s.parameter, moment, found->second.values);
  };
  for (const State& s : states_) {
    set(s, s.first, "/first");
    set(s, s.second, "/second");
  }
}

}  // namespace preceptor
