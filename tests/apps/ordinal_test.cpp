// Grades learned as cumulative targets: the files of such a run, and every app reading it as grades.
#include <cmath>
#include <filesystem>

#include "data/predictions/grades.h"
#include "data/predictions/predictions.h"
#include "models/loaded_model.h"
#include "process.h"
#include "small_medmnist.h"
#include "tests/data/real_data.h"

namespace preceptor::test {
namespace {

// A grade cannot be above k + 1 and not above k: the second output of the last two rows counts as the first.
TEST(GradeProbabilities, AreDifferencesOfTheLeastSoFar) {
  const std::vector<float> found = grade_probabilities({0.75f, 0.5f, 0.25f, 1, 1, 0, 0.25f, 0.5f, 0.125f, 0, 1, 1}, 4);
  EXPECT_EQ(found, (std::vector<float>{0.25f, 0.25f, 0.25f, 0.25f, 0, 0, 1, 0, 0.75f, 0, 0.125f, 0.125f, 1, 0, 0, 0}));
  // The outputs above 0.5, up to the first that is not.
  EXPECT_EQ(median_grades({found.begin(), found.end()}, 4), (std::vector<int>{1, 2, 0, 0}));
  EXPECT_THROW(grade_probabilities({0.5f}, 3), Error);
}

class Ordinal : public testing::Test {
 protected:
  Ordinal() { write_bytes(place.path("grades.npz"), SmallMedmnist().bytes()); }
  static Arguments training(const std::string& out, const Arguments& more = {}) {
    return tiny_training(out, with({"--data", "medmnist:grades.npz?task=ordinal", "--ordinal"}, more));
  }
  static Arguments distillation(const std::string& out, const Arguments& more = {}) {
    return tiny_distillation(out, with({"--data", "medmnist:grades.npz?task=ordinal"}, more));
  }
  nlohmann::json evaluated(const Arguments& more) const {
    return parse_json(place.run(with({"preceptor-evaluate", "--json", "--bootstrap", "0"}, more)));
  }

