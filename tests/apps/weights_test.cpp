// Weights from elsewhere through the apps: inspected, imported, taught under, started from.
#include <cstring>

#include "engine/files/checkpoint.h"
#include "process.h"
#include "tests/support/torch_writer.h"

namespace preceptor::test {
namespace {

// A state dict as torch.save writes it, with a prefix before every name.
std::string torch_bytes(const StateDict& state, const std::string& prefix) {
  Items items;
  Storages storages;
  for (const auto& [name, values] : state) {
    const std::string key = std::to_string(storages.size());
    const auto count = static_cast<std::int64_t>(values.values.size());
    View view{"FloatStorage", key, count, 0, {}, {}};
    std::int64_t stride = count;
    for (const int size : values.shape.sizes()) {
      view.sizes.push_back(size);
      view.strides.push_back(stride /= size);
    }
    items.push_back({prefix + name, tensor(view)});
    storages.push_back({key, {reinterpret_cast<const char*>(values.values.data()), values.values.size() * 4}});
  }
  items.push_back({prefix + "bn1.num_batches_tracked", tensor({"LongStorage", "n", 1, 0, {}, {}})});
  storages.push_back({"n", std::string(8, '\0')});
  return torch_archive(pickle(dict({{"epoch", number(7)}, {"state_dict", dict(items)}})), storages);
}

class Weights : public testing::Test {
 protected:
  void SetUp() override {
    place.run(tiny_training("teacher", {"--epochs", "1"}));
    original = load_safetensors(place.path("teacher/best.safetensors"));
    write_bytes(place.path("weights.pth"), torch_bytes(original.tensors, "module."));
  }
  // A metadata list without its brackets and quotes, as the flags take it.
  std::string flag(const char* key) const {
    std::string text = original.metadata.at(key);
    for (const char letter : std::string("[]\"")) std::erase(text, letter);
    return text;
  }
  Arguments import(const Arguments& more = {}) const {
    return with({"preceptor-import", "weights.pth", "--out", "imported.safetensors"}, more);
  }
  Arguments train(const std::string& data, const Arguments& more) const {
    return with({"preceptor-train", "--data", data, "--model", "resnet8", "--epochs", "1", "--threads", "2",
                 "--bootstrap", "0", "--out", "run"},
                more);
  }

