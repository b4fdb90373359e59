// Which of several ways to compute the same is taken: measured once for each shape, kept as text, and taken again.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace preceptor::kernels {

// Knows no device: who measures says what is measured. Not for several threads at once.
class Tuning {
 public:
  // Seconds that a candidate takes, by its index; infinity where it cannot be run.
  using Seconds = std::function<double(int candidate)>;

  // The candidate of this name that was chosen for `what` before; nothing if none was or it is not among them now.
  std::optional<int> chosen(const std::string& what, const std::vector<std::string>& candidates) const;

  // The one chosen before, or else the fastest, which is then the chosen one: the first of equally fast ones, and
  // candidate 0 if none can be run. Each is run once unmeasured, then three times; its smallest time counts.
  int choose(const std::string& what, const std::vector<std::string>& candidates, const Seconds& seconds_of);

  bool empty() const { return choices_.empty(); }

  // A line for each choice, sorted: what, a tab, the candidate's name.
  std::string text() const;
  // Takes the choices of such a text in addition, in place of those for the same. Errors: data, with `name` and the
  // line, for anything else than such lines; nothing is taken then.
  void read(const std::string& text, const std::string& name);

 private:
  std::map<std::string, std::string> choices_;
};

// The choices of all families of this process.
Tuning& tuning();

}  // namespace preceptor::kernels
