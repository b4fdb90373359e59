// Teachers' logits and taps, computed once and kept in a file, so that further runs cost no more
// than without a teacher.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "apps/training/teachers/teachers.h"

namespace preceptor {

struct TeacherCacheOptions {
  std::string folder;             // made where it is missing
  bool rounded = false;           // bfloat16, half the size; else float, which changes no bit
  std::vector<std::string> taps;  // for a single teacher only
  LoaderOptions loader;           // batches of the training
  AugmentOptions motions;         // augmentation of the student's images
  // Text of all that makes images differ from epoch to epoch ("flip,mixup=0.4, shuffle"); empty: nothing does.
  std::string changes;
  int epochs = 0;
};

// If nothing changes images, a row belongs to an image, whatever the seed, the order and the number of epochs.
// Otherwise it belongs to an image of a step, so that the rows hold for this seed, batch size, sampling and number of
// epochs, and for any student. A file is found by the hash of all that decides its rows, which its metadata name: the
// teachers' weights, labels, normalization and shares, the images' ids and size, the batch size, the device, the
// changes. Every row also holds a hash of the bytes that the teachers saw, which is compared on every read: it is never
// stale.
//
// Opens the file; if there is none, notes its size and runs the teachers on all images. The weights of several teachers
// must have been set. Leaves the step state as it was. progress: called after every batch with the number of images
// that the teachers have seen. Errors: io, also if the disk is too small; data.
std::unique_ptr<Teacher> open_teacher_cache(
    Context& context, const Teachers& teachers, const Dataset& dataset, const TeacherCacheOptions& options,
    const Note& note, const std::function<void(std::uint64_t seen, std::uint64_t images)>& progress);

}  // namespace preceptor