  const Workplace place;
};

TEST_F(Ordinal, RunsAreReadAsGrades) {
  place.run(training("graded", {"--epochs", "6", "--lr", "1e-2"}));
  place.run(tiny_training("nominal", {"--data", "medmnist:grades.npz?task=ordinal"}));
  const CardCheckpoint checkpoint = load_card_checkpoint(place.path("graded/best.safetensors"));
  EXPECT_TRUE(checkpoint.card.cumulative);
  EXPECT_EQ(checkpoint.card.network.outputs, 4);
  EXPECT_EQ(checkpoint.card.labels.size(), 5u);
  EXPECT_EQ(checkpoint.tensors.at("fc.bias").shape, Shape{4});

  // A run, its checkpoint on the same images, and what training said of them.
  const nlohmann::json run = evaluated({"graded"}),
                       file = evaluated({"graded/best.safetensors", "--data", "medmnist:grades.npz?task=ordinal"});
  for (const char* number : {"auc_macro", "accuracy", "loss"}) EXPECT_EQ(run[number], file[number]) << number;
  for (const char* number : {"quadratic_weighted_kappa", "mean_absolute_error"})
    EXPECT_EQ(run[number]["value"], file[number]["value"]) << number;
  const nlohmann::json test = place.json("graded/result.json")["test"];
  EXPECT_EQ(run["auc_macro"], test["auc_macro"]);
  EXPECT_EQ(run["accuracy"], test["accuracy"]);

  // Worked out from the table by hand.
  const PredictionTable table = read_predictions(place.path("graded/predictions.test.csv"));
  double wrong = 0;
  for (std::size_t i = 0; i < table.ids.size(); ++i) {
    int above = 0;
    for (int k = 0; k < 4; ++k) {
      double behind = 0;
      for (int grade = k + 1; grade < 5; ++grade)
        behind += table.probabilities[i * 5 + static_cast<std::size_t>(grade)];
      above += behind > 0.5;
    }
    EXPECT_EQ(table.decisions.at(i), above) << table.ids[i];
    wrong += std::abs(above - static_cast<int>(table.labels[i]));
  }
  EXPECT_NEAR(run["mean_absolute_error"]["value"].get<double>(), wrong / table.rows(), 1e-12);

  const std::string csv = place.run({"preceptor-predict", "--checkpoint", "graded/best.safetensors", "--decisions",
                                     "medmnist:grades.npz?task=ordinal"});
  EXPECT_EQ(csv.substr(0, csv.find('\n')).find("path,grade 0,grade 1,grade 2,grade 3,grade 4,decision:grade 0"), 0u)
      << csv;
  EXPECT_NE(place.run({"preceptor-compare", "nominal", "graded", "--bootstrap", "0"}).find("ordinal"),
            std::string::npos);
  place.run({"preceptor-report", "nominal", "graded", "--out", "both.html", "--bootstrap", "0", "--pictures", "1"});
  place.run({"preceptor-report", "graded", "--out", "one.html", "--bootstrap", "0", "--pictures", "1"});
  EXPECT_NE(place.bytes("one.html").find("whether it is above each"), std::string::npos);
  place.run({"preceptor-export", "graded/best.safetensors", "--out", "graded.onnx", "--probabilities"});
  EXPECT_NE(place.bytes("graded.onnx").find("Sigmoid"), std::string::npos);
}

TEST_F(Ordinal, NetworksTeachAndAreResumed) {
  place.run(training("teacher"));
  const Arguments how = {"--ordinal", "--epochs",    "4",         "--method", "kd",
                         "--method",  "at:weight=1", "--augment", "flip"};
  place.run(distillation("whole", how));
  place.start_and_kill(distillation("killed", how), "killed", 2);
  place.run({"preceptor-distill", "--resume", "killed"});
  for (const char* file : {"/best.safetensors", "/last.safetensors", "/last.state.safetensors", "/config.toml"})
    EXPECT_TRUE(place.bytes(std::string("killed") + file) == place.bytes(std::string("whole") + file)) << file;
  EXPECT_NE(place.bytes("whole/metrics.csv").find("agreement/top_1"), std::string::npos);
  place.run({"preceptor-distill", "--data", "medmnist:grades.npz?task=ordinal", "--ordinal", "--peers",
             "resnet8,resnet8", "--epochs", "1", "--bootstrap", "0", "--out", "peers"});
  place.run(training("on", {"--init", "teacher/best.safetensors", "--epochs", "1"}));
}

TEST_F(Ordinal, IsRefusedWithOneLine) {
  place.refuse(tiny_training("run", {"--ordinal"}), 64, {"--ordinal", "independent labels"});
  place.run(training("teacher", {"--epochs", "1"}));
  place.refuse(distillation("run"), 65, {"teacher/best.safetensors", "--ordinal", "so must be its student"});
  place.refuse({"preceptor-predict", "--checkpoint", "teacher/best.safetensors", "--logits", "--quiet",
                "medmnist:grades.npz?task=ordinal"},
               65, {"teacher/best.safetensors", "--logits"});
  place.refuse({"preceptor-explain", "--checkpoint", "teacher/best.safetensors", "--data",
                "medmnist:grades.npz?task=ordinal", "--out", "maps", "--quiet"},
               65, {"teacher/best.safetensors", "--ordinal"});
  EXPECT_FALSE(place.exists("run"));
}

TEST_F(Ordinal, RealRetinasAreGraded) {
  const std::string file = real_file("medmnist28/retinamnist.npz");
  if (!std::filesystem::exists(file)) GTEST_SKIP() << file << " is absent; set PRECEPTOR_DATA";
  place.run({"preceptor-train", "--data", "medmnist:" + file, "--model", "resnet8", "--ordinal", "--epochs", "4",
             "--lr", "3e-3", "--threads", "2", "--bootstrap", "0", "--out", "retina"});
  const nlohmann::json result = evaluated({"retina"});
  // Chance has 0.5 and 0; published networks have an AUC of 0.72.
  EXPECT_GT(result["auc_macro"].get<double>(), 0.6);
  EXPECT_GT(result["quadratic_weighted_kappa"]["value"].get<double>(), 0.2);
}

}  // namespace
}  // namespace preceptor::test
