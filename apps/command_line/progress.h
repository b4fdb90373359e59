// What long work says on stderr: a bar on a terminal, plain lines elsewhere.
#pragma once

#include <chrono>
#include <cstdio>

#include "apps/training/training.h"

namespace preceptor {

// A ProgressReport. A line per epoch stays; within an epoch a bar is redrawn on a terminal, and elsewhere a line comes
// only every 30 seconds. Color only on a terminal and without NO_COLOR (no-color.org).
class ProgressLine {
 public:
  explicit ProgressLine(std::FILE* out = stderr);
  void operator()(const Progress& progress);

 private:
  void draw_bar(const Progress& progress);
  void print_epoch(const Progress& progress);

  std::FILE* out_;
  bool terminal_, color_;
  bool bar_shown_ = false;
  std::chrono::steady_clock::time_point last_line_;
};

// The same for a number of images that is known beforehand: a bar on a terminal, a line every 30 seconds elsewhere.
class ImageProgress {
 public:
  explicit ImageProgress(std::size_t total, bool quiet = false, std::FILE* out = stderr);
  void operator()(std::size_t done);
  // A line that stays, also where it is quiet: an error.
  void note(const std::string& text);
  double seconds() const;  // since the start

 private:
  std::size_t total_;
  bool quiet_;
  std::FILE* out_;
  bool terminal_, color_;
  bool bar_shown_ = false;
  std::chrono::steady_clock::time_point start_, last_line_;
};

// "45 s", "3 min 20 s", "2 h 5 min".
std::string duration_text(double seconds);

}  // namespace preceptor
