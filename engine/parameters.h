// The named values of a model: trainable parameters with gradients, and buffers.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "engine/context.h"
#include "engine/files/shape.h"
#include "kernels/convolution/weight_order.h"

namespace preceptor {

enum class ParameterKind {
  convolution,  // [out, in, height, width], held in the device's weight order
  plain,        // any shape, row-major
  buffer,       // plain, never trained: running mean and variance
};

// A handle; copies mean the same parameter.
class Parameter {
 public:
  const std::string& name() const { return entry_->name; }
  const Shape& shape() const { return entry_->shape; }  // in plain order
  ParameterKind kind() const { return entry_->kind; }
  Context& context() const { return entry_->value.context(); }
  float* value() const { return entry_->value.data(); }        // in device order; what the optimizer moves
  float* gradient() const { return entry_->gradient.data(); }  // nullptr before allocate_gradients() or when frozen
  // The value that convolutions of maps stored as T read: value() itself, or its rounded copy, which the optimizer and
  // load() keep up to date. Kind convolution only.
  template <class T>
  const T* value_for() const {
    return (storage_of<T> == Storage::float32 ? entry_->value : entry_->rounded).template data<T>();
  }
  // That copy; nullptr if maps are stored as float.
  kernels::bfloat16* rounded() const { return entry_->rounded.data<kernels::bfloat16>(); }
  bool trainable() const { return entry_->trainable; }
  // Trainable, and with memory for its gradient.
  bool requires_grad() const { return entry_->trainable && entry_->gradient.defined(); }
  const kernels::WeightOrder& order() const { return entry_->order; }  // kind convolution only

 private:
  friend class Parameters;
  friend void set_values(const Parameter&, const std::vector<float>&);
  struct Entry {
    std::string name;
    Shape shape;
    ParameterKind kind;
    kernels::WeightOrder order{};
    Tensor value, gradient;
    Tensor rounded;  // kind convolution, if maps are stored as bfloat16
    bool trainable = false;
  };
  std::shared_ptr<Entry> entry_;
};

// Values of a device tensor laid out like the parameter (its value, gradient or a moment), in plain order.
std::vector<float> read_plain(const Parameter& parameter, const Tensor& values);
void write_plain(const Parameter& parameter, const Tensor& values, const std::vector<float>& plain);

// Sets a parameter and its rounded copy.
void set_values(const Parameter& parameter, const std::vector<float>& plain);

// All parameters of a model, in the order they were added.
class Parameters {
 public:
  explicit Parameters(Context& context) : context_(context) {}

  // Adds a parameter of zeros. Names are unique and those of torchvision.
  Parameter add(const std::string& name, const Shape& shape, ParameterKind kind);

  Context& context() const { return context_; }
  const std::vector<Parameter>& all() const { return parameters_; }
  Parameter find(const std::string& name) const;  // throws with the name if there is none
  std::size_t count() const;                      // trainable and frozen values, without buffers

  // Parameters whose name starts with the prefix are no longer trained, or are trained again.
  void freeze(const std::string& prefix);
  void unfreeze(const std::string& prefix);
  // Gives every trainable parameter a gradient; before the first step, after freeze().
  void allocate_gradients();

  StateDict state() const;
  StateDict gradients() const;  // of the parameters that have one
  // Sets every parameter. Throws, naming the first differing keys, unless names and shapes are exactly those of the
  // model; nothing is set then. Names that start with an entry of `except` keep their value and may be absent or of
  // another shape (a new head).
  void load(const StateDict& state, const std::vector<std::string>& except = {});

 private:
  Context& context_;
  std::vector<Parameter> parameters_;
  std::set<std::string> names_;
};

}  // namespace preceptor
