// Progress bars, and the lines of finished epochs.
#include "apps/command_line/progress.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "engine/files/check.h"

namespace preceptor {
namespace {

bool environment_set(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0';
}

std::string work_text(const Progress& progress) {
  return progress.work.empty() ? message("epoch ", progress.epoch, "/", progress.epochs) : progress.work;
}

}  // namespace

std::string duration_text(double seconds) {
  if (!(seconds >= 0) || seconds > 1e7) return "?";
  const auto whole = static_cast<long>(std::lround(seconds));
  if (whole < 60) return message(whole, " s");
  if (whole < 3600) return message(whole / 60, " min ", whole % 60, " s");
  return message(whole / 3600, " h ", whole % 3600 / 60, " min");
}

ProgressBar::ProgressBar() {
  const char* kind = std::getenv("TERM");
  terminal_ = ::isatty(STDERR_FILENO) != 0 && kind != nullptr && std::strcmp(kind, "dumb") != 0;
  color_ = terminal_ && !environment_set("NO_COLOR");
}

void ProgressBar::note(const std::string& text) {
  clear();
  std::fprintf(stderr, "%s\n", text.c_str());
}

void ProgressBar::clear() {
  if (shown_) std::fputs("\r\033[K", stderr);
  shown_ = false;
}

std::string ProgressBar::bar(double fraction) const {
  constexpr int width = 24;
  const int filled = static_cast<int>(std::clamp(fraction, 0.0, 1.0) * width);
  const std::string done(static_cast<std::size_t>(filled), '#'), open(static_cast<std::size_t>(width - filled), '.');
  return "[" + (color_ ? "\033[32m" + done + "\033[0m" : done) + open + "]";
}

void ProgressLine::operator()(const Progress& progress) {
  const std::string left = duration_text(progress.seconds_left);
  if (!progress.note.empty()) {
    note(progress.note);
  } else if (progress.row) {
    print_epoch(progress);
  } else if (terminal_) {
    std::fprintf(stderr, "\r\033[K%s %s", work_text(progress).c_str(), bar(progress.fraction).c_str());
    if (progress.images_per_second > 0)
      std::fprintf(stderr, " %.0f images/s, %s left", progress.images_per_second, left.c_str());
    shown_ = true;
  } else if (progress.fraction > 0 && Clock::now() - last_line_ > std::chrono::seconds(30)) {
    std::fprintf(stderr, "%s  %3.0f %%  %.0f images/s  %s left\n", work_text(progress).c_str(), 100 * progress.fraction,
                 progress.images_per_second, left.c_str());
    last_line_ = Clock::now();
  }
}

void ProgressLine::print_epoch(const Progress& progress) {
  const EpochRow& row = *progress.row;
  clear();
  std::fprintf(stderr, "epoch %d/%d  loss %.4f  train AUC %.4f  val loss %.4f  val AUC %s%.4f%s  %.0f images/s",
               progress.epoch, progress.epochs, row.train_loss, row.train_auc, row.val_loss, color_ ? "\033[1m" : "",
               row.val_auc, color_ ? "\033[0m" : "", row.images_per_second);
  if (progress.epoch < progress.epochs) std::fprintf(stderr, "  %s left", duration_text(progress.seconds_left).c_str());
  std::fputs("\n", stderr);
  last_line_ = Clock::now();
}

double ImageProgress::seconds() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }

void ImageProgress::operator()(std::size_t done) {
  const auto now = Clock::now();
  if (quiet_ || done == 0 || now - last_line_ < (terminal_ ? std::chrono::milliseconds(100) : std::chrono::seconds(30)))
    return;
  last_line_ = now;
  const double rate = static_cast<double>(done) / seconds(),
               fraction = static_cast<double>(done) / static_cast<double>(total_);
  const std::string rest =
      message(std::lround(rate), " images/s, ", duration_text(static_cast<double>(total_ - done) / rate), " left");
  if (terminal_)
    std::fprintf(stderr, "\r\033[K%s %zu/%zu, %s", bar(fraction).c_str(), done, total_, rest.c_str());
  else
    std::fprintf(stderr, "%zu/%zu images, %s\n", done, total_, rest.c_str());
  shown_ = terminal_;
}

}  // namespace preceptor
