// Parameters by name, and their conversion between device order and plain order.
#include "engine/parameters.h"

#include <algorithm>

#include "kernels/convolution/convolution.h"

namespace preceptor {
namespace {

kernels::WeightOrder plain_order(const kernels::WeightOrder& order) {
  kernels::WeightOrder plain = order;
  plain.out_block = plain.in_block = 1;
  return plain;
}

bool starts_with_any(const std::string& name, const std::vector<std::string>& prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [&](const std::string& prefix) { return name.starts_with(prefix); });
}

}  // namespace

std::vector<float> read_plain(const Parameter& parameter, const Tensor& values) {
  Context& context = values.context();
  std::vector<float> plain(values.shape().elements());
  Tensor ordered = values;
  if (parameter.kind() == ParameterKind::convolution) {
    ordered = context.empty({static_cast<int>(plain.size())});
    context.run(
        kernels::ReorderWeights{values.data(), ordered.data(), parameter.order(), plain_order(parameter.order())});
  }
  context.copy_and_wait(plain.data(), ordered.data(), plain.size() * sizeof(float));
  return plain;
}

void write_plain(const Parameter& parameter, const Tensor& values, const std::vector<float>& plain) {
  require(plain.size() == values.shape().elements(), parameter.name(), ": ", plain.size(), " values for ",
          parameter.shape());
  Context& context = values.context();
  const Tensor staged = context.empty({static_cast<int>(plain.size())});
  context.copy(staged.data(), plain.data(), plain.size() * sizeof(float));
  if (parameter.kind() == ParameterKind::convolution)
    context.run(
        kernels::ReorderWeights{staged.data(), values.data(), plain_order(parameter.order()), parameter.order()});
  else
    context.copy(values.data(), staged.data(), plain.size() * sizeof(float));
  context.stream().synchronize();
}

void set_values(const Parameter& parameter, const std::vector<float>& plain) {
  const Parameter::Entry& entry = *parameter.entry_;
  write_plain(parameter, entry.value, plain);
  if (entry.rounded.defined()) entry.value.copy_to(entry.rounded);
}

Parameter Parameters::add(const std::string& name, const Shape& shape, ParameterKind kind) {
  require(names_.insert(name).second, "parameter ", name, " is added twice");
  Parameter parameter;
  parameter.entry_ = std::make_shared<Parameter::Entry>();
  Parameter::Entry& entry = *parameter.entry_;
  entry.name = name;
  entry.shape = shape;
  entry.kind = kind;
  entry.trainable = kind != ParameterKind::buffer;
  if (kind == ParameterKind::convolution)
    entry.order = kernels::device_weight_order(context_.device(), shape[0], shape[1], shape[2], shape[3]);
  entry.value = context_.zeros({static_cast<int>(shape.elements())}, Lifetime::persistent);
  if (kind == ParameterKind::convolution && context_.map_storage() == Storage::bfloat16) {
    entry.rounded = context_.empty(entry.value.shape(), Storage::bfloat16, Lifetime::persistent);
    entry.value.copy_to(entry.rounded);
  }
  parameters_.push_back(parameter);
  return parameter;
}

Parameter Parameters::find(const std::string& name) const {
  for (const Parameter& parameter : parameters_)
    if (parameter.name() == name) return parameter;
  fail(ErrorKind::usage, "the model has no parameter ", name);
}

std::size_t Parameters::count() const {
  std::size_t total = 0;
  for (const Parameter& parameter : parameters_)
    if (parameter.kind() != ParameterKind::buffer) total += parameter.shape().elements();
  return total;
}

void Parameters::freeze(const std::string& prefix) {
  for (Parameter& parameter : parameters_)
    if (parameter.name().starts_with(prefix)) {
      parameter.entry_->trainable = false;
      parameter.entry_->gradient = Tensor();
    }
}

void Parameters::unfreeze(const std::string& prefix) {
  for (Parameter& parameter : parameters_)
    if (parameter.name().starts_with(prefix)) parameter.entry_->trainable = parameter.kind() != ParameterKind::buffer;
}

void Parameters::allocate_gradients() {
  for (Parameter& parameter : parameters_) {
    Parameter::Entry& entry = *parameter.entry_;
    if (entry.trainable && !entry.gradient.defined())
      entry.gradient = context_.zeros(entry.value.shape(), Lifetime::persistent);
  }
}

StateDict Parameters::state() const {
  StateDict state;
  for (const Parameter& parameter : parameters_)
    state[parameter.name()] = {parameter.shape(), read_plain(parameter, parameter.entry_->value)};
  return state;
}

StateDict Parameters::gradients() const {
  StateDict state;
  for (const Parameter& parameter : parameters_)
    if (parameter.requires_grad())
      state[parameter.name()] = {parameter.shape(), read_plain(parameter, parameter.entry_->gradient)};
  return state;
}

void Parameters::load(const StateDict& state, const std::vector<std::string>& except) {
  std::vector<std::string> problems;
  for (const Parameter& parameter : parameters_) {
    if (starts_with_any(parameter.name(), except)) continue;
    const auto found = state.find(parameter.name());
    if (found == state.end())
      problems.push_back(message("missing ", parameter.name()));
    else if (found->second.shape != parameter.shape())
      problems.push_back(message(parameter.name(), " is ", found->second.shape, ", the model has ", parameter.shape()));
  }
  for (const auto& [name, tensor] : state)
    if (!names_.contains(name) && !starts_with_any(name, except)) problems.push_back(message("unexpected ", name));
  if (!problems.empty()) {
    std::string text = "the weights are of another architecture: ";
    for (std::size_t i = 0; i < std::min<std::size_t>(problems.size(), 4); ++i) text += (i ? "; " : "") + problems[i];
    if (problems.size() > 4) text += message("; and ", problems.size() - 4, " more");
    throw Error(ErrorKind::data, text);
  }
  for (const Parameter& parameter : parameters_)
    if (!starts_with_any(parameter.name(), except)) set_values(parameter, state.at(parameter.name()).values);
}

}  // namespace preceptor
