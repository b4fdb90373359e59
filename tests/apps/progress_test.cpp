// What apps say on stderr: bars and colors on a terminal alone, no color under NO_COLOR, nothing with --quiet.
#include <pty.h>

#include "process.h"

namespace preceptor::test {
namespace {

// Runs the app in the folder with a terminal of its own and returns all it wrote there.
std::string on_a_terminal(const Workplace& place, const Arguments& arguments, const char* no_color, const char* term) {
  int terminal = -1;
  const pid_t child = ::forkpty(&terminal, nullptr, nullptr, nullptr);
  if (child == 0) {
    ::setenv("OMP_WAIT_POLICY", "passive", 1);
    ::setenv("TERM", term, 1);
    ::unsetenv("NO_COLOR");
    if (no_color != nullptr) ::setenv("NO_COLOR", no_color, 1);
    std::vector<std::string> texts = arguments;
    std::vector<char*> pointers;
    for (std::string& text : texts) pointers.push_back(text.data());
    pointers.push_back(nullptr);
    const std::string program = std::string(PRECEPTOR_BIN_DIR) + "/" + arguments[0];
    if (::chdir(place.path("").c_str()) == 0) ::execv(program.c_str(), pointers.data());
    ::_exit(127);
  }
  std::string written;
  char some[4096];
  // A terminal whose other side is gone gives EIO.
  for (ssize_t count; (count = ::read(terminal, some, sizeof some)) > 0;)
    written.append(some, static_cast<std::size_t>(count));
  ::close(terminal);
  int status = -1;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0) << written;
  return written;
}

const std::string redraw = "\r\033[K", color = "\033[";

TEST(Progress, BarAndColorOnATerminal) {
  const Workplace place;
  const std::string written = on_a_terminal(place, tiny_training("run"), nullptr, "xterm");
  EXPECT_NE(written.find(redraw + "epoch 1/2 ["), std::string::npos) << written;
  EXPECT_NE(written.find("\033[1m"), std::string::npos) << written;
  EXPECT_NE(written.find("epoch 2/2  loss"), std::string::npos) << written;
}

// Ahead of the epochs.
TEST(Progress, FillingATeacherCache) {
  const Workplace place;
  place.run(tiny_training("teacher"));
  const std::string written =
      on_a_terminal(place, tiny_distillation("student", {"--teacher-cache", "auto"}), nullptr, "xterm");
  EXPECT_NE(written.find(redraw + "teacher cache ["), std::string::npos) << written;
  EXPECT_NE(written.find(redraw + "epoch 1/2"), std::string::npos) << written;
}

TEST(Progress, NoColor) {
  const Workplace place;
  std::string written = on_a_terminal(place, tiny_training("run"), "1", "xterm");
  EXPECT_NE(written.find(redraw), std::string::npos) << written;
  for (std::size_t at; (at = written.find(redraw)) != std::string::npos;) written.erase(at, redraw.size());
  EXPECT_EQ(written.find(color), std::string::npos) << written;
  // no-color.org: an empty value is none.
  EXPECT_NE(on_a_terminal(place, tiny_training("empty"), "", "xterm").find("\033[1m"), std::string::npos);
}

TEST(Progress, PlainLinesElsewhere) {
  const Workplace place;
  EXPECT_EQ(on_a_terminal(place, tiny_training("dumb"), nullptr, "dumb").find('\033'), std::string::npos);
  Process process = place.start(tiny_training("file"));
  ASSERT_EQ(process.wait(), 0) << process.err();
  EXPECT_EQ(process.err().find_first_of("\033\r"), std::string::npos) << process.err();
  EXPECT_NE(process.err().find("epoch 2/2  loss"), std::string::npos) << process.err();
}

TEST(Progress, Quiet) {
  const Workplace place;
  EXPECT_EQ(on_a_terminal(place, tiny_training("run", {"--quiet"}), nullptr, "xterm"), "");
  EXPECT_EQ(on_a_terminal(place, {"preceptor-train", "--resume", "run", "--quiet"}, nullptr, "xterm"), "");
  const Arguments predict = {
      "preceptor-predict", "--checkpoint", "run/best.safetensors", tiny_chest, "--threads", "2", "--out", "p.csv"};
  EXPECT_EQ(on_a_terminal(place, with(predict, {"--quiet"}), nullptr, "xterm"), "");
  EXPECT_NE(on_a_terminal(place, predict, nullptr, "xterm"), "");
  // Errors are said all the same.
  place.refuse(tiny_training("run", {"--quiet"}), 64, {"holds a run already"});
}

}  // namespace
}  // namespace preceptor::test
