// Mutual learning: the loss terms of peers, independence of their order, and the runs they write.
#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>

#include "apps/runs/results.h"
#include "apps/training/step/student_step.h"
#include "data/formats/open_dataset.h"
#include "models/registry.h"
#include "process.h"
#include "small_medmnist.h"
#include "tests/support/variants.h"

namespace preceptor::test {
namespace {

constexpr int batch = 4;

// Networks that learn together from a few small images, outside of any run.
class Together {
 public:
  Together(const kernels::Device& device, const Dataset& dataset, const std::vector<std::uint64_t>& seeds,
           const std::string& method = "dml")
      : context_(device, 3), dataset_(dataset), methods_(seeds.size()), optimizers_(seeds.size()) {
    StepSetup setup;
    setup.task = dataset.task;
    setup.outputs = dataset.outputs;
    setup.images = {batch, dataset.channels, dataset.height, dataset.width};
    const auto channels = static_cast<std::size_t>(dataset.channels);
    setup.input = {.mean = std::vector<float>(channels, 0.5f), .deviation = std::vector<float>(channels, 0.25f)};
    const MethodSetup of_methods{.context = &context_, .multi_label = dataset.task == Task::multi_label};
    for (std::size_t k = 0; k < seeds.size(); ++k) {
      networks_.push_back(make_model(
          context_,
          {.name = "resnet8", .in_channels = dataset.channels, .outputs = dataset.outputs, .small_stem = true}));
      networks_[k]->initialize(seeds[k]);
      methods_[k] = make_methods({parse_method(method)}, of_methods);
      optimizers_[k].emplace(networks_[k]->parameters(), OptimizerOptions{});
      setup.students.push_back({.network = networks_[k].get(), .methods = methods_[k], .optimizer = &*optimizers_[k]});
    }
    step_.emplace(context_, setup);
  }

  // Trains on the first images as one epoch; from which the sums of every network are.
  std::vector<EpochSums> epoch(int number) {
    Loader loader(dataset_, dataset_.train, {.batch = batch, .weights = {}});
    loader.start(0);
    step_->start_epoch(number);
    labels = loader.next()->labels;
    loader.start(0);
    step_->run(*loader.next(), 0, 1e-2f);
    return step_->finish_epoch();
  }
  StateDict state(std::size_t k) const { return networks_[k]->parameters().state(); }
  std::vector<float> labels;  // of the images

 private:
  mutable Context context_;
  const Dataset& dataset_;
  std::vector<std::unique_ptr<Network>> networks_;
  std::vector<std::vector<StepMethod>> methods_;
  std::vector<std::optional<Optimizer>> optimizers_;
  std::optional<StudentStep> step_;
};

bool same_bits(const StateDict& a, const StateDict& b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](const auto& one, const auto& other) {
           const auto &x = one.second.values, &y = other.second.values;
           return one.first == other.first && x.size() == y.size() &&
                  std::memcmp(x.data(), y.data(), x.size() * sizeof(float)) == 0;
         });
}

class PeersStep : public DeviceTest {
 protected:
  // Findings, some of which are unknown; or four classes.
  static Dataset findings() {
    Dataset dataset = open_dataset("phantom:chest?n=16&val=1&test=1&size=16");
    for (std::size_t i = 0; i < dataset.train.labels.size(); i += 3)
      dataset.train.labels[i] = std::numeric_limits<float>::quiet_NaN();
    return dataset;
  }
  // The third is the first that is replayed.
  int steps() const { return device().kind == kernels::DeviceKind::emulated ? 2 : 4; }
  static Dataset grades() { return open_dataset("phantom:fundus?n=16&val=1&test=1&size=16"); }
};

