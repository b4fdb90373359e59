// Progress of long work on stderr: a bar on a terminal, plain lines elsewhere.
#pragma once

#include <chrono>

#include "apps/runs/progress.h"

namespace preceptor {

// The common part of the reports below. Color only on a terminal and without NO_COLOR (no-color.org).
class ProgressBar {
 public:
  ProgressBar();
  // Prints a line that stays.
  void note(const std::string& text);

 protected:
  using Clock = std::chrono::steady_clock;
  void clear();
  std::string bar(double fraction) const;  // "[####....]"

  bool terminal_, color_;
  bool shown_ = false;
  Clock::time_point last_line_ = Clock::now();
};

// A ProgressReport. A line per epoch stays; within an epoch a bar is redrawn on a terminal, and elsewhere a line comes
// only every 30 seconds.
class ProgressLine : public ProgressBar {
 public:
  void operator()(const Progress& progress);

 private:
  void print_epoch(const Progress& progress);
};

// The same for a known number of images: a bar on a terminal, a line every 30 seconds elsewhere, or, if it is quiet,
// nothing but notes.
class ImageProgress : public ProgressBar {
 public:
  explicit ImageProgress(std::size_t total, bool quiet = false) : total_(total), quiet_(quiet) {}
  void operator()(std::size_t done);
  double seconds() const;  // since the start

 private:
  std::size_t total_;
  bool quiet_;
  Clock::time_point start_ = Clock::now();
};

// "45 s", "3 min 20 s", "2 h 5 min".
std::string duration_text(double seconds);

}  // namespace preceptor
