// Teachers that are several, of other labels, of another size, or not worth much.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "apps/inference/card_and_data.h"
#include "engine/files/checkpoint.h"
#include "process.h"

namespace preceptor::test {
namespace {

TEST(LabelMatch, PairsByNameWhateverItsSpelling) {
  EXPECT_EQ(match_labels({"Pleural Effusion", "edema", "Pleural_Thickening", "Fracture"},
                         {"Atelectasis", "Effusion", "Pleural Thickening", "Pulmonary Edema"}),
            (std::vector<int>{1, 3, 2, -1}));
  EXPECT_EQ(match_labels({}, {"a"}), std::vector<int>{});
}

TEST(LabelMatch, ArrangesTheHead) {
  CardCheckpoint checkpoint;
  checkpoint.card.labels = {"a", "b"};
  checkpoint.card.network.outputs = 2;
  checkpoint.tensors["fc.weight"] = {{2, 3}, {1, 2, 3, 4, 5, 6}};
  checkpoint.tensors["fc.bias"] = {{2}, {7, 8}};
  const CardCheckpoint arranged = with_labels(checkpoint, "fc", {"b", "other", "a"}, {1, -1, 0});
  EXPECT_EQ(arranged.tensors.at("fc.weight").shape, (Shape{3, 3}));
  EXPECT_EQ(arranged.tensors.at("fc.weight").values, (std::vector<float>{4, 5, 6, 0, 0, 0, 1, 2, 3}));
  EXPECT_EQ(arranged.tensors.at("fc.bias").values, (std::vector<float>{8, 0, 7}));
  EXPECT_EQ(arranged.card.network.outputs, 3);
}

class TeachersTest : public testing::Test {
 protected:
  TeachersTest() { place.run(tiny_training("teacher")); }

  static Arguments student(const std::vector<std::string>& teachers, const std::string& out,
                           const Arguments& more = {}) {
    Arguments flags = {
        "preceptor-distill", "--data", tiny_other,    "--model", "resnet8", "--epochs", "2", "--batch", "16",
        "--threads",         "2",      "--bootstrap", "0",       "--out",   out};
    for (const std::string& teacher : teachers) flags.insert(flags.end(), {"--teacher", teacher});
    return with(flags, more);
  }
  // Runs it; what it says on stderr.
  std::string said_by(const Arguments& arguments) const {
    Process process = place.start(arguments);
    EXPECT_EQ(process.wait(), 0) << process.err();
    return process.err();
  }
  double transfer_loss(const std::string& run) const {
    const std::string csv = place.bytes(run + "/metrics.csv");
    double loss = 0;
    EXPECT_EQ(std::sscanf(csv.c_str() + csv.find('\n') + 1, "1,%*f,%*f,%*f,%lf", &loss), 1);
    return loss;
  }
  // The teacher with its labels, and the rows of its head, changed.
  void change_labels(const std::string& name, const std::function<void(std::vector<std::string>&)>& change,
                     bool reverse_rows) const {
    Checkpoint checkpoint = load_safetensors(place.path("teacher/best.safetensors"));
    auto labels = parse_json(checkpoint.metadata.at("labels")).get<std::vector<std::string>>();
    change(labels);
    checkpoint.metadata["labels"] = nlohmann::json(labels).dump();
    if (reverse_rows)
      for (const char* tensor : {"fc.weight", "fc.bias"}) {
        std::vector<float>& values = checkpoint.tensors.at(tensor).values;
        const std::size_t row = values.size() / labels.size();
        for (std::size_t i = 0; i < labels.size() / 2; ++i)
          std::swap_ranges(values.begin() + static_cast<std::ptrdiff_t>(i * row),
                           values.begin() + static_cast<std::ptrdiff_t>((i + 1) * row),
                           values.end() - static_cast<std::ptrdiff_t>((i + 1) * row));
      }
    save_safetensors(place.path(name), checkpoint.tensors, checkpoint.metadata);
  }

