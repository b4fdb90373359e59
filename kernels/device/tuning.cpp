// Choosing by the clock, and the text of choices.
#include "kernels/device/tuning.h"

#include <algorithm>
#include <limits>
#include <sstream>

#include "kernels/device/error.h"

namespace preceptor::kernels {

std::optional<int> Tuning::chosen(const std::string& what, const std::vector<std::string>& candidates) const {
  const auto found = choices_.find(what);
  if (found == choices_.end()) return std::nullopt;
  const auto place = std::find(candidates.begin(), candidates.end(), found->second);
  if (place == candidates.end()) return std::nullopt;
  return static_cast<int>(place - candidates.begin());
}

int Tuning::choose(const std::string& what, const std::vector<std::string>& candidates, const Seconds& seconds_of) {
  if (const std::optional<int> before = chosen(what, candidates)) return *before;
  constexpr int repeats = 3;
  int best = 0;
  double least = std::numeric_limits<double>::infinity();
  for (int i = 0; i < static_cast<int>(candidates.size()); ++i) {
    double seconds = seconds_of(i);  // unmeasured: plans, caches and clocks warm up
    if (seconds == std::numeric_limits<double>::infinity()) continue;
    seconds = seconds_of(i);
    for (int repeat = 1; repeat < repeats; ++repeat) seconds = std::min(seconds, seconds_of(i));
    if (seconds >= least) continue;
    least = seconds;
    best = i;
  }
  choices_[what] = candidates.at(static_cast<std::size_t>(best));
  return best;
}

std::string Tuning::text() const {
  std::string text;
  for (const auto& [what, choice] : choices_) text += what + '\t' + choice + '\n';
  return text;
}

void Tuning::read(const std::string& text, const std::string& name) {
  std::map<std::string, std::string> choices;
  std::istringstream lines(text);
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    const std::size_t tab = line.find('\t');
    if (tab == 0 || tab == std::string::npos || tab + 1 == line.size() || line.find('\t', tab + 1) != std::string::npos)
      throw Error(ErrorKind::data, name + " line " + std::to_string(number) +
                                       ": not what is computed, a tab and the name of what computes it");
    choices[line.substr(0, tab)] = line.substr(tab + 1);
  }
  for (auto& [what, choice] : choices) choices_[what] = std::move(choice);
}

Tuning& tuning() {
  static Tuning tuning;
  return tuning;
}

}  // namespace preceptor::kernels
