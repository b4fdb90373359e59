// The table of all methods, and what they have in common.
#include "models/transfer/method.h"

#include <algorithm>

#include "engine/files/text.h"

namespace preceptor {

#define METHOD(function) MethodKind function();
#include "transfer_methods.inc"
#undef METHOD

const std::vector<MethodKind>& method_kinds() {
  static const std::vector<MethodKind> kinds = [] {
    std::vector<MethodKind> all = {
#define METHOD(function) function(),
#include "transfer_methods.inc"
#undef METHOD
    };
    using Key = MethodKey::Kind;
    for (MethodKind& kind : all) {
      const bool grows =
          std::any_of(kind.keys.begin(), kind.keys.end(), [](const auto& k) { return k.name == "warmup"; });
      if (!grows) kind.keys.push_back({"warmup", "0", Key::weight, "epochs in which the weight grows"});
      kind.keys.push_back({"end", "0", Key::weight, "epoch by which the weight has fallen to 0; 0: it does not"});
    }
    return all;
  }();
  return kinds;
}

MethodSettings parse_method(const std::string& text) {
  const std::string name = text.substr(0, text.find(':'));
  for (const MethodKind& kind : method_kinds()) {
    if (kind.name == name) {
      MethodSettings settings = parse_settings(text, kind.keys);
      require(!kind.shares_with_labels || settings.number("weight") <= 1, "--method ", text,
              ": the weight is at most 1, the labels get the rest");
      const double warmup = settings.number("warmup"), end = settings.number("end");
      require(end == 0 || end > warmup, "--method ", text, ": the weight is 0 from epoch ", end,
              " on, before its warm-up of ", warmup, " epochs is over");
      return settings;
    }
  }
  fail(ErrorKind::usage, "--method ", text, ": there is no method ", name, "; the methods are ",
       list(method_kinds(), &MethodKind::name));
}

const MethodKind& kind_of(const MethodSettings& settings) {
  const auto& kinds = method_kinds();
  return *std::find_if(kinds.begin(), kinds.end(), [&](const MethodKind& kind) { return kind.name == settings.name; });
}

double weight_factor(const MethodSettings& settings, int epoch) {
  const double warmup = settings.number("warmup"), end = settings.number("end");
  const double grown = epoch < warmup ? epoch / warmup : 1;
  const double left = end > 0 ? std::clamp((end - epoch) / (end - warmup), 0.0, 1.0) : 1;
  return std::min(grown, left);
}

bool has_schedule(const MethodSettings& settings) {
  return settings.number("warmup") > 0 || settings.number("end") > 0;
}

double label_weight(const MethodSettings& settings, double factor) {
  return kind_of(settings).shares_with_labels ? 1 - factor * settings.number("weight") : 1;
}

}  // namespace preceptor
