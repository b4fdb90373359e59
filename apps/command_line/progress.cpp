// Progress bars, and the lines of finished epochs.
#include "apps/command_line/progress.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>

#include "engine/files/check.h"

namespace preceptor {
namespace {

bool environment_set(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0';
}

bool is_terminal(std::FILE* out) {
  const char* kind = std::getenv("TERM");
  return ::isatty(::fileno(out)) != 0 && kind != nullptr && std::strcmp(kind, "dumb") != 0;
}

// "[####....]"
std::string bar(double fraction, bool color) {
  constexpr int width = 24;
  const int filled = static_cast<int>(std::clamp(fraction, 0.0, 1.0) * width);
  const std::string done(static_cast<std::size_t>(filled), '#'), open(static_cast<std::size_t>(width - filled), '.');
  return "[" + (color ? "\033[32m" + done + "\033[0m" : done) + open + "]";
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

ProgressLine::ProgressLine(std::FILE* out) : out_(out), last_line_(std::chrono::steady_clock::now()) {
  terminal_ = is_terminal(out);
  color_ = terminal_ && !environment_set("NO_COLOR");
}

void ProgressLine::operator()(const Progress& progress) {
  if (!progress.note.empty()) {
    if (bar_shown_) std::fputs("\r\033[K", out_);
    bar_shown_ = false;
    std::fprintf(out_, "%s\n", progress.note.c_str());
  } else if (progress.row) {
    print_epoch(progress);
  } else if (terminal_) {
    draw_bar(progress);
  } else if (progress.fraction > 0 && std::chrono::steady_clock::now() - last_line_ > std::chrono::seconds(30)) {
    std::fprintf(out_, "%s  %3.0f %%  %.0f images/s  %s left\n", work_text(progress).c_str(), 100 * progress.fraction,
                 progress.images_per_second, duration_text(progress.seconds_left).c_str());
    last_line_ = std::chrono::steady_clock::now();
  }
  std::fflush(out_);
}

void ProgressLine::draw_bar(const Progress& progress) {
  std::fprintf(out_, "\r\033[K%s %s", work_text(progress).c_str(), bar(progress.fraction, color_).c_str());
  if (progress.images_per_second > 0)
    std::fprintf(out_, " %.0f images/s, %s left", progress.images_per_second,
                 duration_text(progress.seconds_left).c_str());
  bar_shown_ = true;
}

void ProgressLine::print_epoch(const Progress& progress) {
  const EpochRow& row = *progress.row;
  if (bar_shown_) std::fputs("\r\033[K", out_);
  bar_shown_ = false;
  std::fprintf(out_, "epoch %d/%d  loss %.4f  train AUC %.4f  val loss %.4f  val AUC %s%.4f%s  %.0f images/s",
               progress.epoch, progress.epochs, row.train_loss, row.train_auc, row.val_loss, color_ ? "\033[1m" : "",
               row.val_auc, color_ ? "\033[0m" : "", row.images_per_second);
  if (progress.epoch < progress.epochs) std::fprintf(out_, "  %s left", duration_text(progress.seconds_left).c_str());
  std::fputs("\n", out_);
  last_line_ = std::chrono::steady_clock::now();
}

ImageProgress::ImageProgress(std::size_t total, bool quiet, std::FILE* out)
    : total_(total),
      quiet_(quiet),
      out_(out),
      terminal_(is_terminal(out)),
      color_(terminal_ && !environment_set("NO_COLOR")),
      start_(std::chrono::steady_clock::now()),
      last_line_(start_) {}

double ImageProgress::seconds() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
}

void ImageProgress::operator()(std::size_t done) {
  const auto now = std::chrono::steady_clock::now();
  if (quiet_ || done == 0 || now - last_line_ < (terminal_ ? std::chrono::milliseconds(100) : std::chrono::seconds(30)))
    return;
  last_line_ = now;
  const double rate = static_cast<double>(done) / seconds(),
               fraction = static_cast<double>(done) / static_cast<double>(total_);
  const std::string rest =
      message(std::lround(rate), " images/s, ", duration_text(static_cast<double>(total_ - done) / rate), " left");
  if (terminal_)
    std::fprintf(out_, "\r\033[K%s %zu/%zu, %s", bar(fraction, color_).c_str(), done, total_, rest.c_str());
  else
    std::fprintf(out_, "%zu/%zu images, %s\n", done, total_, rest.c_str());
  bar_shown_ = terminal_;
  std::fflush(out_);
}

void ImageProgress::note(const std::string& text) {
  std::fprintf(out_, "%s%s\n", bar_shown_ ? "\r\033[K" : "", text.c_str());
  bar_shown_ = false;
  std::fflush(out_);
}

}  // namespace preceptor
