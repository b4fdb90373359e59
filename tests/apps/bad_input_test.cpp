// Bad input: one clear line, the documented exit code, and nothing left that looks like a run.
#include <limits>

#include "engine/files/checkpoint.h"
#include "process.h"
#include "small_medmnist.h"

namespace preceptor::test {
namespace {

Arguments train_on(const std::string& data, const Arguments& more = {}) {
  return with({"preceptor-train", "--data", data, "--model", "resnet8", "--threads", "2", "--out", "run"}, more);
}

TEST(BadInput, Flags) {
  const Workplace place;
  const std::vector<std::pair<Arguments, std::string>> cases = {
      {{"--epochs", "0"}, "--epochs 0: must be at least 1"},
      {{"--epochs", "many"}, "many"},
      {{"--nonsense"}, "--nonsense"},
      {{"--batch", "0"}, "--batch 0"},
      {{"--lr", "0"}, "--lr 0"},
      {{"--lr", "nan"}, "--lr nan"},
      {{"--optimizer", "lion"}, "sgd, adam, adamw"},
      {{"--momentum", "1"}, "--momentum 1"},
      {{"--nesterov"}, "--nesterov"},
      {{"--schedule", "steep"}, "constant, step, cosine, plateau"},
      {{"--schedule", "step"}, "--milestones"},
      {{"--milestones", "3"}, "--schedule step"},
      {{"--schedule", "step", "--milestones", "3,2"}, "increasing"},
      {{"--stem", "large"}, "auto, imagenet, small"},
      {{"--stem", "imagenet"}, "small stem only"},
      {{"--freeze", "1"}, "--freeze needs --init"},
      {{"--augment", "shift=40"}, "32x32"},
      {{"--augment", "rotate=181"}, "from 0 to 180"},
      {{"--augment", "rotate=nan"}, "--augment rotate=nan"},
      {{"--augment", "turn=1"}, "flip, shift, rotate"},
      {{"--augment", "flip=1"}, "takes no number"},
      {{"--augment", "flip,flip"}, "twice"},
      {{"--augment", "shift=1.5"}, "whole number"},
      {{"--normalise", "none"}, "auto, data, imagenet"},
      {{"--augment", "scale=1"}, "--augment scale=1"},
      {{"--device", "gpu"}, "cpu, cuda, emulated, auto"},
      {{"--precision", "fp8"}, "float, tf32, bf16"},
      {{"--sampling", "even"}, "shuffle, balanced, square-root"},
      {{"--layer-decay", "0"}, "--layer-decay 0: must be above 0 and at most 1"},
      {{"--teacher", "x.safetensors"}, "--teacher"},
      {{"--config", "run.toml"}, "run.toml line 2: 'colour'"}};
  write_bytes(place.path("run.toml"), "batch = 16\ncolour = 3\n");
  for (const auto& [flags, word] : cases) place.refuse(with(train_on(tiny_chest), flags), 64, {word});
  place.refuse(with({"preceptor-train", "--data", tiny_chest, "--out", "run"}, {"--model", "resnet19"}), 64,
               {"resnet19", "resnet18"});
  place.refuse({"preceptor-train", "--out", "run"}, 64, {"--data is missing"});
  place.refuse({"preceptor-train", "--data", tiny_chest}, 64, {"--out is missing"});
  place.refuse(train_on("phantom:knee"), 64, {"knee"});
  place.refuse(train_on("tiff:x"), 64, {"tiff"});
  place.refuse({"preceptor-distill", "--data", tiny_chest, "--out", "run"}, 64, {"--teacher is missing"});
  place.refuse({"preceptor-distill", "--data", tiny_chest, "--teacher", "t", "--method", "kd:colour=1", "--out", "run"},
               64, {"colour", "temperature"});
  place.refuse({"preceptor-distill", "--data", tiny_chest, "--teacher", "t", "--teacher-cache", "auto",
                "--teacher-stream", "--out", "run"},
               64, {"--teacher-stream needs"});
  place.refuse({"preceptor-evaluate", "--data", tiny_chest}, 64, {"--checkpoint"});
  place.refuse({"preceptor-evaluate", "--data", tiny_chest, "--checkpoint", "x", "--split", "all"}, 64, {"all"});
  EXPECT_FALSE(place.exists("run"));
}

TEST(BadInput, FilesOfFlags) {
  const Workplace place;
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"epochs 3\n", "line 1: '='"},
      {"\n[train]\n", "line 2: tables"},
      {"model = resnet8\n", "needs quotes"},
      {"model = \"resnet8\n", "a string must end on its line"},
      {"lr = \n", "a value is missing"},
      {"lr = 1\nlr = 2\n", "line 2: 'lr' is given twice"},
      {"milestones = [1 2]\n", "','"},
      {"resume = \"x\"\n", "'resume' is not a flag"},
      {"milestones = [1,", "a value is missing"},
      {"model = \"a\\q\"\n", "unknown escape"}};
  for (const auto& [text, word] : cases) {
    write_bytes(place.path("bad.toml"), text);
    place.refuse({"preceptor-train", "--config", "bad.toml"}, 64, {"bad.toml", word});
  }
  place.refuse({"preceptor-train", "--config", "missing.toml"}, 66, {"missing.toml"});
}