  Workplace place;
  Checkpoint original;
};

TEST_F(Weights, AreInspected) {
  const std::string table = place.run({"preceptor-inspect", "weights.pth"});
  for (const char* words : {"PyTorch zip archive, tensors in state_dict", "epoch = 7", "module.conv1.weight",
                            "16x1x3x3", "1 tensors of whole numbers skipped", "module.bn1.bias -> bn1.bias",
                            "looks like resnet8: 1 input channels, 5 outputs, small stem"})
    EXPECT_NE(table.find(words), std::string::npos) << words << " not in:\n" << table;
  const auto json = parse_json(place.run({"preceptor-inspect", "weights.pth", "--json"}));
  EXPECT_EQ(json["network"]["model"], "resnet8");
  EXPECT_EQ(json["tensors"].size(), original.tensors.size());
  EXPECT_EQ(json["place"], "state_dict");
  EXPECT_NE(place.run({"preceptor-inspect", "teacher/best.safetensors"}).find("labels = "), std::string::npos);
  place.refuse({"preceptor-inspect", "nowhere.pth"}, 66, {"nowhere.pth"});
  write_bytes(place.path("bad.pth"), place.bytes("weights.pth").substr(0, 5000));
  place.refuse({"preceptor-inspect", "bad.pth"}, 65, {"bad.pth"});
}

// The imported checkpoint is the original again: the same values, and the same evaluation.
TEST_F(Weights, AreImportedAsACheckpointThatEveryAppTakes) {
  Process process = place.start(import(
      {"--mean", flag("mean"), "--deviation", flag("deviation"), "--labels", flag("labels"), "--input-size", "32"}));
  ASSERT_EQ(process.wait(), 0) << process.err();
  for (const char* words :
       {"renamed: module.", "of whole numbers skipped", "resnet8 for 1 channels, 5 outputs, small stem"})
    EXPECT_NE(process.err().find(words), std::string::npos) << words << " not in:\n" << process.err();
  const Checkpoint imported = load_safetensors(place.path("imported.safetensors"));
  ASSERT_EQ(imported.tensors.size(), original.tensors.size());
  for (const auto& [name, values] : original.tensors) {
    const std::vector<float>& found = imported.tensors.at(name).values;
    EXPECT_EQ(std::memcmp(found.data(), values.values.data(), found.size() * sizeof(float)), 0) << name;
  }
  for (const char* key : {"model", "stem", "mean", "deviation", "labels", "task", "height", "outputs"})
    EXPECT_EQ(imported.metadata.at(key), original.metadata.at(key)) << key;
  const auto evaluate = [&](const char* checkpoint) {
    return place.run({"preceptor-evaluate", "--data", tiny_chest, "--checkpoint", checkpoint, "--json"});
  };
  EXPECT_EQ(parse_json(evaluate("imported.safetensors"))["auc_macro"],
            parse_json(evaluate("teacher/best.safetensors"))["auc_macro"]);
  place.run({"preceptor-distill", "--data", tiny_chest, "--teacher", "imported.safetensors", "--model", "resnet8",
             "--epochs", "1", "--threads", "2", "--bootstrap", "0", "--out", "student"});
  const std::string first = place.bytes("imported.safetensors");
  place.run(import(
      {"--mean", flag("mean"), "--deviation", flag("deviation"), "--labels", flag("labels"), "--input-size", "32"}));
  EXPECT_EQ(place.bytes("imported.safetensors"), first);
}

TEST_F(Weights, ImportsAreRefusedWithTheirReason) {
  const Arguments normalized = {"--mean", "0.5", "--deviation", "0.25"};
  place.refuse(import(), 64, {"--mean is missing"});
  place.refuse(import({"--mean", "0.5,0.5", "--deviation", "1"}), 64, {"--mean: 2 numbers for 1 channels"});
  place.refuse(import({"--mean", "0.5", "--deviation", "0"}), 64, {"--deviation 0"});
  place.refuse(import(with(normalized, {"--labels", "a,b"})), 64, {"2 names for 5 outputs"});
  place.refuse(import(with(normalized, {"--channels", "3"})), 64, {"--channels 3", "takes images of 1"});
  place.refuse(import(with(normalized, {"--model", "resnet14"})), 65, {"look like resnet8, not like resnet14"});
  StateDict other = original.tensors;
  other.erase("layer1.0.bn1.weight");
  write_bytes(place.path("weights.pth"), torch_bytes(other, ""));
  place.refuse(import(normalized), 65, {"weights.pth", "missing layer1.0.bn1.weight"});
  other.erase("layer1.0.conv1.weight");
  write_bytes(place.path("weights.pth"), torch_bytes(other, ""));
  place.refuse(import(normalized), 65, {"weights.pth", "none of our networks"});
  EXPECT_FALSE(place.exists("imported.safetensors"));
}

// ImageNet's numbers are for 3 channels; their averages go with a stem that is summed.
TEST_F(Weights, DefaultsAreImageNets) {
  const std::string fundus = "phantom:fundus?n=32&val=16&test=16&size=32";
  place.run(train(fundus, {}));
  write_bytes(place.path("weights.pth"), torch_bytes(load_safetensors(place.path("run/best.safetensors")).tensors, ""));
  place.run(import());
  Metadata metadata = load_safetensors(place.path("imported.safetensors")).metadata;
  EXPECT_EQ(parse_json(metadata.at("mean"))[0].get<float>(), 0.485f);
  EXPECT_EQ(parse_json(metadata.at("labels"))[4], "label5");
  Process process = place.start(import({"--channels", "1"}));
  ASSERT_EQ(process.wait(), 0) << process.err();
  EXPECT_NE(process.err().find("summed"), std::string::npos) << process.err();
  metadata = load_safetensors(place.path("imported.safetensors")).metadata;
  EXPECT_EQ(metadata.at("in_channels"), "1");
  EXPECT_NEAR(parse_json(metadata.at("deviation"))[0].get<double>(), 0.226, 1e-6);
}

TEST_F(Weights, StartATraining) {
  const auto largest_change = [&](const char* name) {
    const std::vector<float> a = load_safetensors(place.path("run/best.safetensors")).tensors.at(name).values;
    const std::vector<float>& b = original.tensors.at(name).values;
    float change = 0;
    for (std::size_t i = 0; i < a.size(); ++i) change = std::max(change, std::abs(a[i] - b[i]));
    return change;
  };
  const Arguments still = {"--init", "weights.pth", "--lr", "1e-9", "--optimizer", "sgd"};
  Process process = place.start(train(tiny_other, still));
  ASSERT_EQ(process.wait(), 0) << process.err();
  for (const char* words : {"renamed: module.", "the head is kept"})
    EXPECT_NE(process.err().find(words), std::string::npos) << words << " not in:\n" << process.err();
  EXPECT_LT(largest_change("fc.weight"), 1e-6f);
  std::filesystem::remove_all(place.path("run"));
  place.run(train(tiny_other, with(still, {"--new-head"})));
  EXPECT_LT(largest_change("layer3.0.conv1.weight"), 1e-6f);
  EXPECT_GT(largest_change("fc.weight"), 1e-4f);
  EXPECT_NE(place.bytes("run/config.toml").find("new-head = true"), std::string::npos);
  place.run({"preceptor-train", "--resume", "run"});
  std::filesystem::remove_all(place.path("run"));
  // Our own checkpoint: the head is kept for the same labels, unless a new one is wanted.
  place.run(
      train(tiny_chest, {"--init", "teacher/best.safetensors", "--new-head", "--lr", "1e-9", "--optimizer", "sgd"}));
  EXPECT_GT(largest_change("fc.weight"), 1e-4f);
  std::filesystem::remove_all(place.path("run"));

  StateDict other = original.tensors;
  other.at("fc.bias") = {{3}, {0, 0, 0}};
  write_bytes(place.path("weights.pth"), torch_bytes(other, ""));
  place.refuse(train(tiny_chest, still), 65, {"weights.pth", "fc.bias is [3], the network has [5]", "--new-head"});
  place.refuse(train(tiny_chest, {"--new-head"}), 64, {"--new-head needs --init"});
  EXPECT_FALSE(place.exists("run"));
}

}  // namespace
}  // namespace preceptor::test
