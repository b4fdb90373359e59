// dml: weight * mean over the other peers of KL(peer || own), each with what it says in this step (Zhang et al. 2018);
// per label for multi-label data.
#include "models/transfer/method.h"

namespace preceptor {
namespace {

class Mutual : public TransferMethod {
 public:
  Mutual(const MethodSetup& setup, const MethodSettings& settings)
      : TransferMethod(setup),
        multi_label_(setup.multi_label),
        temperature_(settings.real("temperature")),
        weight_(settings.real("weight")) {}

  // The peers' own gradients do not come from here: to this network they are targets.
  std::vector<Tensor> losses(const TransferInput& in) override {
    require(!in.peers.empty(), "--method dml: there is no peer");
    const float weight = weight_ / static_cast<float>(in.peers.size());
    std::vector<Tensor> terms;
    for (const Tensor& peer : in.peers)
      terms.push_back(multi_label_ ? softened_binary_kl(in.student.logits, peer, in.labels, temperature_, weight)
                                   : softened_kl(in.student.logits, peer, temperature_, weight));
    return terms;
  }

 private:
  bool multi_label_;
  float temperature_, weight_;
};

}  // namespace

// The paper has neither a temperature nor a weight.
MethodKind mutual() {
  return {.name = "dml",
          .summary = "outputs of peers that learn at the same time",
          .keys = {{"temperature", "1", MethodKey::Kind::positive, "softens the outputs of all"},
                   {"weight", "1", MethodKey::Kind::weight, "of the term; the labels keep 1"}},
          .needs_teacher = false,
          .needs_peers = true,
          .by_image = true,
          .make = make<Mutual>};
}

}  // namespace preceptor
