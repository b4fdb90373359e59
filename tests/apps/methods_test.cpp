// Transfer methods through the app: what they learn is kept and resumed, weights are what is printed, labels stay
// comparable, and what cannot work is refused before a run directory appears.
#include "apps/runs/results.h"
#include "engine/files/checkpoint.h"
#include "process.h"

namespace preceptor::test {
namespace {

Arguments distillation(const std::string& out, const Arguments& methods, const Arguments& more = {}) {
  Arguments all = more;
  for (const std::string& method : methods) all.insert(all.end(), {"--method", method});
  return tiny_distillation(out, all);
}

// train_loss, label_loss, transfer_loss and val_loss of an epoch.
std::vector<double> losses(const Workplace& place, const std::string& run, std::size_t epoch) {
  const EpochRow row = read_metrics(place.path(run + "/metrics.csv")).at(epoch - 1);
  return {row.train_loss, row.label_loss, row.transfer_loss, row.val_loss};
}

TEST(Methods, WhatTheyLearnIsResumedAndNoPartOfTheStudent) {
  const Workplace place;
  place.run(tiny_training("teacher"));
  const Arguments methods = {"fitnet:weight=1,warmup=3", "vid", "ab", "kd:end=4", "crd:negatives=40"},
                  epochs = {"--epochs", "5"};
  place.run(distillation("whole", methods, epochs));
  place.start_and_kill(distillation("killed", methods, epochs), "killed", 2);
  place.run({"preceptor-distill", "--resume", "killed"});
  for (const char* file : {"/best.safetensors", "/last.safetensors", "/last.state.safetensors", "/config.toml"})
    EXPECT_TRUE(place.bytes(std::string("killed") + file) == place.bytes(std::string("whole") + file)) << file;

  const StateDict student = load_safetensors(place.path("whole/last.safetensors")).tensors;
  for (const auto& [name, tensor] : student) EXPECT_FALSE(name.starts_with("transfer.")) << name;
  const StateDict state = load_safetensors(place.path("whole/last.state.safetensors")).tensors;
  for (const char* name :
       {"transfer.fitnet.layer2.weight", "transfer.fitnet.layer2.weight/first", "transfer.vid.layer1.variance",
        "transfer.ab.layer3.0.sum.norm.running_mean", "transfer.crd.student_bank", "transfer.crd.teacher_constant"})
    EXPECT_TRUE(state.contains(name)) << name;
}

// A step of next to nothing: what is compared are the losses of the same student.
TEST(Methods, WeighWhatTheySayAndLeaveTheLabelsComparable) {
  const Workplace place;
  place.run(tiny_training("teacher"));
  const Arguments still = {"--lr", "1e-12", "--epochs", "3", "--optimizer", "sgd"};
  place.run(distillation("small", {"kd:weight=0.2"}, still));
  place.run(distillation("large", {"kd:weight=0.4,warmup=2,end=3"}, still));
  place.run(distillation("maps", {"at:weight=5", "rkd"}, still));
  // Half the weight in the first epoch of the warm-up, all of it in the second, nothing in the third.
  for (const auto& [epoch, weight] : {std::pair{1u, 0.2}, {2u, 0.4}, {3u, 0.0}}) {
    const std::vector<double> small = losses(place, "small", epoch), large = losses(place, "large", epoch);
    EXPECT_NEAR(small[0], 0.8 * small[1] + small[2], 1e-6 * small[0]) << epoch;
    EXPECT_NEAR(large[0], (1 - weight) * large[1] + large[2], 1e-6 * large[0]) << epoch;
    EXPECT_NEAR(large[2], small[2] * weight / 0.2, 1e-5 * small[2]) << epoch;
    EXPECT_NEAR(large[1], small[1], 1e-5 * small[1]) << epoch;
  }
  const std::vector<double> maps = losses(place, "maps", 1);
  EXPECT_NEAR(maps[0], maps[1] + maps[2], 1e-6 * maps[0]);
  EXPECT_NEAR(maps[3], losses(place, "small", 1)[3], 1e-5 * maps[3]) << "the loss on validation is of the labels alone";
}

TEST(Methods, NeedATeacherOnlyWhereTheyReadOne) {
  const Workplace place;
  const Arguments alone = {
      "preceptor-distill", "--data", tiny_chest,    "--model", "resnet8", "--epochs", "1", "--batch", "16",
      "--threads",         "2",      "--bootstrap", "0",       "--out",   "alone"};
  place.run(with(alone, {"--method", "ls", "--method", "tfkd"}));
  EXPECT_TRUE(place.exists("alone/result.json"));
  place.refuse(with(alone, {"--method", "ls", "--method", "sp"}), 64, {"--method sp needs --teacher"});
  place.refuse(alone, 64, {"--teacher is missing"});
}

TEST(Methods, RefuseWhatCannotBeCompared) {
  const Workplace place;
  place.run(tiny_training("teacher"));
  place.refuse(distillation("a", {"at:tap=layer9"}), 64, {"resnet8 has no tap layer9", "layer1", "avgpool"});
  place.refuse(distillation("b", {"at:tap=layer1+layer2,teacher_tap=layer1"}), 64,
               {"2 taps of the student and 1 of the teacher"});
  place.refuse(distillation("c", {"fitnet:tap=avgpool"}), 64, {"--method fitnet", "is no map"});
  place.refuse(distillation("d", {"at:reading=author,tap=layer1,teacher_tap=layer2"}), 64, {"16", "32"});
  place.refuse(distillation("e", {"fsp:tap=layer1"}), 64, {"two taps at least"});
  for (const char* method : {"dkd", "tfkd", "crd"})
    place.refuse(distillation("f", {method}, {"--augment", "mixup=0.2"}), 64, {"--method", "blends two"});
  place.refuse(distillation("g", {"ofd:tap=layer3"}), 64, {"--method ofd", "layer3.1.sum"});
  place.refuse(distillation("h", {"crd:tap=layer3"}), 64, {"--method crd", "pooled features"});
  place.refuse(distillation("i", {"crd:dimension=300"}), 64, {"dimension=300"});
  for (const char* run : {"a", "b", "c", "d", "e", "f", "g", "h", "i"}) EXPECT_FALSE(place.exists(run)) << run;
}

}  // namespace
}  // namespace preceptor::test
