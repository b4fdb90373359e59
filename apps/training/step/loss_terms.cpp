// Sums on the device, shares on the host.
#include "apps/training/step/loss_terms.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace preceptor {

LossTerms::LossTerms(Context& context, std::vector<std::string> names, std::vector<double> arguments,
                     Parameters& student)
    : context_(context),
      names_(std::move(names)),
      arguments_(std::move(arguments)),
      factors_(names_.size(), 1),
      meter_(student),
      device_factors_(context.zeros({static_cast<int>(names_.size())}, Lifetime::persistent)),
      norms_(context.zeros({static_cast<int>(names_.size())}, Lifetime::persistent)),
      totals_(context.pool(Lifetime::persistent), names_.size() * sizeof(double)),
      losses_(names_.size()),
      weighted_(names_.size()),
      shares_(names_.size()) {
  context_.copy_and_wait(totals_.data(), losses_.data(), losses_.size() * sizeof(double));
}

void LossTerms::set_factors(const std::vector<double>& factors) {
  settle();
  factors_ = factors;
  device_factors_.from_host(std::vector<float>(factors_.begin(), factors_.end()));
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
  for (std::size_t term = 0; term < norms.size(); ++term) sum += factors_[term] * norms[term];
  if (!(sum > 0) || !std::isfinite(sum)) return norms;
  for (std::size_t term = 0; term < norms.size(); ++term) shares_[term] += factors_[term] * norms[term] / sum;
  ++measured_;
  return norms;
}

void LossTerms::settle() {
  std::vector<double> totals(names_.size());
  const std::vector<double> zeros(names_.size());
  context_.copy(totals.data(), totals_.data(), totals.size() * sizeof(double));
  context_.copy_and_wait(totals_.data(), zeros.data(), zeros.size() * sizeof(double));
  for (std::size_t term = 0; term < totals.size(); ++term) {
    losses_[term] += totals[term];
    weighted_[term] += factors_[term] * totals[term];
  }
}

std::vector<TermSummary> LossTerms::finish_epoch(int steps) {
  settle();
  std::vector<TermSummary> terms;
  for (std::size_t i = 0; i < names_.size(); ++i)
    terms.push_back({names_[i], losses_[i] / steps / arguments_[i], weighted_[i] / steps,
                     measured_ > 0 ? shares_[i] / measured_ : std::numeric_limits<double>::quiet_NaN()});
  for (std::vector<double>* sums : {&losses_, &weighted_, &shares_}) std::fill(sums->begin(), sums->end(), 0.0);
  measured_ = 0;
  return terms;
}

double balanced_factor(double before, double share, double labels, double transfer) {
  constexpr double least = 1e-6, most = 1e6, way = 0.3;
  const double wanted = share / (1 - share) * labels / transfer;
  if (!(wanted > 0) || !std::isfinite(wanted)) return before;
  const double moved = before > 0 ? before * std::pow(wanted / before, way) : wanted;
  return std::clamp(moved, least, most);
}

}  // namespace preceptor
