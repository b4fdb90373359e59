// What transfer must keep and what it must change.
#include "engine/files/checkpoint.h"
#include "process.h"

namespace preceptor::test {
namespace {

TEST(Transfer, FrozenBlocksKeepTheirBytes) {
  const Workplace place;
  place.run(tiny_training("teacher"));
  place.run({"preceptor-train",
             "--data",
             tiny_other,
             "--model",
             "resnet8",
             "--init",
             "teacher/best.safetensors",
             "--freeze",
             "3",
             "--epochs",
             "2",
             "--batch",
             "16",
             "--weight-decay",
             "0.01",
             "--optimizer",
             "adamw",
             "--augment",
             "flip",
             "--threads",
             "2",
             "--bootstrap",
             "0",
             "--out",
             "transfer"});
  const Checkpoint before = load_safetensors(place.path("teacher/best.safetensors"));
  const Checkpoint after = load_safetensors(place.path("transfer/last.safetensors"));
  ASSERT_EQ(before.tensors.size(), after.tensors.size());
  int kept = 0, changed = 0;
  for (const auto& [name, tensor] : before.tensors) {
    // Block 1 is the stem, blocks 2 and 3 are the first two stages.
    const bool frozen = name.starts_with("conv1") || name.starts_with("bn1") || name.starts_with("layer1") ||
                        name.starts_with("layer2");
    EXPECT_EQ(tensor.values == after.tensors.at(name).values, frozen) << name;
    ++(frozen ? kept : changed);
  }
  EXPECT_GT(kept, 15);
  EXPECT_GT(changed, 10);
  EXPECT_EQ(before.metadata.at("mean"), after.metadata.at("mean"));
  const Checkpoint moments = load_safetensors(place.path("transfer/last.state.safetensors"));
  EXPECT_FALSE(moments.tensors.contains("conv1.weight/first"));
  EXPECT_TRUE(moments.tensors.contains("fc.weight/first"));
}

// Which parameters of a run that starts from the teacher's weights are other than those.
std::vector<std::string> changed_by(const Workplace& place, const Arguments& flags) {
  place.run(tiny_training("teacher"));
  place.run(with({"preceptor-train", "--data", tiny_other, "--model", "resnet8", "--init", "teacher/best.safetensors",
                  "--batch", "16", "--threads", "2", "--bootstrap", "0", "--out", "transfer"},
                 flags));
  const Checkpoint before = load_safetensors(place.path("teacher/best.safetensors"));
  std::vector<std::string> names;
  for (const auto& [name, tensor] : load_safetensors(place.path("transfer/last.safetensors")).tensors)
    if (tensor.values != before.tensors.at(name).values) names.push_back(name);
  return names;
}

TEST(Transfer, ALinearProbeTrainsTheHeadAlone) {
  const Workplace place;
  EXPECT_EQ(changed_by(place, {"--freeze", "all", "--epochs", "2"}),
            (std::vector<std::string>{"fc.bias", "fc.weight"}));
  EXPECT_NE(place.bytes("transfer/config.toml").find("freeze = 4\n"), std::string::npos);
}

TEST(Transfer, BlocksUnfreezeFromTheHeadDown) {
  const Workplace place;
  // The stem and three stages; two epochs with three blocks frozen, two with two, one with one.
  for (const std::string& name : changed_by(place, {"--freeze", "3", "--unfreeze", "2", "--epochs", "5"}))
    EXPECT_FALSE(name.starts_with("conv1") || name.starts_with("bn1")) << name;
  const Checkpoint state = load_safetensors(place.path("transfer/last.state.safetensors"));
  const float steps = state.tensors.at("layer2.0.conv1.weight/start").values[0];
  EXPECT_GT(steps, 0);
  EXPECT_EQ(state.tensors.at("layer1.0.conv1.weight/start").values[0], 2 * steps);
  EXPECT_FALSE(state.tensors.contains("layer3.0.conv1.weight/start"));
}

TEST(Transfer, EarlierBlocksLearnSlower) {
  const Workplace place;
  // Plain descent: what a block moves is proportional to its rate.
  const Arguments sgd = {"--optimizer", "sgd", "--momentum", "0", "--lr", "1e-4", "--epochs", "1"};
  changed_by(place, with(sgd, {"--layer-decay", "0.5"}));
  std::filesystem::rename(place.path("transfer"), place.path("decayed"));
  std::filesystem::remove_all(place.path("teacher"));
  changed_by(place, sgd);
  const Checkpoint start = load_safetensors(place.path("teacher/best.safetensors")),
                   decayed = load_safetensors(place.path("decayed/last.safetensors")),
                   plain = load_safetensors(place.path("transfer/last.safetensors"));
  for (const auto& [name, factor] :
       {std::pair{"conv1.weight", 1 / 16.0}, std::pair{"layer3.0.conv1.weight", 0.5}, std::pair{"fc.weight", 1.0}}) {
    const auto moved = [&](const Checkpoint& end) {
      double sum = 0;
      for (std::size_t i = 0; i < end.tensors.at(name).values.size(); ++i)
        sum += std::abs(static_cast<double>(end.tensors.at(name).values[i]) -
                        static_cast<double>(start.tensors.at(name).values[i]));
      return sum;
    };
    // The paths differ a little, because the steps of the other blocks do.
    EXPECT_NEAR(moved(decayed) / moved(plain), factor, 0.1 * factor) << name;
  }
}

TEST(Transfer, DecayTowardsTheStartKeepsTheWeightsNearIt) {
  const Workplace place;
  const auto distance = [&](const Arguments& flags) {
    std::filesystem::remove_all(place.path("teacher"));
    std::filesystem::remove_all(place.path("transfer"));
    changed_by(place, with({"--epochs", "2", "--optimizer", "sgd", "--momentum", "0", "--lr", "0.01"}, flags));
    const Checkpoint start = load_safetensors(place.path("teacher/best.safetensors")),
                     end = load_safetensors(place.path("transfer/last.safetensors"));
    double square = 0;
    for (std::size_t i = 0; i < start.tensors.at("layer2.0.conv1.weight").values.size(); ++i) {
      const double change = static_cast<double>(start.tensors.at("layer2.0.conv1.weight").values[i]) -
                            static_cast<double>(end.tensors.at("layer2.0.conv1.weight").values[i]);
      square += change * change;
    }
    return std::sqrt(square);
  };
  const double free = distance({});
  EXPECT_LT(distance({"--l2-sp", "50"}), 0.5 * free);  // with rate 0.01 each step takes back half of the distance
}

TEST(Transfer, ChoicesThatMeanNothingAreRefused) {
  const Workplace place;
  const auto refuse = [&](const Arguments& flags, const char* reason) {
    place.refuse(with({"preceptor-train", "--data", tiny_chest, "--model", "resnet8", "--out", "run"}, flags), 64,
                 {reason});
  };
  refuse({"--l2-sp", "0.1"}, "--l2-sp needs --init");
  refuse({"--unfreeze", "2"}, "--unfreeze needs --freeze");
  refuse({"--layer-decay", "0"}, "--layer-decay 0");
  refuse({"--dropout", "0.2"}, "resnet8 has no dropout");
  EXPECT_FALSE(place.exists("run"));
}

TEST(Transfer, OtherLabelsGetANewHead) {
  const Workplace place;
  const std::string fundus = "phantom:fundus?n=64&val=32&test=32&size=32";
  // Three channels on both sides, findings on one and grades on the other.
  place.run({"preceptor-train", "--data", fundus, "--model", "resnet8", "--epochs", "1", "--threads", "2",
             "--bootstrap", "0", "--out", "grades"});
  place.refuse({"preceptor-train", "--data", tiny_chest, "--model", "resnet8", "--init", "grades/best.safetensors",
                "--out", "wrong"},
               65, {"grades/best.safetensors", "3 channels", "has 1"});
  EXPECT_FALSE(place.exists("wrong"));
  std::filesystem::copy_file(place.path("grades/best.safetensors"), place.path("renamed.safetensors"));
  Checkpoint checkpoint = load_safetensors(place.path("renamed.safetensors"));
  checkpoint.metadata["labels"] = R"(["a","b","c","d","e"])";
  save_safetensors(place.path("renamed.safetensors"), checkpoint.tensors, checkpoint.metadata);
  Process process = place.start({"preceptor-train", "--data", fundus, "--model", "resnet8", "--init",
                                 "renamed.safetensors", "--epochs", "1", "--lr", "1e-9", "--optimizer", "sgd",
                                 "--threads", "2", "--bootstrap", "0", "--out", "again"});
  EXPECT_EQ(process.wait(), 0);
  EXPECT_NE(process.err().find("the head fc starts anew"), std::string::npos) << process.err();
  const Checkpoint again = load_safetensors(place.path("again/best.safetensors"));
  const auto largest_change = [&](const char* name) {
    const std::vector<float>&a = again.tensors.at(name).values, &b = checkpoint.tensors.at(name).values;
    float change = 0;
    for (std::size_t i = 0; i < a.size(); ++i) change = std::max(change, std::abs(a[i] - b[i]));
    return change;
  };
  EXPECT_LT(largest_change("layer3.0.conv1.weight"), 1e-6f);
  EXPECT_GT(largest_change("fc.weight"), 1e-4f);
}

TEST(Transfer, TeacherTermsAreAddedUp) {
  const Workplace place;
  place.run(tiny_training("teacher"));
  place.run({"preceptor-distill", "--data", tiny_chest, "--teacher", "teacher/best.safetensors", "--model", "resnet8",
             "--method", "kd:temperature=2,weight=0.5", "--epochs", "1", "--batch", "16", "--threads", "2",
             "--bootstrap", "0", "--out", "student"});
  const std::string csv = place.bytes("student/metrics.csv");
  double train_loss = 0, label_loss = 0, transfer_loss = 0;
  ASSERT_EQ(
      std::sscanf(csv.c_str() + csv.find('\n') + 1, "1,%*f,%lf,%lf,%lf", &train_loss, &label_loss, &transfer_loss), 3);
  EXPECT_GT(transfer_loss, 0);
  EXPECT_NEAR(train_loss, 0.5 * label_loss + transfer_loss, 1e-9);
}

}  // namespace
}  // namespace preceptor::test
