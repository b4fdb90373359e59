// preceptor-evaluate and preceptor-compare as users run them.
#include "data/metrics/decisions.h"
#include "data/predictions/predictions.h"
#include "process.h"

namespace preceptor::test {
namespace {

using Json = nlohmann::json;

// Runs of two arms with two seeds each, made once.
class Evaluate : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    place = new Workplace;
    for (const char* seed : {"0", "1"}) {
      place->run(tiny_training(std::string("plain") + seed, {"--seed", seed}));
      place->run(tiny_training(std::string("moved") + seed, {"--seed", seed, "--lr", "0.01"}));
    }
    write_bytes(place->path("truth.csv"),
                "Image Index,Finding Labels,Patient ID,Patient Gender\n1.png,Mass|Edema,1,F\n2.png,No Finding,2,M\n"
                "3.png,Mass,3,F\n4.png,Edema,4,M\n5.png,No Finding,5,F\n6.png,No Finding,5,M\n");
    write_bytes(place->path("plain.csv"),
                "Image Index,prob_Mass,prob_Edema\n1.png,0.9,0.7\n2.png,0.2,0.1\n3.png,0.6,0.3\n4.png,0.7,0.2\n"
                "5.png,0.1,0.25\n6.png,0.3,0.15\n");
  }
  static void TearDownTestSuite() { delete place; }

  static Json json(const Arguments& arguments) { return Json::parse(place->run(with(arguments, {"--json"}))); }

  static inline Workplace* place = nullptr;
};

TEST_F(Evaluate, RunsTablesAndCheckpointsAgree) {
  const Arguments small = {"--bootstrap", "50"};
  const Json kept = place->json("plain0/result.json");
  const Json run = json(with({"preceptor-evaluate", "plain0"}, small));
  const Json table = json(
      with({"preceptor-evaluate", "plain0/predictions.test.csv", "--validation", "plain0/predictions.val.csv"}, small));
  const Json checkpoint =
      json(with({"preceptor-evaluate", "plain0/best.safetensors", "--data", tiny_chest, "--threads", "2"}, small));
  for (const char* key : {"n", "auc_macro", "auc_low", "auc_high", "auc", "accuracy", "undefined"}) {
    EXPECT_EQ(run[key], kept["test"][key]) << key;
    EXPECT_EQ(table[key], kept["test"][key]) << key;
    EXPECT_EQ(checkpoint[key], kept["test"][key]) << key;
  }
  EXPECT_EQ(checkpoint["loss"], kept["test"]["loss"]);
  EXPECT_NEAR(run["loss"].get<double>(), kept["test"]["loss"].get<double>(), 1e-6);  // from probabilities in float
  // The run's validation table gives the values stored in the checkpoint.
  for (const Json* one : {&run, &table, &checkpoint}) {
    EXPECT_EQ((*one)["operating_point"], kept["operating_point"]);
    EXPECT_EQ((*one)["labels"], run["labels"]);
    EXPECT_EQ((*one)["calibrated"], run["calibrated"]);
  }
  for (int j = 0; j < 5; ++j) EXPECT_EQ(run["labels"][j]["threshold"], kept["operating_point"]["thresholds"][j]);
  EXPECT_EQ(json(with({"preceptor-evaluate", "plain0", "--split", "val"}, small))["auc_macro"],
            kept["val"]["auc_macro"]);
}

TEST_F(Evaluate, ThresholdsAreRefittedOnValidation) {
  const Json high = json({"preceptor-evaluate", "plain0", "--thresholds", "sensitivity=1", "--bootstrap", "0"});
  EXPECT_EQ(high["operating_point"]["rule"], "sensitivity=1");
  const PredictionTable val = read_predictions(place->path("plain0/predictions.val.csv"));
  const std::vector<Finding> all = findings(val);
  for (std::size_t j = 0; j < all.size(); ++j)
    EXPECT_EQ(high["labels"][j]["threshold"].get<double>(),
              choose_threshold(all[j], {ThresholdRule::Kind::sensitivity, 1}));
  EXPECT_TRUE(high["auc_weighted"]["low"].is_null());  // no bootstrap
  EXPECT_TRUE(high["auc_low"].is_null());
  const Json checkpoint = json({"preceptor-evaluate", "plain0/best.safetensors", "--data", tiny_chest, "--threads", "2",
                                "--thresholds", "sensitivity=1", "--bootstrap", "0"});
  EXPECT_EQ(checkpoint["labels"], high["labels"]);
}

