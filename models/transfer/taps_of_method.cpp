// Pairs of taps, and the rule for their sizes.
#include "models/transfer/taps_of_method.h"

#include <algorithm>

namespace preceptor {
namespace {

constexpr int widest_window = 15;  // of average_pool

std::vector<Tap> taps_named(const Network& network, const std::vector<std::string>& names, int height, int width,
                            bool before_relu) {
  const bool stages = names.size() == 1 && (names[0] == "stages" || names[0] == "last");
  std::vector<Tap> found;
  if (stages) {
    for (const Tap& tap : network.taps(height, width))
      if (before_relu ? tap.before_relu : tap.ends_stage) found.push_back(tap);
    if (names[0] == "last") found.erase(found.begin(), found.end() - 1);
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

}  // namespace

std::vector<MethodKey> tap_keys(const std::string& tap) {
  return {{"tap", tap, MethodKey::Kind::taps, "what is read: stages, last, or names joined by +"},
          {"teacher_tap", "same", MethodKey::Kind::taps, "of the teacher, where its names differ"}};
}

std::vector<TapPair> pair_taps(const MethodSetup& setup, const MethodSettings& settings, bool before_relu) {
  const std::vector<std::string> names = settings.names("tap"), others = settings.names("teacher_tap");
  const std::vector<Tap> student = taps_named(*setup.student, names, setup.height, setup.width, before_relu);
  const std::vector<Tap> teacher =
      taps_named(*setup.teacher, others == std::vector<std::string>{"same"} ? names : others, setup.height, setup.width,
                 before_relu);
  const bool by_stage = names[0] == "stages";
  require(by_stage || student.size() == teacher.size(), "--method ", settings.name, ": ", student.size(),
          " taps of the student and ", teacher.size(), " of the teacher cannot be paired");
  std::vector<TapPair> pairs(std::min(student.size(), teacher.size()));
  for (std::size_t i = 0; i < pairs.size(); ++i)
    pairs[i] = {student[student.size() - pairs.size() + i], teacher[teacher.size() - pairs.size() + i]};
  return pairs;
}

std::pair<int, int> size_after(const MethodSettings& settings, const TapPair& pair) {
  const Shape &s = pair.student.shape, &t = pair.teacher.shape;
  require(s.rank() == 3 && t.rank() == 3, "--method ", settings.name, ": ", pair.student.name, " or ",
          pair.teacher.name, " is no map");
  const bool student_is_larger = s[1] > t[1];
  const Shape &large = student_is_larger ? s : t, &small = student_is_larger ? t : s;
  require(ratio_of(large[1], large[2], small[1], small[2]) > 0, "--method ", settings.name, ": ", pair.student.name,
          " of the student is ", s[1], "x", s[2], " and ", pair.teacher.name, " of the teacher ", t[1], "x", t[2],
          "; the larger must be a multiple of the smaller, of at most ", widest_window);
  return {small[1], small[2]};
}

std::pair<Tensor, Tensor> at_one_size(const Tensor& student, const Tensor& teacher) {
  const int s = student.shape()[2], t = teacher.shape()[2];
  if (s > t) return {average_pool(student, s / t, s / t, 0), teacher};
  if (t > s) return {student, average_pool(teacher, t / s, t / s, 0)};
  return {student, teacher};
}

}  // namespace preceptor