// The mean over the others of KL(other, own), in double from the probabilities that training saw. Probabilities and
// their logarithms are off by a few units in the last place, and the terms p log(p / q) cancel: the error goes by the
// sum of their absolute values, and of the p that a logarithm's error is multiplied with.
TEST_P(PeersStep, EveryPeersLossIsTheMeanDivergenceOfTheOthers) {
  for (const Dataset& dataset : {findings(), grades()}) {
    const bool multi_label = dataset.task == Task::multi_label;
    Together together(device(), dataset, {1, 2, 3});
    const std::vector<EpochSums> sums = together.epoch(1);
    const auto entries = sums[0].probabilities.size(), outputs = static_cast<std::size_t>(dataset.outputs);
    for (std::size_t own = 0; own < 3; ++own) {
      double expected = 0, size = 0;
      for (std::size_t other = 0; other < 3; ++other) {
        if (other == own) continue;
        double known = 0, total = 0, sum = 0;
        for (std::size_t i = 0; i < entries; ++i) {
          if (multi_label && std::isnan(together.labels[i])) continue;
          const double p = double{sums[other].probabilities[i]}, q = double{sums[own].probabilities[i]};
          const std::vector<double> terms = {p * std::log(p / q),
                                             multi_label ? (1 - p) * std::log((1 - p) / (1 - q)) : 0};
          total += terms[0] + terms[1];
          sum += std::abs(terms[0]) + std::abs(terms[1]) + (multi_label ? 1 : p);
          known += multi_label ? 1 : 1 / static_cast<double>(outputs);
        }
        expected += total / known / 2;
        size += sum / known / 2;
      }
      EXPECT_GT(expected, 0);
      const double allowed = 32 * double{std::numeric_limits<float>::epsilon()} * size;
      EXPECT_NEAR(sums[own].terms.at(1).loss, expected, allowed) << dataset.source << ", peer " << own + 1;
      EXPECT_LT(allowed, 0.1 * expected) << "nothing would be noticed";
    }
  }
}

TEST_P(PeersStep, OfOneStartStayAlikeAndHaveNothingToSay) {
  if (watched(device())) GTEST_SKIP() << "several steps, each of seconds where every access is watched";
  const Dataset dataset = findings();
  Together together(device(), dataset, {5, 5});
  for (int number = 1; number <= steps(); ++number)
    for (const EpochSums& sums : together.epoch(number)) EXPECT_EQ(sums.terms.at(1).loss, 0) << "step " << number;
  EXPECT_TRUE(same_bits(together.state(0), together.state(1)));
  Together alone(device(), dataset, {5}, "ls:weight=0");
  for (int number = 1; number <= steps(); ++number) alone.epoch(number);
  EXPECT_TRUE(same_bits(together.state(0), alone.state(0))) << "as if there were no peer";
}

// Everyone learns from what the others said before they moved.
TEST_P(PeersStep, HaveNoOrder) {
  if (watched(device())) GTEST_SKIP() << "several steps, each of seconds where every access is watched";
  const Dataset dataset = grades();
  Together one(device(), dataset, {1, 2}), other(device(), dataset, {2, 1}),
      apart(device(), dataset, {1, 2}, "dml:weight=0");
  for (int number = 1; number <= steps(); ++number) one.epoch(number), other.epoch(number), apart.epoch(number);
  EXPECT_TRUE(same_bits(one.state(0), other.state(1)));
  EXPECT_TRUE(same_bits(one.state(1), other.state(0)));
  EXPECT_FALSE(same_bits(one.state(0), apart.state(0)));
  EXPECT_FALSE(same_bits(one.state(1), apart.state(1)));
}

INSTANTIATE_ON_ALL_DEVICES(PeersStep);

class Peers : public testing::Test {
 protected:
  static Arguments peers(const std::string& out, const Arguments& more = {}) {
    return completed({"preceptor-distill", "--out", out},
                     {"--data", tiny_chest, "--peers", "resnet8,resnet14", "--epochs", "2", "--batch", "16",
                      "--threads", "2", "--bootstrap", "0"},
                     more);
  }
  void expect_same_bits(const std::string& run, const std::string& other) const {
    for (const char* peer : {"/peer1", "/peer2"}) {
      EXPECT_EQ(place.files(run + peer), complete_run);
      for (const char* file : {"/best.safetensors", "/last.safetensors", "/last.state.safetensors", "/config.toml"})
        EXPECT_TRUE(place.bytes(run + peer + file) == place.bytes(other + peer + file)) << run << peer << file;
    }
  }

