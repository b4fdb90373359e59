// dml: weight * mean over the other peers of KL(peer || own), each with what it says in this step (Zhang et al. 2018);
// per label for multi-label data.
#include "models/transfer/method.h"

namespace preceptor {
namespace {

class Mutual : public TransferMethod {
 public:
  using TransferMethod::TransferMethod;

  // The peers' own gradients do not come from here: to this network they are targets.
  std::vector<Tensor> losses(const TransferInput& in) override {
    require(!in.peers.empty(), "--method dml: there is no peer");
    const float weight = weight_ / static_cast<float>(in.peers.size());
    std::vector<Tensor> terms;
    for (const Tensor& peer : in.peers)
      terms.push_back(softened_loss(in, in.student.logits, peer, temperature_, weight));
    return terms;
  }

 private:
  const float temperature_ = settings_.real("temperature");
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
