// Teachers that are no checkpoint: predictions from elsewhere, the student's own average, and generations of students.
#include <cmath>
#include <filesystem>
#include <thread>

#include "apps/training/teachers/teachers.h"
#include "engine/files/checkpoint.h"
#include "process.h"
#include "small_medmnist.h"
#include "tests/data/real_data.h"

namespace preceptor::test {
namespace {

class OtherTeachers : public testing::Test {
 protected:
  static Arguments student(const std::string& out, const Arguments& more, const std::string& data = tiny_other) {
    return with({"preceptor-distill", "--data", data, "--model", "resnet8", "--batch", "16", "--threads", "2",
                 "--bootstrap", "0", "--out", out},
                more);
  }
  std::string said_by(const Arguments& arguments) const {
    Process process = place.start(arguments);
    EXPECT_EQ(process.wait(), 0) << process.err();
    return process.err();
  }
  std::vector<double> transfer_losses(const std::string& run) const {
    std::istringstream csv(place.bytes(run + "/metrics.csv"));
    std::vector<double> losses;
    std::string line;
    for (std::getline(csv, line); std::getline(csv, line);)
      EXPECT_EQ(std::sscanf(line.c_str(), "%*d,%*f,%*f,%*f,%lf", &losses.emplace_back()), 1) << line;
    return losses;
  }
  void kill_after_epochs(const Arguments& arguments, const std::string& run, int epochs) const {
    Process process = place.start(arguments);
    const auto finished = [&] {
      const std::string csv = place.bytes(run + "/metrics.csv");
      return std::count(csv.begin(), csv.end(), '\n') - 1;
    };
    while (process.running() && finished() < epochs) std::this_thread::yield();
    process.send(SIGKILL);
    process.wait();
  }
  void expect_same_bits(const std::string& run, const std::string& other) const {
    for (const char* file : {"/best.safetensors", "/last.safetensors", "/last.state.safetensors", "/config.toml"})
      EXPECT_TRUE(place.bytes(run + file) == place.bytes(other + file)) << run << file;
  }
  // A header and the rows whose number has the given remainder by 2; 2: all.
  void write_rows(const std::string& from, const std::string& to, int remainder) const {
    std::istringstream table(place.bytes(from));
    std::string text, line;
    std::getline(table, line);
    text = line + "\n";
    for (int row = 0; std::getline(table, line); ++row)
      if (remainder == 2 || row % 2 == remainder) text += line + "\n";
    write_bytes(place.path(to), text);
  }

