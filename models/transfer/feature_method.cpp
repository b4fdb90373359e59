// Pairs of taps, the rule for their sizes, and connectors.
#include "models/transfer/feature_method.h"

#include <algorithm>
#include <cmath>

#include "engine/initial_values.h"

namespace preceptor {
namespace {

constexpr int widest_window = 15;  // of average_pool

std::vector<Tap> taps_named(const Network& network, const std::vector<std::string>& names, int height, int width,
                            bool before_relu) {
  const bool stages = names.size() == 1 && (names[0] == "stages" || names[0] == "middle" || names[0] == "last");
  std::vector<Tap> found;
  if (stages) {
    for (const Tap& tap : network.taps(height, width))
      if (before_relu ? tap.before_relu : tap.ends_stage) found.push_back(tap);
    if (names[0] == "last") found.erase(found.begin(), found.end() - 1);
    if (names[0] == "middle") found = {found[(found.size() - 1) / 2]};
  } else {
    for (const std::string& name : names) found.push_back(network.tap(name, height, width));
  }
  return found;
}

// How many times the larger is the smaller; 0: no whole number, or not the same for height and width.
int ratio_of(int height, int width, int small_height, int small_width) {
  const int ratio = height / small_height;
  return height == ratio * small_height && width == ratio * small_width && ratio <= widest_window ? ratio : 0;
}

// Uniform in +-1 / sqrt(fan in).
void start(const Parameter& parameter, int fan_in, std::uint64_t seed) {
  const double scale = 1 / std::sqrt(static_cast<double>(fan_in));
  set_values(parameter, InitialValues(seed, parameter.name()).uniform_values(parameter.shape().elements(), scale));
}

}  // namespace

std::vector<MethodKey> with_taps(const std::string& tap, std::vector<MethodKey> keys) {
  keys.push_back({"tap", tap, MethodKey::Kind::taps, "what is read: stages, middle, last, or names joined by +"});
  keys.push_back({"teacher_tap", "same", MethodKey::Kind::taps, "of the teacher, where its names differ"});
  return keys;
}

FeatureMethod::FeatureMethod(const MethodSetup& setup, const MethodSettings& settings, PairRule rule)
    : TransferMethod(setup, settings), rule_(rule) {
  const std::vector<std::string> names = settings.names("tap");
  const std::string& others = settings.text("teacher_tap");
  const std::vector<Tap> student = taps_named(*setup.student, names, setup.height, setup.width, rule.before_relu);
  require(setup.teacher != nullptr, "--method ", settings.name,
          ": reads a teacher's maps, so it takes one teacher with its weights");
  const std::vector<Tap> teacher = taps_named(*setup.teacher, others == "same" ? names : settings.names("teacher_tap"),
                                              setup.teacher_height, setup.teacher_width, rule.before_relu);
  require(names[0] == "stages" || student.size() == teacher.size(), "--method ", settings.name, ": ", student.size(),
          " taps of the student and ", teacher.size(), " of the teacher cannot be paired");
  for (std::size_t left = std::min(student.size(), teacher.size()); left > 0; --left) {
    add_pair(student[student.size() - left], teacher[teacher.size() - left]);
    if (rule.one_size) require_one_size(settings, pairs_.back().student, pairs_.back().teacher);
  }
}

void FeatureMethod::add_pair(const Tap& student, const Tap& teacher) {
  student_taps_.push_back(student.name);
  teacher_taps_.push_back(teacher.name);
  pairs_.push_back({student, teacher});
}

std::vector<Tensor> FeatureMethod::losses(const TransferInput& in) {
  std::vector<Tensor> losses;
  for (std::size_t i = 0; i < pairs_.size(); ++i) {
    const Tensor &own = student_map(in, i), &other = teacher_map(in, i);
    const auto [student, teacher] = rule_.one_size ? at_one_size(own, other) : std::pair(own, other);
    for (const Tensor& loss : pair_losses(i, student, teacher)) losses.push_back(loss);
  }
  return losses;
}

void require_one_size(const MethodSettings& settings, const Tap& first, const Tap& second) {
  const Shape &a = first.shape, &b = second.shape;
  require(a.rank() == 3 && b.rank() == 3, "--method ", settings.name, ": ", a.rank() == 3 ? second.name : first.name,
          " is no map");
  const Shape &large = a[1] > b[1] ? a : b, &small = a[1] > b[1] ? b : a;
  require(ratio_of(large[1], large[2], small[1], small[2]) > 0, "--method ", settings.name, ": ", first.name, " is ",
          a[1], "x", a[2], " and ", second.name, " ", b[1], "x", b[2],
          "; the larger must be a multiple of the smaller, of at most ", widest_window);
}

Tensor mean_square(const Tensor& student, const Tensor& teacher, float weight) {
  return pointwise_loss(PointwiseLossKind::square, student, teacher,
                        weight / static_cast<float>(student.shape().elements()));
}

std::pair<Tensor, Tensor> at_one_size(const Tensor& first, const Tensor& second) {
  const int a = first.shape()[2], b = second.shape()[2];
  if (a > b) return {average_pool(first, a / b, a / b, 0), second};
  if (b > a) return {first, average_pool(second, b / a, b / a, 0)};
  return {first, second};
}

Parameter make_projection(Parameters& parameters, const std::string& name, int in, int out, std::uint64_t seed) {
  Parameter weight = parameters.add(name + ".weight", {out, in, 1, 1}, ParameterKind::convolution);
  start(weight, in, seed);
  return weight;
}

Regressor::Regressor(Parameters& parameters, const std::string& name, int in, int out, std::uint64_t seed, int kernel)
    : weight(parameters.add(name + ".weight", {out, in, kernel, kernel}, ParameterKind::convolution)),
      bias(parameters.add(name + ".bias", {out}, ParameterKind::plain)) {
  start(weight, in * kernel * kernel, seed);
  start(bias, in * kernel * kernel, seed);
}

Embedding::Embedding(Parameters& parameters, const std::string& name, int in, int out, std::uint64_t seed)
    : weight(parameters.add(name + ".weight", {out, in}, ParameterKind::plain)),
      bias(parameters.add(name + ".bias", {out}, ParameterKind::plain)) {
  start(weight, in, seed);
  start(bias, in, seed);
}

ConvolutionBatchNorm make_connector(Parameters& parameters, const std::string& name, int in, int out,
                                    std::uint64_t seed, int kernel) {
  ConvolutionBatchNorm connector(parameters, name + ".convolution", name + ".norm", in, out, kernel, 1);
  connector.options.direct = true;
  start(connector.weight, in * kernel * kernel, seed);
  for (const Parameter& one : {connector.norm.gamma, connector.norm.running_variance})
    set_values(one, std::vector<float>(one.shape().elements(), 1));
  return connector;
}

}  // namespace preceptor