  const Workplace place{};
};

TEST_F(Peers, AreRunsThatEveryAppReads) {
  place.run(peers("both", {"--meter-every", "1"}));
  EXPECT_EQ(place.files("both"), (std::vector<std::string>{"config.toml", "peer1", "peer2"}));
  for (const auto& [peer, model] : {std::pair{"both/peer1", "resnet8"}, std::pair{"both/peer2", "resnet14"}}) {
    EXPECT_EQ(place.files(peer), complete_run);
    const nlohmann::json config = place.json(std::string(peer) + "/result.json")["config"];
    EXPECT_EQ(config["model"], model);
    EXPECT_EQ(config["seed"], 0);
    EXPECT_EQ(config["peers"], (nlohmann::json{"resnet8", "resnet14"}));
    for (const EpochRow& row : read_metrics(place.path(std::string(peer) + "/metrics.csv"))) {
      EXPECT_GT(row.transfer_loss, 0);
      EXPECT_GT(meter_of(row, "gradient_share/dml"), 0);
    }
    place.run({"preceptor-evaluate", peer, "--bootstrap", "0"});
  }
  EXPECT_NE(place.run({"preceptor-compare", "both/peer1", "both/peer2", "--bootstrap", "0"}).find("resnet14"),
            std::string::npos);
  place.run(
      {"preceptor-report", "both/peer1", "both/peer2", "--out", "report.html", "--bootstrap", "0", "--pictures", "0"});
  place.refuse({"preceptor-distill", "--resume", "both/peer1"}, 64, {"both/peer1", "resume the directory above it"});
  place.refuse(peers("both"), 64, {"both: holds a run already"});
  place.run({"preceptor-distill", "--resume", "both"});
}

// A peer without a word is the network that learns alone from the same seed.
TEST_F(Peers, WithoutWeightAreOnTheirOwn) {
  const Arguments how = {"--augment", "flip,shift=2,mixup=0.4", "--schedule", "cosine", "--ema", "0.9"};
  place.run(peers("both", with(how, {"--method", "dml:weight=0"})));
  place.run(tiny_training("alone", with(how, {"--bootstrap", "0"})));
  for (const char* file : {"/best.safetensors", "/last.safetensors", "/last.state.safetensors"})
    EXPECT_TRUE(place.bytes(std::string("both/peer1") + file) == place.bytes(std::string("alone") + file)) << file;
}

TEST_F(Peers, AreTheSameWithoutAGraph) {
  const Arguments how = {"--balance", "0.3", "--peers", "resnet8,resnet8,resnet8"};
  place.run(peers("on", how));
  place.run(peers("off", with(how, {"--graph", "off"})));
  for (const char* file : {"/peer1/last.safetensors", "/peer2/last.safetensors", "/peer3/last.safetensors"})
    EXPECT_TRUE(place.bytes(std::string("on") + file) == place.bytes(std::string("off") + file)) << file;
  EXPECT_FALSE(place.bytes("on/peer1/last.safetensors") == place.bytes("on/peer2/last.safetensors"));
  EXPECT_GT(meter_of(read_metrics(place.path("on/peer3/metrics.csv")).back(), "balance/factor"), 0);
}

TEST_F(Peers, ThatAreKilledGoOnBitForBit) {
  const Arguments how = {"--epochs", "4", "--schedule", "plateau", "--patience", "0", "--augment", "flip"};
  place.run(peers("whole", how));
  for (const std::size_t epochs : {0u, 1u, 2u, 3u}) {
    const std::string run = "killed" + std::to_string(epochs);
    place.start_and_kill(peers(run, how), run + "/peer" + (epochs % 2 ? "1" : "2"), epochs);
    if (!place.exists(run + "/config.toml")) continue;  // before anything was written
    place.run({"preceptor-distill", "--resume", run});
    expect_same_bits(run, "whole");
  }
}

