// Sums on the device, shares on the host.
#include "apps/training/step/loss_terms.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/ops.h"

namespace preceptor {

LossTerms::LossTerms(Context& context, std::vector<Term> terms, Parameters& student)
    : context_(context),
      terms_(std::move(terms)),
      meter_(student),
      device_factors_(context.zeros({static_cast<int>(terms_.size())}, Lifetime::persistent)),
      norms_(context.zeros({static_cast<int>(terms_.size())}, Lifetime::persistent)),
      totals_(context.pool(Lifetime::persistent), terms_.size() * sizeof(double)) {
  const std::vector<double> zeros(terms_.size());
  context_.copy_and_wait(totals_.data(), zeros.data(), zeros.size() * sizeof(double));
}

void LossTerms::set_factors(const std::vector<double>& factors) {
  settle();
  for (std::size_t term = 0; term < terms_.size(); ++term) terms_[term].factor = factors[term];
  device_factors_.from_host(std::vector<float>(factors.begin(), factors.end()));
}

void LossTerms::add(std::size_t term, const Tensor& loss) {
  accumulate_sum(loss, static_cast<double*>(totals_.data()) + term);
}

void LossTerms::measure(const std::vector<std::pair<std::size_t, std::size_t>>& places) {
  for (std::size_t term = 0; term < places.size(); ++term) {
    meter_.clear();
    context_.tape().backward_only(places[term].first, places[term].second);
    meter_.measure(norms_.data() + term);
  }
}

std::vector<double> LossTerms::take_norms() {
  const std::vector<float> values = norms_.to_host();
  std::vector<double> norms(values.begin(), values.end());
  double sum = 0;
  for (std::size_t term = 0; term < norms.size(); ++term) sum += terms_[term].factor * norms[term];
  if (!(sum > 0) || !std::isfinite(sum)) return norms;
  for (std::size_t term = 0; term < norms.size(); ++term)
    terms_[term].sums.gradient_share += terms_[term].factor * norms[term] / sum;
  ++measured_;
  return norms;
}

void LossTerms::settle() {
  std::vector<double> totals(terms_.size());
  const std::vector<double> zeros(terms_.size());
  context_.copy(totals.data(), totals_.data(), totals.size() * sizeof(double));
  context_.copy_and_wait(totals_.data(), zeros.data(), zeros.size() * sizeof(double));
  for (std::size_t term = 0; term < totals.size(); ++term) {
    terms_[term].sums.loss += totals[term];
    terms_[term].sums.weighted_loss += terms_[term].factor * totals[term];
  }
}

std::vector<TermSummary> LossTerms::finish_epoch(int steps) {
  settle();
  std::vector<TermSummary> means;
  for (Term& term : terms_) {
    const TermSummary sums = std::exchange(term.sums, {});
    means.push_back({term.name, sums.loss / steps / term.argument, sums.weighted_loss / steps,
                     measured_ > 0 ? sums.gradient_share / measured_ : std::numeric_limits<double>::quiet_NaN()});
  }
  measured_ = 0;
  return means;
}

double balanced_factor(double before, double share, double labels, double transfer) {
  constexpr double least = 1e-6, most = 1e6, way = 0.3;
  const double wanted = share / (1 - share) * labels / transfer;
  if (!(wanted > 0) || !std::isfinite(wanted)) return before;
  const double moved = before > 0 ? before * std::pow(wanted / before, way) : wanted;
  return std::clamp(moved, least, most);
}

}  // namespace preceptor
