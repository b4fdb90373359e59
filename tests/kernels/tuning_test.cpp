// Choosing by the clock with candidates that are none: what is measured, kept, read and refused.
#include "kernels/device/tuning.h"

#include <gtest/gtest.h>

#include <limits>

#include "kernels/device/error.h"

namespace preceptor::kernels {
namespace {

constexpr double never = std::numeric_limits<double>::infinity();
const std::vector<std::string> three = {"own", "engine 1", "engine 2"};

// Candidates that take these seconds, and how often each was run.
struct Fakes {
  std::vector<double> seconds;
  std::vector<int> runs = std::vector<int>(seconds.size());

  Tuning::Seconds clock() {
    return [this](int candidate) {
      ++runs[static_cast<std::size_t>(candidate)];
      return seconds[static_cast<std::size_t>(candidate)];
    };
  }
};

TEST(Tuning, TheFastestIsTakenAndMeasuredOnce) {
  Tuning tuning;
  Fakes fakes{{3, 1, 2}};
  EXPECT_EQ(tuning.choose("a", three, fakes.clock()), 1);
  EXPECT_EQ(fakes.runs, (std::vector<int>{4, 4, 4}));
  fakes.seconds = {0, 9, 9};
  EXPECT_EQ(tuning.choose("a", three, fakes.clock()), 1) << "what was chosen stays";
  EXPECT_EQ(fakes.runs, (std::vector<int>{4, 4, 4}));
  EXPECT_EQ(tuning.chosen("a", three), 1);
  EXPECT_EQ(tuning.chosen("b", three), std::nullopt);
}

TEST(Tuning, TheFirstRunIsNotMeasured) {
  Tuning tuning;
  int runs = 0;
  // The second is the faster one, but for its first run.
  EXPECT_EQ(tuning.choose("a", {"own", "engine"}, [&](int i) { return i == 0 ? 2.0 : ++runs == 1 ? 9.0 : 1.0; }), 1);
}

TEST(Tuning, OwnIsTakenWhereNothingIsFasterOrRuns) {
  Tuning tuning;
  EXPECT_EQ(tuning.choose("equal", three, Fakes{{1, 1, 1}}.clock()), 0);
  EXPECT_EQ(tuning.choose("failing", three, Fakes{{2, never, 3}}.clock()), 0);
  EXPECT_EQ(tuning.choose("nothing", three, Fakes{{never, never, never}}.clock()), 0);
  EXPECT_EQ(tuning.choose("only", three, Fakes{{never, never, 1}}.clock()), 2);
}

TEST(Tuning, IsReadAsItWasWritten) {
  Tuning written, read;
  EXPECT_TRUE(written.empty());
  written.choose("b, 3x3", three, Fakes{{3, 2, 1}}.clock());
  written.choose("a", three, Fakes{{1, 2, 3}}.clock());
  EXPECT_EQ(written.text(), "a\town\nb, 3x3\tengine 2\n");
  read.read(written.text(), "file");
  EXPECT_EQ(read.chosen("b, 3x3", three), 2);
  EXPECT_EQ(read.text(), written.text());
  read.read("a\tengine 1\n", "file");
  EXPECT_EQ(read.chosen("a", three), 1) << "a file wins over what was known";
  EXPECT_EQ(read.chosen("b, 3x3", three), 2);
}

// Another version of the library has other engines: then it is measured again.
TEST(Tuning, AChoiceThatIsNoLongerThereIsMadeAnew) {
  Tuning tuning;
  tuning.read("a\tengine 7\n", "file");
  EXPECT_EQ(tuning.chosen("a", three), std::nullopt);
  EXPECT_EQ(tuning.choose("a", three, Fakes{{3, 1, 2}}.clock()), 1);
  EXPECT_EQ(tuning.text(), "a\tengine 1\n");
}

TEST(Tuning, OtherTextIsRefusedByItsLineAndNothingIsTaken) {
  for (const char* line : {"no tab", "\tengine", "shape\t", "shape\tengine\tmore", ""}) {
    Tuning tuning;
    try {
      tuning.read(std::string("a\town\n") + line + "\n", "tuning.txt");
      ADD_FAILURE() << line;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::data);
      EXPECT_NE(std::string(error.what()).find("tuning.txt line 2"), std::string::npos) << error.what();
    }
    EXPECT_TRUE(tuning.empty());
  }
}

}  // namespace
}  // namespace preceptor::kernels