TEST_F(Evaluate, PlainTablesWithTruthElsewhere) {
  const Arguments plain = {"preceptor-evaluate", "plain.csv", "--labels", "truth.csv", "--bootstrap", "200"};
  const Json result = json(with(plain, {"--subgroups", "sex", "--minimum-group", "1", "--curves", "curves"}));
  EXPECT_EQ(result["n"], 6);
  EXPECT_EQ(result["patients"], 5);
  EXPECT_FALSE(result.contains("operating_point"));
  EXPECT_EQ(result["auc"]["Mass"], 1 - 1.0 / 8);   // 0.6 below 0.7
  EXPECT_EQ(result["auc"]["Edema"], 1 - 2.0 / 8);  // 0.2 below 0.3 and 0.25
  ASSERT_EQ(result["subgroups"]["sex"].size(), 2u);
  EXPECT_EQ(result["subgroups"]["sex"][0]["group"], "sex=F");
  EXPECT_EQ(result["subgroups"]["sex"][0]["n"], 3);
  EXPECT_EQ(place->bytes("curves/roc.csv")
                .rfind("source,label,threshold,false_positive_rate,sensitivity\nplain.csv,Mass,inf,0,0\n", 0),
            0u);
  EXPECT_NE(place->bytes("curves/precision_recall.csv").find("plain.csv,Edema,0.7,0.5,1\n"), std::string::npos);
  EXPECT_NE(place->bytes("curves/reliability.csv").find("plain.csv,Mass,"), std::string::npos);
  const std::string text = place->run(with(plain, {"--subgroups", "sex", "--minimum-group", "1"}));
  for (const char* word : {"6 images of 5 patients", "DeLong, patients", "Mass", "0.8750",
                           "decisions at thresholds of 0.5", "by sex", "sex=M"})
    EXPECT_NE(text.find(word), std::string::npos) << word << "\n" << text;
  const Json both = json({"preceptor-evaluate", "plain0", "moved0", "--bootstrap", "0"});
  ASSERT_EQ(both.size(), 2u);
  EXPECT_EQ(both[1]["source"], "moved0");
}

TEST_F(Evaluate, Refusals) {
  write_bytes(place->path("broken.csv"), "id,label:a,probability:a\nx,0,0.5\ny,1,nan\n");
  place->refuse({"preceptor-evaluate"}, 64, {"nothing to evaluate"});
  place->refuse({"preceptor-evaluate", "broken.csv"}, 65, {"broken.csv line 3", "probability:a", "nan"});
  place->refuse({"preceptor-evaluate", "none.csv"}, 66, {"none.csv"});
  place->refuse({"preceptor-evaluate", "plain0/best.safetensors"}, 64, {"--data"});
  place->refuse({"preceptor-evaluate", "plain0", "--data", tiny_chest}, 64, {"plain0/best.safetensors"});
  place->refuse({"preceptor-evaluate", "plain0", "--split", "train"}, 64, {"--split train"});
  place->refuse({"preceptor-evaluate", "plain0/predictions.test.csv", "--thresholds", "f1"}, 64, {"--validation"});
  place->refuse({"preceptor-evaluate", "plain0", "--thresholds", "best"}, 64, {"'best'", "youden"});
  place->refuse({"preceptor-evaluate", "plain0", "--subgroups", "sex"}, 64, {"no column 'sex'"});
  place->refuse({"preceptor-evaluate", "plain.csv"}, 65, {"plain.csv line 1", "'id'"});
  for (const char* app : {"preceptor-evaluate", "preceptor-compare", "preceptor-report"})
    for (const char* resamples : {"-1", "39", "1000001"})
      place->refuse({app, "plain0", "plain1", "--bootstrap", resamples}, 64,
                    {std::string("--bootstrap ") + resamples, "0, for no intervals", "40"});
  place->refuse(tiny_training("few", {"--bootstrap", "39"}), 64, {"--bootstrap 39", "40"});
  std::filesystem::create_directories(place->path("unfinished"));
  place->refuse({"preceptor-evaluate", "unfinished"}, 66, {"unfinished/predictions.test.csv", "finishes"});
}

