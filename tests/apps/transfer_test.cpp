// What transfer must keep and what it must change.
#include "engine/checkpoint.h"
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