// The state of two peers between any two of the renames of a commit, set up by hand.
TEST_F(Peers, CommitAnEpochForAllOrForNone) {
  place.run(peers("one", {"--epochs", "1"}));
  place.run(peers("two"));
  const auto copy = [&](const std::string& to) {
    std::filesystem::copy(place.path("two"), place.path(to), std::filesystem::copy_options::recursive);
  };
  const auto move = [&](const std::string& from, const std::string& to) {
    std::filesystem::rename(place.path(from), place.path(to));
  };
  // The first has committed the second epoch, the other not even begun to.
  copy("first");
  for (const char* file : {"last.safetensors", "last.state.safetensors"}) {
    move(std::string("first/peer2/") + file, std::string("first/peer2/") + file + ".next");
    std::filesystem::copy(place.path(std::string("one/peer2/") + file), place.path(std::string("first/peer2/") + file));
  }
  place.run({"preceptor-distill", "--resume", "first"});
  expect_same_bits("first", "two");
  // Both have prepared it, neither has committed.
  copy("nobody");
  for (const char* peer : {"peer1/", "peer2/"})
    for (const char* file : {"last.safetensors", "last.state.safetensors"}) {
      const std::string name = std::string(peer) + file;
      move("nobody/" + name, "nobody/" + name + ".next");
      std::filesystem::copy(place.path("one/" + name), place.path("nobody/" + name));
    }
  place.run({"preceptor-distill", "--resume", "nobody"});
  expect_same_bits("nobody", "two");
  // A state that no kill leaves on disk.
  copy("broken");
  std::filesystem::copy(place.path("one/peer2/last.state.safetensors"),
                        place.path("broken/peer2/last.state.safetensors"),
                        std::filesystem::copy_options::overwrite_existing);
  place.refuse({"preceptor-distill", "--resume", "broken", "--quiet"}, 65,
               {"peer2/last.state.safetensors", "epoch 1", "epoch 2"});
}

// At rates a hundred times smaller or larger, too, one step leaves the shallow network finite and not the deep one.
TEST_F(Peers, AreNamedWhenTheyDiverge) {
  for (const auto& [order, named] :
       {std::pair{"resnet8,densenet16", "run/peer2"}, std::pair{"densenet16,resnet8", "run/peer1"}}) {
    Process process =
        place.start(peers("run", {"--peers", order, "--batch", "64", "--optimizer", "sgd", "--lr", "1e8"}));
    EXPECT_EQ(process.wait(), 64);
    EXPECT_NE(process.err().find(message(named, ": epoch 1: the training diverged")), std::string::npos)
        << process.err();
    std::filesystem::remove_all(place.path("run"));
  }
}

TEST_F(Peers, AreRefusedWithOneLine) {
  const auto refuse = [&](const Arguments& more, const std::vector<std::string>& words) {
    place.refuse(peers("run", more), 64, words);
  };
  refuse({"--peers", "resnet8"}, {"--peers resnet8", "one network has no peer"});
  refuse({"--peers", "resnet8,resnet9"}, {"--peers resnet9", "not one of"});
  refuse({"--model", "resnet8"}, {"--peers", "without --model"});
  refuse({"--teacher", "x.safetensors", "--method", "dml"}, {"without --teacher"});
  refuse({"--method", "ls"}, {"--peers needs --method dml"});
  refuse({"--generations", "2"}, {"without --generations"});
  refuse({"--init", "x.safetensors"}, {"--peers goes without --init"});
  refuse({"--precision", "bf16"}, {"cpu"});
  refuse({"--method", "dml:temperature=0"}, {"temperature"});
  place.refuse({"preceptor-distill", "--data", tiny_chest, "--model", "resnet8", "--method", "dml", "--out", "run"}, 64,
               {"--method dml needs --peers"});
  EXPECT_FALSE(place.exists("run"));
}

}  // namespace
}  // namespace preceptor::test
