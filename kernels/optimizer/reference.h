// One optimizer update of one element, as torch.optim writes it: the specification that every device is tested against.
#pragma once

#include <algorithm>
#include <cmath>

#include "kernels/optimizer/optimizer.h"

namespace preceptor::kernels::reference {

template <class T>
struct UpdateSettings {
  UpdateRule rule;
  T learning_rate, weight_decay;
  bool with_buffer;  // sgd: has momentum
  T momentum;
  bool nesterov;
  T beta1, beta2, epsilon;
  T gradient_scale;
  T clip_value;    // 0: not clamped
  long long step;  // 1 for the first
};

template <class T>
struct UpdatedElement {
  T value, first, second;
  T origin = 0;  // of weight decay
};

template <class T>
UpdatedElement<T> update(const UpdateSettings<T>& s, UpdatedElement<T> element, T gradient) {
  gradient *= s.gradient_scale;
  if (s.clip_value > 0) gradient = std::clamp(gradient, -s.clip_value, s.clip_value);
  T& value = element.value;
  if (s.rule == UpdateRule::adamw)
    value -= s.learning_rate * s.weight_decay * (value - element.origin);
  else
    gradient += s.weight_decay * (value - element.origin);

  if (s.rule == UpdateRule::sgd) {
    if (s.with_buffer) {
      element.first = s.step == 1 ? gradient : s.momentum * element.first + gradient;
      gradient = s.nesterov ? gradient + s.momentum * element.first : element.first;
    }
    value -= s.learning_rate * gradient;
    return element;
  }
  element.first = s.beta1 * element.first + (1 - s.beta1) * gradient;
  element.second = s.beta2 * element.second + (1 - s.beta2) * gradient * gradient;
  const T step = static_cast<T>(s.step);
  const T correction1 = 1 - std::pow(s.beta1, step), correction2 = 1 - std::pow(s.beta2, step);
  const T deviation = std::sqrt(element.second) / std::sqrt(correction2) + s.epsilon;
  value -= s.learning_rate / correction1 * element.first / deviation;
  return element;
}

}  // namespace preceptor::kernels::reference
