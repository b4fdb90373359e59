// Everything that trains one run, or several that learn together: device, data, students and teacher; and the loop over
// their epochs.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "apps/training/student.h"
#include "apps/training/teachers/teachers.h"
#include "engine/schedule.h"

namespace preceptor {

// Whoever teaches the students.
struct Teaching {
  std::unique_ptr<Teachers> networks;   // checkpoints; null: none
  std::unique_ptr<Teacher> substitute;  // in the steps: cached answers, a prediction table or the student's average
  Predictions on_validation;            // of the networks, to compare the student with; empty: not compared

  Teacher* in_steps() const { return substitute ? substitute.get() : networks.get(); }
};

struct TrainingSetup {
  std::unique_ptr<Context> context;  // outlives everything that holds device memory
  std::unique_ptr<const TrainingData> data;
  LoaderOptions batches;

  std::vector<Student> students;  // of each run
  Teaching teaching;

  Schedule schedule;
};

// Sets up training for runs that learn together, which is one run or several peers, and restores what they had reached.
// Everything is checked against everything else, and nothing is written but the teacher cache. given: the data if they
// are open already, else null. Errors: usage, data, missing_input, io.
TrainingSetup make_setup(std::unique_ptr<Context> context, std::span<Run> runs, const Dataset* given);

// Trains the epochs that are left of runs that learn together, each step of all at once; a run that learns alone is a
// list of one. All have started. Every epoch is validated and committed, for all runs or for none.
void train_together(std::span<Run> runs, TrainingSetup& setup);

// Tests the best epoch of a run that has trained: writes the predictions, the operating point and result.json.
TrainingResult test_run(Run& run, const Student& student, Context& context, const Dataset& data);

}  // namespace preceptor