TEST_F(Evaluate, ComparesArmsOverSeeds) {
  const Json result = json({"preceptor-compare", "plain0", "moved0", "plain1", "moved1", "--margin", "0.5"});
  ASSERT_EQ(result["arms"].size(), 2u);
  EXPECT_EQ(result["arms"][0]["runs"].size(), 2u);
  EXPECT_EQ(result["arms"][1]["runs"][1]["source"], "moved1");
  EXPECT_EQ(result["config_differences"].size(), 1u);
  EXPECT_EQ(result["config_differences"]["lr"]["B"], "0.01");
  const auto area = [&](const char* run) {
    return place->json(std::string(run) + "/result.json")["test"]["auc_macro"].get<double>();
  };
  const double expected = (area("moved0") + area("moved1") - area("plain0") - area("plain1")) / 2;
  const Json& difference = result["differences"][0];
  EXPECT_NEAR(difference["by_image"]["value"].get<double>(), expected, 1e-12);
  EXPECT_NEAR(difference["over_seeds"]["value"].get<double>(), expected, 1e-12);
  EXPECT_EQ(difference["by_image"]["p"], difference["by_image"]["p_holm"]);  // one comparison
  EXPECT_EQ(difference["labels"].size(), 5u);
  const auto precision = [&](const char* run) {
    return json({"preceptor-evaluate", run, "--bootstrap", "0"})["average_precision"]["value"].get<double>();
  };
  EXPECT_NEAR(difference["average_precision"]["value"].get<double>(),
              (precision("moved0") + precision("moved1") - precision("plain0") - precision("plain1")) / 2, 1e-12);
  EXPECT_LE(difference["average_precision"]["low"], difference["average_precision"]["high"]);
  EXPECT_GT(difference["average_precision"]["p"], 0);
  EXPECT_TRUE(difference["non_inferiority"]["shown"].get<bool>());
  EXPECT_FALSE(difference.contains("mcnemar"));  // findings, no classes

  const std::string text = place->run({"preceptor-compare", "plain0", "moved0", "--curves", "curves.csv"});
  for (const char* word : {"AUC macro", "what differs", "lr", "over images (paired DeLong)", "B - A", "cardiomegaly",
                           "validation AUC by epoch"})
    EXPECT_NE(text.find(word), std::string::npos) << word << "\n" << text;
  const std::string curves = place->bytes("curves.csv");
  EXPECT_EQ(curves.rfind("arm,run,epoch,learning_rate,", 0), 0u);
  EXPECT_EQ(std::count(curves.begin(), curves.end(), '\n'), 5);
  EXPECT_NE(curves.find("\nB,moved0,2,"), std::string::npos);
}