TEST(BadInput, DataFiles) {
  const Workplace place;
  place.refuse(train_on("medmnist:nowhere.npz"), 66, {"nowhere.npz"});
  const auto refuse = [&](const std::string& bytes, const std::string& word) {
    write_bytes(place.path("bad.npz"), bytes);
    place.refuse(train_on("medmnist:bad.npz"), 65, {"bad.npz", word});
  };
  const std::string good = SmallMedmnist().bytes();
  refuse("", "");
  refuse("no archive at all", "");
  refuse(good.substr(0, good.size() / 2), "");
  refuse(good.substr(0, good.size() - 5), "");
  Members members = SmallMedmnist().members();
  members[0].second = npy(npy_header("|u1", "(48, 28, 28, 30000000)"), "short");
  refuse(stored_archive(members), "train_images");
  members[0].second = npy(npy_header("|u1", "(48, 28)"), std::string(48 * 28, 'x'));
  refuse(stored_archive(members), "train images");
  members = SmallMedmnist().members();
  members.erase(members.begin() + 3);
  refuse(stored_archive(members), "val_labels");
  members = SmallMedmnist().members();
  members[1].second = npy(npy_header("<f8", "(48, 1)"), std::string(48 * 8, '\0'));
  refuse(stored_archive(members), "train labels");
  EXPECT_FALSE(place.exists("run"));
}

TEST(BadInput, Checkpoints) {
  const Workplace place;
  place.run(tiny_training("teacher"));
  const Checkpoint good = load_safetensors(place.path("teacher/best.safetensors"));
  const Arguments evaluate = {"preceptor-evaluate", "--data", tiny_chest, "--checkpoint", "bad.safetensors"};
  const auto write = [&](const auto& spoil) {
    Checkpoint bad = good;
    spoil(bad);
    save_safetensors(place.path("bad.safetensors"), bad.tensors, bad.metadata);
  };
  place.refuse(evaluate, 66, {"bad.safetensors"});
  place.refuse(train_on(tiny_chest, {"--init", "bad.safetensors"}), 66, {"bad.safetensors"});
  write([](Checkpoint& c) { c.tensors.at("fc.weight").values[3] = std::numeric_limits<float>::quiet_NaN(); });
  place.refuse(evaluate, 65, {"bad.safetensors", "fc.weight", "NaN"});
  place.refuse(train_on(tiny_chest, {"--init", "bad.safetensors"}), 65, {"fc.weight", "NaN"});
  const std::string bytes = place.bytes("teacher/best.safetensors");
  write_bytes(place.path("bad.safetensors"), bytes.substr(0, bytes.size() - 7));
  place.refuse(evaluate, 65, {"bad.safetensors"});
  write_bytes(place.path("bad.safetensors"), std::string(8, '\x7F') + "{}");
  place.refuse(evaluate, 65, {"header"});
  write([](Checkpoint& c) { c.metadata.clear(); });
  place.refuse(evaluate, 65, {"not a checkpoint of preceptor-train"});
  write([](Checkpoint& c) { c.metadata["outputs"] = "1000000000"; });
  place.refuse(evaluate, 65, {"bad.safetensors"});
  write([](Checkpoint& c) { c.metadata["deviation"] = "[0]"; });
  place.refuse(evaluate, 65, {"deviation"});
  write([](Checkpoint& c) { c.metadata["labels"] = R"(["a","b","c","d","e"])"; });
  place.refuse(evaluate, 65, {"labels (a, b, c, d, e)", "cardiomegaly"});
  write([](Checkpoint& c) { c.metadata["model"] = "resnet14"; });
  place.refuse(evaluate, 65, {"missing layer1.1.bn1"});
  // Another architecture: the first differing keys are named, and no part is loaded silently.
  place.refuse({"preceptor-train", "--data", tiny_chest, "--model", "resnet14", "--init", "teacher/best.safetensors",
                "--out", "run"},
               65, {"teacher/best.safetensors", "another architecture", "missing layer1.1.", "resnet14"});
  place.refuse({"preceptor-train", "--data", tiny_chest, "--model", "resnet8", "--init", "teacher/best.safetensors",
                "--freeze", "9", "--out", "run"},
               64, {"--freeze 9", "4 blocks"});
  EXPECT_FALSE(place.exists("run"));
}

TEST(BadInput, NetworksThatDoNotFitTheData) {
  const Workplace place;
  const std::string fundus = "phantom:fundus?n=32&val=16&test=16&size=32";
  place.run(tiny_training("teacher", {"--epochs", "1"}));
  const auto distill = [](const std::string& data) {
    return Arguments{"preceptor-distill", "--data",  data,    "--teacher", "teacher/best.safetensors",
                     "--model",           "resnet8", "--out", "run"};
  };
  place.refuse(distill(fundus), 65, {"teacher/best.safetensors", "channels"});
  write_bytes(place.path("grey.npz"), SmallMedmnist{.channels = 1}.bytes());
  place.refuse(distill("medmnist:grey.npz"), 65, {"teacher/best.safetensors", "multi-label"});
  place.refuse({"preceptor-evaluate", "--data", fundus, "--checkpoint", "teacher/best.safetensors"}, 65, {"channels"});
  EXPECT_FALSE(place.exists("run"));
}

TEST(BadInput, PlacesThatCannotBeWritten) {
  const Workplace place;
  write_bytes(place.path("file"), "");
  place.refuse({"preceptor-train", "--data", tiny_chest, "--model", "resnet8", "--out", "file/run"}, 74, {"file/run"});
}

// A rate that makes the losses overflow must not end in files full of NaN.
TEST(BadInput, DivergenceIsSaid) {
  const Workplace place;
  Process process = place.start(tiny_training("run", {"--optimizer", "sgd", "--lr", "1e30"}));
  EXPECT_EQ(process.wait(), 64);
  EXPECT_NE(process.err().find("run: epoch 1: the training diverged"), std::string::npos) << process.err();
  EXPECT_FALSE(place.exists("run/best.safetensors"));
  EXPECT_FALSE(place.exists("run/result.json"));
}

}  // namespace
}  // namespace preceptor::test