  const Workplace place;
};

TEST_F(TeachersTest, SayWhatTheyAreWorth) {
  const std::string said = said_by(student({"teacher/best.safetensors"}, "run"));
  EXPECT_NE(said.find("teacher teacher/best.safetensors: validation AUC 0."), std::string::npos) << said;
}

TEST_F(TeachersTest, LabelsInAnotherOrderArePairedByName) {
  change_labels(
      "reversed.safetensors", [](auto& labels) { std::reverse(labels.begin(), labels.end()); }, true);
  said_by(student({"teacher/best.safetensors"}, "straight"));
  const std::string said = said_by(student({"reversed.safetensors"}, "reversed"));
  EXPECT_NE(said.find("labels are paired by name"), std::string::npos) << said;
  EXPECT_TRUE(place.bytes("straight/best.safetensors") == place.bytes("reversed/best.safetensors"));
}

TEST_F(TeachersTest, AFindingThatIsNotTaughtIsNamedAndLeftOut) {
  change_labels(
      "fewer.safetensors", [](auto& labels) { labels[0] = "something else"; }, false);
  const std::string said = said_by(student({"fewer.safetensors"}, "run"));
  EXPECT_NE(said.find("it does not teach"), std::string::npos) << said;
  said_by(student({"teacher/best.safetensors"}, "whole"));
  EXPECT_NE(transfer_loss("run"), transfer_loss("whole"));
  // Another teacher knows it: then it is taught.
  said_by(student({"fewer.safetensors", "teacher/best.safetensors"}, "both"));
  EXPECT_NEAR(transfer_loss("both"), transfer_loss("whole"), 1e-5);
}

TEST_F(TeachersTest, LabelsWithoutAKnownNameArePairedByTheirOrder) {
  change_labels(
      "numbered.safetensors",
      [](auto& labels) {
        for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = "label" + std::to_string(i + 1);
      },
      false);
  said_by(student({"teacher/best.safetensors"}, "named"));
  const std::string said = said_by(student({"numbered.safetensors"}, "numbered"));
  EXPECT_NE(said.find("paired by their order"), std::string::npos) << said;
  EXPECT_TRUE(place.bytes("named/best.safetensors") == place.bytes("numbered/best.safetensors"));
}

TEST_F(TeachersTest, TwoAlikeTeachAsOne) {
  said_by(student({"teacher/best.safetensors"}, "one"));
  for (const char* weights : {"equal", "auc", "0.2,0.8"}) {
    const std::string run = std::string("two-") + weights;
    said_by(student({"teacher/best.safetensors", "teacher/best.safetensors"}, run, {"--teacher-weights", weights}));
    EXPECT_NEAR(transfer_loss(run), transfer_loss("one"), 1e-5) << weights;
    EXPECT_NE(place.bytes(run + "/config.toml").find("teacher-weights"), std::string::npos);
  }
  place.run({"preceptor-distill", "--resume", "two-auc"});
}

TEST_F(TeachersTest, AWeightOfZeroSilencesATeacher) {
  Checkpoint noise = load_safetensors(place.path("teacher/best.safetensors"));
  for (float& value : noise.tensors.at("fc.weight").values) value = -value;
  save_safetensors(place.path("noise.safetensors"), noise.tensors, noise.metadata);
  said_by(student({"teacher/best.safetensors"}, "one"));
  said_by(student({"noise.safetensors", "teacher/best.safetensors"}, "silenced", {"--teacher-weights", "0,1"}));
  said_by(student({"noise.safetensors", "teacher/best.safetensors"}, "equal"));
  EXPECT_NEAR(transfer_loss("silenced"), transfer_loss("one"), 1e-5);
  EXPECT_GT(std::abs(transfer_loss("equal") - transfer_loss("one")), 1e-3);
}

TEST_F(TeachersTest, AnotherSizeIsReachedByResizing) {
  place.run({"preceptor-train", "--data", "phantom:chest?n=32&val=16&test=16&size=64", "--model", "resnet8", "--epochs",
             "1", "--threads", "2", "--bootstrap", "0", "--out", "large"});
  const std::string said = said_by(student({"large/best.safetensors"}, "run", {"--method", "at"}));
  EXPECT_NE(said.find("images of 32x32 are scaled to its 64x64"), std::string::npos) << said;
}

TEST_F(TeachersTest, NonsenseIsRefusedBeforeTheRunBegins) {
  const auto refuse = [&](const std::vector<std::string>& teachers, const Arguments& more, int code,
                          const std::vector<std::string>& reasons) {
    place.refuse(student(teachers, "run", more), code, reasons);
    EXPECT_FALSE(place.exists("run"));
  };
  const std::string teacher = "teacher/best.safetensors";
  refuse({teacher, teacher}, {"--method", "at"}, 64, {"--method at", "takes one teacher"});
  refuse({teacher, teacher}, {"--teacher-weights", "1"}, 64, {"--teacher-weights 1", "1 numbers for 2 teachers"});
  refuse({teacher, teacher}, {"--teacher-weights", "1,x"}, 64, {"'x' is no number"});
  refuse({teacher, teacher}, {"--teacher-weights", "0,0"}, 64, {"no teacher counts"});
  refuse({teacher, "nowhere.safetensors"}, {}, 66, {"nowhere.safetensors"});
}

TEST_F(TeachersTest, AStudentThatStartsAsItsTeacherIsTold) {
  Arguments arguments = student({"teacher/best.safetensors"}, "run", {"--init", "teacher/best.safetensors"});
  const std::string said = said_by(arguments);
  EXPECT_NE(said.find("the student starts as its teacher"), std::string::npos) << said;
}

}  // namespace
}  // namespace preceptor::test