  const Workplace place{};
};

// Each half of the images teaches what it teaches when all do, and the other half nothing: the losses add up.
TEST_F(OtherTeachers, PredictionsTeachAsTheirNetwork) {
  write_bytes(place.path("grades.npz"), SmallMedmnist().bytes());
  for (const auto& [name, data] :
       {std::pair{"findings", tiny_other}, std::pair{"classes", std::string("medmnist:grades.npz")}}) {
    const std::string teacher = std::string(name) + "/best.safetensors", all = std::string(name) + ".csv";
    place.run({"preceptor-train", "--data", data, "--model", "resnet8", "--epochs", "1", "--threads", "2",
               "--bootstrap", "0", "--out", name});
    place.run({"preceptor-predict", "--checkpoint", teacher, data, "--split", "train", "--threads", "2", "--out", all});
    write_rows(all, "even.csv", 0);
    write_rows(all, "odd.csv", 1);
    const auto loss = [&](const std::string& run, const std::string& from, const Arguments& more = {}) {
      said_by(student(
          name + run,
          with({"--teacher", from, "--method", "kd:weight=0.5", "--epochs", "1", "--optimizer", "sgd", "--lr", "1e-12"},
               more),
          data));
      return transfer_losses(name + run).at(0);
    };
    const double live = loss("-live", teacher), whole = loss("-whole", "predictions:" + all);
    EXPECT_NEAR(whole, live, 1e-4 * live) << name << ": predictions have six digits";
    const double even = loss("-even", "predictions:even.csv", {"--teacher-missing", "skip"});
    const double odd = loss("-odd", "predictions:odd.csv", {"--teacher-missing", "skip"});
    EXPECT_GT(even, 0);
    EXPECT_GT(odd, 0);
    EXPECT_NEAR(even + odd, whole, 1e-5 * whole) << name;
    place.refuse(student("run", {"--teacher", "predictions:even.csv"}, data), 65,
                 {"even.csv", "training images are not in it", "train/1", "--teacher-missing skip"});
    place.run({"preceptor-distill", "--resume", name + std::string("-even")});
  }
  EXPECT_FALSE(place.exists("run"));
}

// The same numbers from a table and from arrays teach to the same bits.
TEST_F(OtherTeachers, PredictionsMayBeArrays) {
  const SmallMedmnist small;
  write_bytes(place.path("grades.npz"), small.bytes());
  std::string table =
      "id,probability:grade 0,probability:grade 1,probability:grade 2,probability:grade 3,probability:grade 4\n";
  std::vector<float> probabilities;
  for (int image = 0; image < small.train; ++image) {
    table += "train/" + std::to_string(image);
    for (int grade = 0; grade < small.grades; ++grade) {
      const int eighths = grade == image % small.grades ? 4 : 1;
      probabilities.push_back(static_cast<float>(eighths) / 8);
      table += "," + std::to_string(probabilities.back());
    }
    table += "\n";
  }
  write_bytes(place.path("table.csv"), table);
  const std::string train = raw(probabilities);
  write_bytes(place.path("arrays.npz"),
              stored_archive({{"train_teacher_probs.npy", npy(npy_header("<f4", "(48, 5)"), train)}}));
  write_bytes(place.path("narrow.npz"),
              stored_archive({{"train_teacher_probs.npy", npy(npy_header("<f4", "(60, 4)"), train)}}));
  const std::string data = "medmnist:grades.npz?task=ordinal";
  for (const std::string from : {"table.csv", "arrays.npz"})
    said_by(student(from + "-run", {"--teacher", "predictions:" + from, "--epochs", "1"}, data));
  EXPECT_TRUE(place.bytes("table.csv-run/last.safetensors") == place.bytes("arrays.npz-run/last.safetensors"));
  place.refuse(student("run", {"--teacher", "predictions:narrow.npz"}, data), 65,
               {"narrow.npz", "4 columns without names", "5 labels"});
}

TEST_F(OtherTeachers, PredictionsThatDoNotFitAreRefused) {
  write_bytes(place.path("some.csv"), "image,Edema\ntrain/0,0.5\n");
  write_bytes(place.path("bad.csv"), "image,Effusion\ntrain/0,1.5\n");
  const auto refuse = [&](const std::string& file, const Arguments& more, int code,
                          const std::vector<std::string>& words) {
    place.refuse(student("run", with({"--teacher", "predictions:" + file}, more)), code, words);
  };
  refuse("none.csv", {}, 66, {"none.csv"});
  refuse("bad.csv", {}, 65, {"bad.csv line 2", "1.5"});
  refuse("some.csv", {"--method", "at"}, 64, {"--method at", "one teacher with its weights"});
  refuse("some.csv", {"--augment", "mixup=0.2"}, 64, {"mixup"});
  refuse("some.csv", {"--teacher-cache", "auto"}, 64, {"--teacher-cache"});
  refuse("some.csv", {"--teacher", "other.safetensors"}, 64, {"must be the only teacher"});
  refuse("some.csv", {"--teacher-missing", "maybe"}, 64, {"--teacher-missing maybe"});
  write_bytes(place.path("foreign.csv"), "image,cats,dogs\ntrain/0,0.5,0.5\n");
  refuse("foreign.csv", {}, 65, {"foreign.csv", "are not the findings"});
  EXPECT_FALSE(place.exists("run"));
}

TEST_F(OtherTeachers, ARealDenseNetKnownByItsPredictionsAlone) {
  const std::string folder = real_file("nih621");
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << folder << " is absent; set PRECEPTOR_DATA";
  const std::string data = "chestxray14:" + folder + "?images=images_224&size=32&n=64";
  const Arguments teacher = {"--teacher", "predictions:" + folder + "/teacher_densenet121_probs.csv", "--epochs", "1"};
  const std::string said = said_by(student("run", teacher, data));
  // 0.7774 over all 621 images; no other order of labels or images comes near it.
  const std::size_t at = said.find("validation AUC 0.");
  ASSERT_NE(at, std::string::npos) << said;
  EXPECT_GT(std::stod(said.substr(at + 15)), 0.65) << said;
  EXPECT_TRUE(std::isfinite(transfer_losses("run").at(0)));
  // The same network's, in the layout and order of the data.
  const std::string arrays = folder + "/nih621_64_chestmnist_layout.npz";
  const std::string of_arrays = said_by(
      student("arrays", {"--teacher", "predictions:" + arrays, "--epochs", "1"}, "medmnist:" + arrays + "?n=64"));
  const std::size_t worth = of_arrays.find("validation AUC 0.");
  ASSERT_NE(worth, std::string::npos) << of_arrays;
  EXPECT_GT(std::stod(of_arrays.substr(worth + 15)), 0.65) << of_arrays;
}

TEST_F(OtherTeachers, TheStudentsAverageTeachesAndIsResumed) {
  const Arguments flags = {"--teacher", "ema:decay=0.9", "--ema",    "0.9", "--method", "kd:weight=0.5,warmup=2",
                           "--method",  "at:weight=1",   "--epochs", "4"};
  place.run(student("whole", flags));
  kill_after_epochs(student("killed", flags), "killed", 2);
  place.run({"preceptor-distill", "--resume", "killed"});
  expect_same_bits("killed", "whole");
  // It has left its start, where student and average agree.
  EXPECT_GT(transfer_losses("whole").at(1), 0);
}

TEST_F(OtherTeachers, AnAverageIsWhatIsEvaluated) {
  const auto train = [&](const std::string& out, const std::string& decay) {
    place.run(tiny_training(out, {"--ema", decay}));
  };
  place.run(tiny_training("plain"));
  train("follows", "0");
  EXPECT_TRUE(place.bytes("follows/best.safetensors") == place.bytes("plain/best.safetensors"));
  train("averaged", "0.9");
  EXPECT_TRUE(same_weights(load_safetensors(place.path("averaged/last.safetensors")).tensors,
                           load_safetensors(place.path("plain/last.safetensors")).tensors))
      << "the student learns as without an average";
  EXPECT_FALSE(place.bytes("averaged/best.safetensors") == place.bytes("plain/best.safetensors"));
  const std::string state = place.bytes("averaged/last.state.safetensors");
  EXPECT_NE(state.find("average.fc.weight"), std::string::npos);
  place.refuse(tiny_training("run", {"--ema", "1"}), 64, {"--ema 1"});
  for (const auto& [teacher, word] :
       {std::pair{"ema:decay=2", "ema:decay=NUMBER"}, std::pair{"ema:momentum=0.5", "ema:decay=NUMBER"}})
    place.refuse(student("run", {"--teacher", teacher}), 64, {word});
  place.refuse(student("run", {"--teacher", "ema:decay=0.9", "--ema", "0.5"}), 64, {"another decay"});
  place.refuse(student("run", {"--teacher", "ema", "--teacher-cache", "auto"}), 64, {"changes in every step"});
  place.refuse(student("run", {"--teacher", "ema", "--teacher", "x"}), 64, {"must be the only teacher"});
}

TEST_F(OtherTeachers, GenerationsTeachEachOtherAndAreResumed) {
  const Arguments flags = {"--generations", "3", "--epochs", "2", "--method", "kd:weight=0.5"};
  place.run(student("whole", flags));
  for (const char* generation : {"1", "2", "3"})
    EXPECT_EQ(place.files(std::string("whole/generation") + generation), complete_run);
  // Each is what it would be as a run of its own.
  place.run(student("second", {"--teacher", "whole/generation1/best.safetensors", "--epochs", "2", "--method",
                               "kd:weight=0.5", "--seed", "1"}));
  EXPECT_TRUE(place.bytes("second/best.safetensors") == place.bytes("whole/generation2/best.safetensors"));
  kill_after_epochs(student("killed", flags), "killed/generation2", 1);
  place.run({"preceptor-distill", "--resume", "killed"});
  for (const char* generation : {"1", "2", "3"}) {
    const std::string name = std::string("/generation") + generation;
    for (const char* file : {"/best.safetensors", "/last.safetensors"})
      EXPECT_TRUE(place.bytes("killed" + name + file) == place.bytes("whole" + name + file)) << name << file;
  }
  place.refuse(student("whole", flags), 64, {"whole: holds a run already"});
  place.refuse(student("run", {"--generations", "2", "--method", "ls"}), 64, {"--generations needs a --method"});
  place.refuse(student("run", {"--generations", "2", "--method", "at:tap=layer1,teacher_tap=layer2"}), 64,
               {"teacher_tap does not hold"});
  EXPECT_FALSE(place.exists("run"));
}

}  // namespace
}  // namespace preceptor::test
