// A teacher's answers from a file: the same bits as from the teacher, never stale, and refused where they do not fit.
#include <cmath>
#include <thread>

#include "process.h"
#include "small_medmnist.h"

namespace preceptor::test {
namespace {

class TeacherCacheTest : public testing::Test {
 protected:
  TeacherCacheTest() { place.run(tiny_training("teacher")); }

  std::string said_by(const Arguments& arguments) const {
    Process process = place.start(arguments);
    EXPECT_EQ(process.wait(), 0) << process.err();
    return process.err();
  }
  void expect_same_bits(const std::string& run, const std::string& other) const {
    for (const char* file : {"/best.safetensors", "/last.safetensors", "/last.state.safetensors"})
      EXPECT_TRUE(place.bytes(run + file) == place.bytes(other + file)) << run << file;
  }

  const Workplace place;
};

TEST_F(TeacherCacheTest, ChangesNoBit) {
  place.run(tiny_training("wide", {"--model", "densenet16"}));
  const std::vector<Arguments> kinds = {{"--method", "kd"},
                                        {"--method", "at:weight=10", "--method", "pkt:weight=1", "--augment",
                                         "flip,shift=2,rotate=5,noise=0.02,mixup=0.4"},
                                        {"--teacher", "teacher/best.safetensors", "--teacher", "wide/best.safetensors",
                                         "--teacher-weights", "0.3,0.7", "--sampling", "balanced"}};
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    const std::string name = std::to_string(i);
    place.run(tiny_distillation("live" + name, kinds[i]));
    place.run(tiny_distillation("first" + name, with(kinds[i], {"--teacher-cache", "cache"})));
    place.run(tiny_distillation("second" + name, with(kinds[i], {"--teacher-cache", "cache"})));
    expect_same_bits("first" + name, "live" + name);
    expect_same_bits("second" + name, "live" + name);
    EXPECT_EQ(place.files("cache").size(), i + 1) << "the second run reads the file of the first";
  }
  // The taps of DenseNet are parts of wider maps.
  const Arguments dense = {"--teacher", "wide/best.safetensors",
                           "--model",   "densenet16",
                           "--method",  "at:tap=denseblock2,teacher_tap=denseblock2"};
  place.run(tiny_distillation("dense", dense));
  place.run(tiny_distillation("dense-cached", with(dense, {"--teacher-cache", "auto"})));
  expect_same_bits("dense-cached", "dense");
  EXPECT_EQ(place.files("teacher-cache").size(), 1u);
}

TEST_F(TeacherCacheTest, IsResumed) {
  const Arguments how = {"--augment", "flip", "--epochs", "4"};
  place.run(tiny_distillation("live", how));
  Process process = place.start(tiny_distillation("killed", with(how, {"--teacher-cache", "cache"})));
  const auto finished = [&] {
    const std::string csv = place.bytes("killed/metrics.csv");
    return std::count(csv.begin(), csv.end(), '\n') - 1;
  };
  while (process.running() && finished() < 2) std::this_thread::yield();
  process.send(SIGKILL);
  process.wait();
  // Made anew where somebody has removed it.
  std::filesystem::remove_all(place.path("cache"));
  place.run({"preceptor-distill", "--resume", "killed"});
  expect_same_bits("killed", "live");
}

TEST_F(TeacherCacheTest, BelongsToWhatDecidesIt) {
  const auto files_after = [&](const std::string& out, const Arguments& more) {
    place.run(tiny_distillation(out, with({"--teacher-cache", "cache"}, more)));
    return place.files("cache").size();
  };
  const std::string said = said_by(tiny_distillation("a", {"--teacher-cache", "cache"}));
  EXPECT_NE(said.find("64 rows of logits take 0.1 MB of the"), std::string::npos) << said;
  EXPECT_EQ(files_after("b", {"--seed", "1", "--lr", "0.01"}), 1u) << "images that do not change have one row each";
  EXPECT_EQ(files_after("c", {"--method", "at:weight=1"}), 2u);
  EXPECT_EQ(files_after("d", {"--data", tiny_chest}), 3u);
  EXPECT_EQ(files_after("e", {"--augment", "flip"}), 4u);
  EXPECT_EQ(files_after("f", {"--augment", "flip", "--seed", "1"}), 5u);
  EXPECT_EQ(files_after("g", {"--teacher-cache-type", "bfloat16"}), 6u);
  // The rounding of the teacher's convolutions changes its outputs; a cpu has a single precision.
  const Arguments small = {"--device", "emulated", "--data",  "phantom:chest?n=4&val=2&test=2&size=16",
                           "--epochs", "1",        "--batch", "4"};
  EXPECT_EQ(files_after("float", small), 7u);
  EXPECT_EQ(files_after("tf32", with(small, {"--precision", "tf32"})), 8u);
  EXPECT_EQ(files_after("tf32-again", with(small, {"--precision", "tf32"})), 8u);
  std::filesystem::rename(place.path("teacher/last.safetensors"), place.path("teacher/best.safetensors"));
  const bool other = place.json("teacher/result.json")["best_epoch"] != 2;
  EXPECT_EQ(files_after("h", {}), other ? 9u : 8u);
}

TEST_F(TeacherCacheTest, Bfloat16IsHalfTheSizeAndNearlyTheSame) {
  const auto transfer_loss = [&](const std::string& run) {
    const std::string csv = place.bytes(run + "/metrics.csv");
    double loss = 0;
    EXPECT_EQ(std::sscanf(csv.c_str() + csv.find('\n') + 1, "1,%*f,%*f,%*f,%lf", &loss), 1);
    return loss;
  };
  place.run(tiny_distillation("exact", {"--teacher-cache", "exact-cache", "--lr", "1e-12"}));
  place.run(
      tiny_distillation("rounded", {"--teacher-cache", "cache", "--teacher-cache-type", "bfloat16", "--lr", "1e-12"}));
  const auto bytes = [&](const std::string& folder) {
    return place.bytes(folder + "/" + place.files(folder).at(0)).size() - 4096;
  };
  EXPECT_EQ(bytes("exact-cache") - 64 * 8, 2 * (bytes("cache") - 64 * 8));
  EXPECT_NE(transfer_loss("rounded"), transfer_loss("exact"));
  EXPECT_NEAR(transfer_loss("rounded"), transfer_loss("exact"), 0.05 * transfer_loss("exact"));
}

TEST_F(TeacherCacheTest, IsNeverStale) {
  write_bytes(place.path("grades.npz"), SmallMedmnist().bytes());
  place.run({"preceptor-train", "--data", "medmnist:grades.npz", "--model", "resnet8", "--epochs", "1", "--threads",
             "2", "--bootstrap", "0", "--out", "of-grades"});
  const auto run = [&](const std::string& out) {
    return tiny_distillation(
        out, {"--teacher-cache", "cache", "--teacher", "of-grades/best.safetensors", "--data", "medmnist:grades.npz"});
  };
  place.run(run("a"));
  const std::string file = "cache/" + place.files("cache").at(0), sound = place.bytes(file);
  SmallMedmnist other;
  Members members = other.members();
  std::string& images = members[0].second;
  images[images.size() - 1] = static_cast<char>(images[images.size() - 1] + 1);
  write_bytes(place.path("grades.npz"), stored_archive(members));
  Process process = place.start(run("b"));
  EXPECT_EQ(process.wait(), 65);
  EXPECT_NE(process.err().find("image train/47 is not the one that the teacher saw"), std::string::npos)
      << process.err();
  write_bytes(place.path("grades.npz"), other.bytes());
  // A damaged file, and one under the name of another.
  write_bytes(place.path(file), sound.substr(0, sound.size() - 1));
  Process damaged = place.start(run("c"));
  EXPECT_EQ(damaged.wait(), 65);
  EXPECT_FALSE(place.exists("c"));
  std::string renamed = sound;
  renamed[renamed.find("\"batch\":\"16\"") + 9] = '3';
  write_bytes(place.path(file), renamed);
  Process foreign = place.start(run("d"));
  EXPECT_EQ(foreign.wait(), 65);
  EXPECT_NE(foreign.err().find("does not hold what its name says"), std::string::npos) << foreign.err();
}

TEST_F(TeacherCacheTest, NonsenseIsRefused) {
  place.refuse(tiny_distillation("run", {"--teacher-cache", "cache", "--teacher-cache-type", "half"}), 64,
               {"--teacher-cache-type half"});
  place.refuse({"preceptor-distill", "--data", tiny_chest, "--method", "ls", "--teacher-cache", "auto", "--out", "run"},
               64, {"--teacher-cache needs --teacher"});
  write_bytes(place.path("cache"), "a file");
  Process process = place.start(tiny_distillation("run", {"--teacher-cache", "cache"}));
  EXPECT_EQ(process.wait(), 74);
  EXPECT_FALSE(place.exists("run"));
}

}  // namespace
}  // namespace preceptor::test
