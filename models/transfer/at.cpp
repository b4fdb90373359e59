// weight * sum over stages of the mean squared difference of normalised attention maps.
#include "models/transfer/at.h"

namespace preceptor {

std::map<std::string, double> at_defaults() { return {{"weight", 1000}}; }

std::vector<Tensor> at_losses(const TransferMethod& method, const Features& student, const Features& teacher) {
  require(student.stages.size() == teacher.stages.size(), "--method at: the student has ", student.stages.size(),
          " stages and the teacher ", teacher.stages.size(), "; their maps cannot be paired");
  std::vector<Tensor> losses;
  for (std::size_t stage = 0; stage < student.stages.size(); ++stage)
    losses.push_back(attention_transfer(student.stages[stage], teacher.stages[stage],
                                        static_cast<float>(method.values.at("weight"))));
  return losses;
}

}  // namespace preceptor
