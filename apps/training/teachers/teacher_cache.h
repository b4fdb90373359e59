// Teachers' logits and taps, computed once and kept in a file, so that further runs cost no more than without a
// teacher.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "apps/training/teachers/teacher_rows.h"
#include "apps/training/teachers/teachers.h"
#include "data/batches/loader.h"

namespace preceptor {

struct TeacherCacheOptions {
  std::string folder;             // made where it is missing
  bool rounded = false;           // bfloat16, half the size; else float, with which nothing changes by a bit
  std::vector<std::string> taps;  // of the only teacher
  LoaderOptions loader;           // of the training
  AugmentOptions motions;         // of the student's images
  // What makes images differ from epoch to epoch, in words ("flip,mixup=0.4, shuffle"); empty: nothing does.
  std::string changes;
  int epochs = 0;
};

// Where nothing changes images, a row belongs to an image, whatever the seed, the order and the number of epochs. Else
// to a step's image, so that the rows are of this seed, batch size, sampling and number of epochs, and of any student.
// A file is found by the hash of all that decides its rows, which its metadata name: the teachers' weights, labels,
// normalization and shares, the images' ids and size, the batch size, the device, the changes. Besides every row holds
// a hash of the bytes that the teachers saw, compared whenever the row is read: it is never stale.
//
// Opens the file; if there is none, notes its size and lets the teachers see all images. The weights of several must
// have been set. Leaves the step state as it was. Errors: io, also where the disk has not the room; data.
// progress: told after every batch how many of the images the teachers have seen.
std::unique_ptr<TeacherRows> open_teacher_cache(
    Context& context, const Teachers& teachers, const Dataset& dataset, const TeacherCacheOptions& options,
    const Teachers::Note& note, const std::function<void(std::uint64_t seen, std::uint64_t images)>& progress);

}  // namespace preceptor
