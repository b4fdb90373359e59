// Transfer methods: loss terms that pull a student towards a teacher. One method is one file in
// models/transfer/methods, which defines a class and a function with the name of the file that returns its MethodKind:
// the build finds them all (docs/adding_a_method.md).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "models/network.h"

namespace preceptor {

// A setting of a method. Its default says what it looks like.
struct MethodKey {
  enum class Kind {
    weight,    // a number of at least 0
    positive,  // a number above 0
    fraction,  // a number from 0 to 1
    count,     // a whole number from 1 to a million
    choice,    // one of `choices`
    taps,      // names joined by '+', or "stages", "middle" or "last"
  };
  std::string name, value;  // value: the default
  Kind kind;
  std::string meaning;
  std::vector<std::string> choices = {};
  // Other defaults beside a choice: {"reading=paper", "0.1"}.
  std::vector<std::pair<std::string, std::string>> defaults = {};
};

// Every key of the method with a valid value, as text: the shortest that reads back as the same number.
struct MethodSettings {
  std::string name;
  std::map<std::string, std::string> values;

  double number(const std::string& key) const;
  float real(const std::string& key) const { return static_cast<float>(number(key)); }
  const std::string& text(const std::string& key) const { return values.at(key); }
  std::vector<std::string> names(const std::string& key) const;  // the parts between '+'
};
std::string to_string(const MethodSettings& settings);

// "kd:temperature=4" by the keys of its method. Errors: usage, naming the keys that there are, or what a value must be.
MethodSettings parse_settings(const std::string& text, const std::vector<MethodKey>& keys);

// The inputs of a method's constructor.
struct MethodSetup {
  Context* context = nullptr;
  const Network* student = nullptr;
  const Network* teacher = nullptr;  // nullptr: none, or several that teach by their logits alone
  int height = 0, width = 0;         // of the student's images
  int teacher_height = 0, teacher_width = 0;
  int images = 0;            // in the training split
  bool multi_label = false;  // independent labels with NaN for unknown, else one class
  std::uint64_t seed = 0;    // for the method's own parameters
  // [images] of each its class, or nullptr where labels are independent.
  const std::vector<float>* classes = nullptr;
  std::function<void(const std::string&)> note = {};  // takes a remark for the user; may be empty
};

// One step: the outputs of both networks, and the labels and positions of the images.
struct TransferInput {
  const Features& student;
  const Features& teacher;  // empty without a teacher
  const Tensor& labels;     // as the label loss takes them
  // [rows] of each image in the training split, in device memory; of a mixture, of the image that has most of it.
  const std::int32_t* positions = nullptr;
  std::vector<Tensor> peers = {};  // logits of the networks that learn in the same step; empty without such
};

class TransferMethod {
 public:
  TransferMethod(const MethodSetup& setup, const MethodSettings& settings)
      : settings_(settings),
        weight_(settings.real("weight")),
        multi_label_(setup.multi_label),
        parameters_(*setup.context) {}
  virtual ~TransferMethod() = default;
  TransferMethod(const TransferMethod&) = delete;
  TransferMethod& operator=(const TransferMethod&) = delete;

  // Records the method's loss terms and returns them, each [rows], as weighted. The same calls in every step.
  virtual std::vector<Tensor> losses(const TransferInput& input) = 0;

  // Taps that losses() reads, of each network.
  const std::vector<std::string>& student_taps() const { return student_taps_; }
  const std::vector<std::string>& teacher_taps() const { return teacher_taps_; }

  // Parameters of its own: trained by the same optimizer and kept with the run, not part of the student. Names begin
  // with "transfer.", the method's name and a dot.
  Parameters& parameters() { return parameters_; }

 protected:
  // weight times T^2 KL(teacher || student) of outputs softened at T; per label where labels are independent.
  Tensor softened_loss(const TransferInput& in, const Tensor& student, const Tensor& teacher, float temperature,
                       float weight) const {
    return multi_label_ ? softened_binary_kl(student, teacher, in.labels, temperature, weight)
                        : softened_kl(student, teacher, temperature, weight);
  }

  const MethodSettings settings_;
  const float weight_;
  const bool multi_label_;
  std::vector<std::string> student_taps_, teacher_taps_;
  Parameters parameters_;
};

// The description of a method.
struct MethodKind {
  std::string name, summary;
  std::vector<MethodKey> keys;  // every method has "weight"; "warmup" and "end" are added
  bool needs_teacher = true;
  bool needs_peers = false;         // other networks that learn at the same time
  bool by_image = false;            // each image is a loss of its own, so some may be left out
  bool shares_with_labels = false;  // the labels get 1 - weight; else 1
  bool takes_mixtures = true;       // works with mixup; false: needs the class or index of a single image
  std::unique_ptr<TransferMethod> (*make)(const MethodSetup& setup, const MethodSettings& settings);
};

// For MethodKind::make.
template <class Method>
std::unique_ptr<TransferMethod> make(const MethodSetup& setup, const MethodSettings& settings) {
  return std::make_unique<Method>(setup, settings);
}

// All methods, in the order of their files' names.
const std::vector<MethodKind>& method_kinds();

// "kd:temperature=4,weight=0.9" with all settings filled in. Errors: usage, with the valid methods, keys or values.
MethodSettings parse_method(const std::string& text);
const MethodKind& kind_of(const MethodSettings& settings);

// The factor of a method's weight in an epoch (from 1): with warmup=W it grows to 1 over the first W epochs, epoch / W;
// with end=E it falls to 0 in epoch E, on a line from the end of the warm-up.
double weight_factor(const MethodSettings& settings, int epoch);
bool has_schedule(const MethodSettings& settings);

// The weight of the loss on labels beside a method whose weight has this factor.
double label_weight(const MethodSettings& settings, double factor = 1);

}  // namespace preceptor
