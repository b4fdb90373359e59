// Transfer methods: loss terms that pull a student towards a teacher.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "models/network.h"

namespace preceptor {

// "kd:temperature=4,weight=0.9" -> name "kd" and its numbers. Errors: usage, with the valid methods and keys.
struct TransferMethod {
  std::string name;                      // "kd" or "at"
  std::map<std::string, double> values;  // every key of the method, defaults filled in

  double label_weight() const;  // weight of the loss on labels: 1 - weight for kd, 1 for at
};
TransferMethod parse_transfer_method(const std::string& text);
std::string to_string(const TransferMethod& method);

// Records the method's loss terms and returns them (each [rows]). targets as the label loss takes them; multi_label
// selects the per-label binary form of kd.
std::vector<Tensor> transfer_losses(const TransferMethod& method, const Features& student, const Features& teacher,
                                    const Tensor& targets, bool multi_label);

}  // namespace preceptor
