// The teacher of a training step: networks that see the step's images, or answers that were known before.
#pragma once

#include <string>
#include <vector>

#include "data/batches/loader.h"
#include "engine/ops.h"
#include "engine/staging.h"
#include "models/network.h"

namespace preceptor {

// The images of a step in device memory, and how the student sees them.
struct TeacherInput {
  const std::uint8_t* images;  // [batch, height, width, channels]
  Shape shape;                 // [batch, channels, height, width]
  const AugmentOptions& augmentation;
  const std::vector<std::string>& taps;  // that methods read from the teacher
};

class Teacher {
 public:
  virtual ~Teacher() = default;
  Teacher(const Teacher&) = delete;
  Teacher& operator=(const Teacher&) = delete;

  // Before step number `step` of the run (from 0): brings what is known of the batch to where features() finds it.
  // Errors: data, for images other than those that the answers are about.
  virtual void stage(const Batch&, std::int64_t, Staging&) {}

  // Within the step: logits of the student's labels, and taps. student: its logits, which stand for what the teacher
  // does not say; undefined if the teacher runs beside the student.
  virtual Features features(const TeacherInput& input, const Tensor& student) const = 0;

  // [outputs] whether the teacher knows the label.
  const std::vector<bool>& taught() const { return taught_; }

 protected:
  explicit Teacher(std::vector<bool> taught) : taught_(std::move(taught)) {}

  std::vector<bool> taught_;
};

// A network that sees the student's own input, for example the student's moving average. Keeps references.
class NetworkTeacher final : public Teacher {
 public:
  // learns: its parameters change from step to step.
  NetworkTeacher(Context& context, Network& network, bool learns)
      : Teacher(std::vector<bool>(static_cast<std::size_t>(network.options().outputs), true)),
        context_(context),
        network_(network),
        learns_(learns) {}

  Features features(const TeacherInput& input, const Tensor&) const override {
    if (learns_) network_.fold();
    return network_.forward(augment(context_, input.images, input.shape, input.augmentation), Mode::inference,
                            input.taps);
  }

 private:
  Context& context_;
  Network& network_;
  bool learns_;
};

}  // namespace preceptor
