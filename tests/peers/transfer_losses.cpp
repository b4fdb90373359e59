// Loss and gradients of a transfer method for given outputs and maps, for comparison with its published definition:
//   transfer-losses CASE.safetensors OUT.safetensors
// CASE's metadata name the method, both networks (for their taps), the images' size, and whether labels are
// independent; its tensors are labels, positions and classes (of all training images), student/logits, student/TAP and
// the same of the teacher, the logits of peers, peer/NUMBER, and what parameters of the teacher are set to,
// teacher_parameter/NAME. OUT gets the rows of every loss term, the gradient by everything of the student's, and what
// the method learns with its gradient.
#include <cmath>
#include <cstdio>

#include "engine/files/check.h"
#include "models/registry.h"
#include "models/transfer/method.h"

namespace preceptor {
namespace {

std::string text_of(const Metadata& metadata, const std::string& key) {
  const auto found = metadata.find(key);
  require_data(found != metadata.end(), "the case does not say its ", key);
  return found->second;
}

class Case {
 public:
  explicit Case(Checkpoint given) : given_(std::move(given)) {}

  StateDict run() {
    const MethodSettings settings = parse_method(text("method"));
    const auto student = network("student"), teacher = network("teacher");
    StateDict known_parameters = teacher->parameters().state();
    for (const auto& [name, plain] : given_.tensors)
      if (const std::string prefix = "teacher_parameter/"; name.starts_with(prefix))
        known_parameters.at(name.substr(prefix.size())).values = plain.values;
    teacher->parameters().load(known_parameters);
    const std::vector<float>& classes = given_.tensors.at("classes").values;
    const MethodSetup setup{.context = context_.get(),
                            .student = student.get(),
                            .teacher = teacher.get(),
                            .height = std::stoi(text("height")),
                            .width = std::stoi(text("width")),
                            .teacher_height = std::stoi(text("height")),
                            .teacher_width = std::stoi(text("width")),
                            .images = static_cast<int>(classes.size()),
                            .multi_label = text("multi_label") == "yes",
                            .seed = 5,
                            .classes = &classes};
    const auto method = kind_of(settings).make(setup, settings);
    StateDict result;
    method->parameters().allocate_gradients();
    for (const auto& [name, tensor] : method->parameters().state()) result["parameter/" + name] = tensor;
    Features of_student = features("student/", true), of_teacher = features("teacher/", false);
    const Tensor labels = tensor("labels");
    std::vector<std::int32_t> rows;
    for (const float position : given_.tensors.at("positions").values)
      rows.push_back(static_cast<std::int32_t>(position));
    std::vector<float> known = labels.to_host();
    for (float& label : known)
      if (label < 0) label = NAN;
    labels.from_host(known);
    std::vector<Tensor> peers;
    for (const auto& [name, plain] : given_.tensors)
      if (name.starts_with("peer/")) peers.push_back(tensor(name));
    int term = 0;
    for (const Tensor& loss : method->losses({of_student, of_teacher, labels, rows.data(), peers}))
      result["loss/" + std::to_string(term++)] = {loss.shape(), loss.to_host()};
    context_->tape().backward();
    for (const auto& [name, values] : watched_) {
      const Tensor gradient = context_->tape().gradient(values);
      if (gradient.defined()) result["gradient/" + name] = {gradient.shape(), gradient.to_host()};
    }
    for (const auto& [name, values] : method->parameters().gradients()) result["gradient/parameter/" + name] = values;
    context_->tape().clear();
    return result;
  }

 private:
  std::string text(const std::string& key) const { return text_of(given_.metadata, key); }
  std::unique_ptr<Network> network(const std::string& whose) {
    return make_model(*context_, {.name = text(whose), .in_channels = 1, .outputs = 5});
  }
  Tensor tensor(const std::string& name) {
    const PlainTensor& plain = given_.tensors.at(name);
    const Tensor values = context_->empty(plain.shape, Lifetime::persistent);
    values.from_host(plain.values);
    return values;
  }
  Features features(const std::string& prefix, bool watched) {
    Features features;
    for (const auto& [name, plain] : given_.tensors) {
      if (!name.starts_with(prefix)) continue;
      Tensor values = tensor(name);
      if (watched) {
        context_->tape().watch(values);
        watched_[name] = values;
      }
      const std::string own = name.substr(prefix.size());
      (own == "logits" ? features.logits : features.taps[own]) = values;
    }
    return features;
  }

  std::unique_ptr<Context> context_ = Context::on_cpu(2, 0);
  Checkpoint given_;
  std::map<std::string, Tensor> watched_;
};

}  // namespace
}  // namespace preceptor

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: transfer-losses CASE.safetensors OUT.safetensors\n");
    return 64;
  }
  try {
    preceptor::save_safetensors(argv[2], preceptor::Case(preceptor::load_safetensors(argv[1])).run(), {});
    return 0;
  } catch (const preceptor::Error& error) {
    std::fprintf(stderr, "transfer-losses: %s\n", error.what());
    return static_cast<int>(error.kind());
  }
}