// The second model finds no positive among the men: its gap is 1 wider than the first's.
TEST_F(Evaluate, ComparesGapsBetweenGroups) {
  std::string fair = "id,sex,label:mass,probability:mass\n", unfair = fair;
  for (int i = 0; i < 80; ++i) {
    const bool ill = i % 2 == 0, man = i % 4 < 2;
    const std::string start = std::to_string(i) + (man ? ",M," : ",F,") + (ill ? "1," : "0,");
    fair += start + (ill ? "0.9\n" : "0.1\n");
    unfair += start + (ill && !man ? "0.9\n" : "0.1\n");
  }
  write_bytes(place->path("fair.csv"), fair);
  write_bytes(place->path("unfair.csv"), unfair);
  const Arguments compared = {"preceptor-compare", "fair.csv", "unfair.csv", "--subgroups", "sex",
                              "--bootstrap",       "100"};
  const Json men = json(compared)["differences"][0]["subgroups"]["sex"][1];
  EXPECT_EQ(men["group"], "sex=M");
  EXPECT_EQ(men["n"], 40);
  EXPECT_EQ(men["sensitivity_gap_other"]["value"], 0);
  EXPECT_EQ(men["sensitivity_gap_this"]["value"], -1);
  EXPECT_EQ(men["sensitivity_gap_change"]["high"], -1);
  EXPECT_EQ(men["auc_gap_change"]["value"], -0.5);
  EXPECT_NE(place->run(compared).find("gap by sex"), std::string::npos);
  // As many men and women in every resample as there are: another draw.
  const auto precision = [&](const Arguments& arguments) {
    return json(arguments)["differences"][0]["average_precision"];
  };
  const Json plain = precision(compared), stratified = precision(with(compared, {"--stratify", "sex"}));
  EXPECT_EQ(stratified["value"], plain["value"]);
  EXPECT_NE(stratified["low"], plain["low"]);
  place->refuse(with(compared, {"--stratify", "hospital"}), 64, {"--stratify hospital", "no such column"});
  place->refuse(with(compared, {"--stratify", "label"}), 64, {"--stratify label", "several labels"});
  place->refuse({"preceptor-compare", "fair.csv", "unfair.csv", "--subgroups", "age"}, 64, {"no column 'age'", "sex"});
}

TEST_F(Evaluate, ComparesTablesOfClassesInAnyOrder) {
  write_bytes(place->path("one.csv"),
              "id,label,probability:a,probability:b,probability:c\nx,0,0.8,0.1,0.1\ny,1,0.1,0.8,0.1\n"
              "z,2,0.2,0.2,0.6\nw,0,0.5,0.4,0.1\n");
  write_bytes(place->path("two.csv"),
              "id,label,probability:a,probability:b,probability:c\nw,0,0.3,0.4,0.3\nx,0,0.2,0.4,0.4\n"
              "z,2,0.1,0.2,0.7\ny,1,0.1,0.8,0.1\n");
  const Json result = json({"preceptor-compare", "one.csv", "two.csv"});
  EXPECT_EQ(result["differences"][0]["mcnemar"]["only_other_right"], 2);
  EXPECT_EQ(result["differences"][0]["mcnemar"]["p_exact"], 0.5);
  EXPECT_EQ(json({"preceptor-compare", "one.csv", "two.csv", "--stratify", "label"})["arms"], result["arms"]);
  write_bytes(place->path("other.csv"),
              "id,label,probability:a,probability:b,probability:c\nw,0,0.3,0.4,0.3\n"
              "x,0,0.2,0.4,0.4\nz,2,0.1,0.2,0.7\nv,1,0.1,0.8,0.1\n");
  place->refuse({"preceptor-compare", "one.csv", "other.csv"}, 65, {"other.csv", "lacks image 'y'", "one.csv"});
  write_bytes(place->path("other.csv"),
              "id,label,probability:a,probability:b,probability:c\nw,0,0.3,0.4,0.3\n"
              "x,0,0.2,0.4,0.4\nz,1,0.1,0.2,0.7\ny,1,0.1,0.8,0.1\n");
  place->refuse({"preceptor-compare", "one.csv", "other.csv"}, 65, {"other.csv", "image 'z' is 1", "one.csv 2"});
  place->refuse({"preceptor-compare", "one.csv"}, 64, {"two runs"});
  place->refuse({"preceptor-compare", "one.csv", "plain0"}, 65, {"labels are not those"});
  place->refuse({"preceptor-compare", "one.csv", "none"}, 64, {"none", "neither a run"});
}

}  // namespace
}  // namespace preceptor::test
