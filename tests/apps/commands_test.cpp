// The command lines of the documentation, at small sizes: what they print and what they leave.
#include "apps/runs/results.h"
#include "process.h"
#include "small_medmnist.h"

namespace preceptor::test {
namespace {

// The metrics that preceptor-evaluate prints and result.json holds.
void expect_same_metrics(const nlohmann::json& printed, const nlohmann::json& kept) {
  for (const char* key : {"n", "auc_macro", "auc_low", "auc_high", "auc", "accuracy", "undefined", "loss"}) {
    ASSERT_TRUE(printed.contains(key)) << key;
    EXPECT_EQ(printed[key], kept[key]) << key;
  }
}

TEST(Commands, TeacherTransferAndStudent) {
  const Workplace place;
  const Arguments small = {"--batch", "16", "--threads", "2", "--bootstrap", "50"};
  place.run(
      with({"preceptor-train", "--data", tiny_chest, "--model", "resnet20", "--epochs", "1", "--out", "runs/teacher"},
           small));
  place.run(with({"preceptor-train", "--data", tiny_other, "--model", "resnet20", "--init",
                  "runs/teacher/best.safetensors", "--freeze", "3", "--epochs", "1", "--out", "runs/transfer"},
                 small));
  place.run(with({"preceptor-distill", "--data", tiny_other, "--teacher", "runs/teacher/best.safetensors", "--model",
                  "resnet8", "--method", "kd:temperature=4,weight=0.9", "--epochs", "2", "--out", "runs/student"},
                 small));
  for (const char* run : {"runs/teacher", "runs/transfer", "runs/student"})
    EXPECT_EQ(place.files(run), complete_run) << run;

  const Arguments evaluation = {"preceptor-evaluate",
                                "--checkpoint",
                                "runs/student/best.safetensors",
                                "--data",
                                tiny_other,
                                "--split",
                                "test",
                                "--threads",
                                "2",
                                "--bootstrap",
                                "50"};
  const nlohmann::json result = place.json("runs/student/result.json");
  expect_same_metrics(parse_json(place.run(with(evaluation, {"--json"}))), result["test"]);
  EXPECT_EQ(result["test"]["n"], 32);
  EXPECT_EQ(result["test"]["auc"].size(), 5u);
  EXPECT_EQ(result["config"]["method"][0], "kd:end=0,temperature=4,warmup=0,weight=0.9");
  EXPECT_NE(place.run(evaluation).find("cardiomegaly"), std::string::npos);

  const std::string csv = place.bytes("runs/student/metrics.csv");
  EXPECT_EQ(
      csv.rfind("epoch,learning_rate,train_loss,label_loss,transfer_loss,train_auc,val_loss,val_auc,"
                "val_accuracy,images_per_second,seconds,loss/labels,loss/kd,weighted_loss/labels,weighted_loss/kd,",
                0),
      0u)
      << csv;
  EXPECT_NE(csv.find("cka/layer3\n1,"), std::string::npos) << csv;
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 3) << csv;
}

TEST(Commands, MedmnistFile) {
  const Workplace place;
  write_bytes(place.path("retinamnist.npz"), SmallMedmnist().bytes());
  place.run({"preceptor-train",
             "--data",
             "medmnist:retinamnist.npz",
             "--model",
             "resnet18",
             "--epochs",
             "1",
             "--batch",
             "16",
             "--optimizer",
             "adam",
             "--lr",
             "1e-3",
             "--seed",
             "0",
             "--device",
             "cpu",
             "--threads",
             "2",
             "--out",
             "runs/retina"});
  EXPECT_EQ(place.files("runs/retina"), complete_run);
  place.run({"preceptor-train", "--resume", "runs/retina"});
  const nlohmann::json result = place.json("runs/retina/result.json");
  EXPECT_EQ(result["config"]["stem"], "small");
  EXPECT_EQ(result["test"]["auc"].size(), 5u);
}

TEST(Commands, AttentionTransferAndAllLearningFlags) {
  const Workplace place;
  place.run(tiny_training("teacher", {"--zero-last-gamma", "--augment", "flip,shift=2"}));
  place.run({"preceptor-distill",
             "--data",
             tiny_other,
             "--teacher",
             "teacher/best.safetensors",
             "--model",
             "resnet14",
             "--method",
             "kd:weight=1",
             "--method",
             "at:weight=10",
             "--epochs",
             "3",
             "--batch",
             "16",
             "--threads",
             "2",
             "--optimizer",
             "sgd",
             "--nesterov",
             "--lr",
             "0.01",
             "--weight-decay",
             "1e-4",
             "--schedule",
             "step",
             "--milestones",
             "1,2",
             "--factor",
             "0.5",
             "--warmup",
             "1",
             "--clip-norm",
             "1",
             "--clip-value",
             "0.5",
             "--augment",
             "flip,shift=2",
             "--bootstrap",
             "0",
             "--out",
             "student"});
  const nlohmann::json config = place.json("student/result.json")["config"];
  EXPECT_EQ(config["milestones"], (nlohmann::json{1, 2}));
  EXPECT_EQ(config["method"].size(), 2u);
  for (const char* schedule : {"cosine", "plateau"})
    place.run(tiny_training(schedule, {"--schedule", schedule, "--optimizer", "adamw"}));
}

TEST(Commands, OneSeedOneResult) {
  const Workplace place;
  const std::string everything =
      "flip,shift=2,rotate=15,scale=0.1,crop=0.2,contrast=0.2,brightness=0.1,noise=0.02,cutout=4,mixup=0.2";
  const Arguments augmented = {"--augment", everything, "--seed", "7"};
  place.run(tiny_training("first", augmented));
  place.run(tiny_training("second", augmented));
  place.run(tiny_training("other", {"--augment", everything, "--seed", "8"}));
  for (const char* file : {"/best.safetensors", "/last.safetensors", "/last.state.safetensors", "/config.toml"}) {
    EXPECT_TRUE(place.bytes(std::string("first") + file) == place.bytes(std::string("second") + file)) << file;
    EXPECT_FALSE(place.bytes(std::string("first") + file) == place.bytes(std::string("other") + file)) << file;
  }
  EXPECT_EQ(place.json("first/result.json")["test"], place.json("second/result.json")["test"]);
}

// A batch of one image is mixed with itself: its two losses add up to the one without mixup.
TEST(Commands, AMixtureOfEqualsIsNone) {
  const Workplace place;
  for (const std::string data : {"phantom:fundus?n=6&val=8&test=8&size=16", "phantom:chest?n=6&val=8&test=8&size=16"}) {
    std::vector<double> losses;
    for (const char* mixup : {"mixup=0", "mixup=1"}) {
      const std::string run = data.substr(8, 5) + mixup;
      place.run({"preceptor-train", "--data", data, "--model", "resnet8", "--epochs", "1", "--batch", "1", "--lr",
                 "1e-4", "--threads", "2", "--bootstrap", "0", "--augment", mixup, "--out", run});
      losses.push_back(read_metrics(place.path(run + "/metrics.csv")).at(0).label_loss);
    }
    EXPECT_GT(losses[0], 0.1);
    // Roundings of two terms instead of one, and of the steps that they lead to.
    EXPECT_NEAR(losses[1], losses[0], 1e-3 * losses[0]) << data;
  }
}

TEST(Commands, FilesOfFlagsEqualFlags) {
  const Workplace place;
  write_bytes(place.path("run.toml"),
              "# a comment\n"
              "data = '" +
                  tiny_chest +
                  "'  # another\n"
                  "\"model\" = \"resnet8\"\n"
                  "epochs = 2\nbatch = 16\nthreads = 2\nbootstrap = 5_0\naugment = \"flip\"\nlr = 2e-3\n"
                  "schedule = \"st\\u0065p\"\nmilestones = [\n  1,\n]\nout = \"overruled\"\n");
  place.run({"preceptor-train", "--config", "run.toml", "--out", "file"});
  place.run(tiny_training("flags", {"--augment", "flip", "--lr", "0.002", "--schedule", "step", "--milestones", "1"}));
  EXPECT_FALSE(place.exists("overruled"));
  EXPECT_EQ(place.bytes("file/config.toml"), place.bytes("flags/config.toml"));
  EXPECT_TRUE(place.bytes("file/last.safetensors") == place.bytes("flags/last.safetensors"));
  // A run's own config starts another one like it.
  place.run({"preceptor-train", "--config", "flags/config.toml", "--out", "again"});
  EXPECT_TRUE(place.bytes("again/last.safetensors") == place.bytes("flags/last.safetensors"));
}

TEST(Commands, HelpIsEnoughToWorkFrom) {
  const Workplace place;
  for (const char* app : {"preceptor-train", "preceptor-distill", "preceptor-evaluate"}) {
    const std::string help = place.run({app, "--help"});
    for (const char* word : {"--data FORMAT:PATH", "--threads COUNT", "--config FILE", "Example", "Exit codes", "66"})
      EXPECT_NE(help.find(word), std::string::npos) << app << ": " << word;
  }
}

// Recorded or not, and with the teacher on a branch of the step or not: the same bytes.
TEST(Commands, TheWayAStepIsLaunchedChangesNoBit) {
  const Workplace place;
  place.run(tiny_training("teacher"));
  const auto distill = [&](const std::string& out, const Arguments& how) {
    place.run(with({"preceptor-distill",
                    "--data",
                    tiny_chest,
                    "--teacher",
                    "teacher/best.safetensors",
                    "--model",
                    "resnet8",
                    "--method",
                    "kd",
                    "--method",
                    "at:weight=10",
                    "--augment",
                    "flip,shift=2",
                    "--epochs",
                    "2",
                    "--batch",
                    "16",
                    "--threads",
                    "2",
                    "--bootstrap",
                    "0",
                    "--out",
                    out},
                   how));
    return place.bytes(out + "/last.safetensors") + place.bytes(out + "/last.state.safetensors") +
           place.bytes(out + "/predictions.test.csv");
  };
  const std::string usual = distill("usual", {});
  EXPECT_TRUE(distill("launched", {"--graph", "off"}) == usual);
  EXPECT_TRUE(distill("branched", {"--teacher-stream"}) == usual);
  EXPECT_TRUE(distill("resident", {"--device-images", "1"}) == usual);
  EXPECT_NE(place.bytes("branched/config.toml").find("teacher-stream = true\n"), std::string::npos);
  EXPECT_NE(place.bytes("launched/config.toml").find("graph = \"off\"\n"), std::string::npos);
}

// On a machine with a card this test would say nothing, so it hides the card.
TEST(Commands, TheDeviceIsChosenOrRefusedInOneLine) {
  const Workplace place;
  ASSERT_EQ(setenv("CUDA_VISIBLE_DEVICES", "", 1), 0);
  const Arguments inspect = {"preceptor-inspect", "resnet8", "--input", "1x16x16", "--device"};
  place.run(with(inspect, {"auto"}));
  const std::string chosen = place.bytes("stderr.txt");
  EXPECT_TRUE(chosen.starts_with("computing on the cpu: th")) << chosen;
  EXPECT_EQ(std::count(chosen.begin(), chosen.end(), '\n'), 1) << chosen;
  place.run(tiny_training("quiet", {"--epochs", "1", "--device", "auto", "--quiet"}));
  EXPECT_EQ(place.bytes("stderr.txt"), "");
  EXPECT_EQ(place.json("quiet/result.json")["config"]["device"], "cpu");
  place.refuse(with(inspect, {"cuda"}), 64, {"no ", "device"});
  unsetenv("CUDA_VISIBLE_DEVICES");
}

// Its kernels are slow, so there are few images; one start on two devices gives the same table up to rounding.
TEST(Commands, EveryAppRunsOnThe_emulated_Device) {
  const Workplace place;
  const std::string data = "phantom:chest?n=8&val=8&test=8&size=16";
  const auto train = [&](const std::string& device) {
    place.run({"preceptor-train", "--data", data, "--model", "resnet8", "--epochs", "1", "--batch", "4", "--threads",
               "2", "--bootstrap", "0", "--device", device, "--out", device});
    return place.json(device + "/result.json");
  };
  const nlohmann::json emulated = train("emulated"), cpu = train("cpu");
  EXPECT_EQ(emulated["config"]["device"], "emulated");
  EXPECT_NEAR(emulated["test"]["loss"].get<double>(), cpu["test"]["loss"].get<double>(), 1e-3);
  const Arguments distillation = {"preceptor-distill",
                                  "--data",
                                  data,
                                  "--teacher",
                                  "cpu/best.safetensors",
                                  "--model",
                                  "densenet16",
                                  "--method",
                                  "kd",
                                  "--epochs",
                                  "1",
                                  "--batch",
                                  "4",
                                  "--bootstrap",
                                  "0",
                                  "--device",
                                  "emulated",
                                  "--out",
                                  "student"};
  place.run(distillation);
  const Arguments evaluation = {"preceptor-evaluate",
                                "--checkpoint",
                                "student/best.safetensors",
                                "--data",
                                data,
                                "--bootstrap",
                                "0",
                                "--json",
                                "--device"};
  const auto evaluate = [&](const char* device) {
    return parse_json(place.run(with(evaluation, {device})))["loss"].get<double>();
  };
  EXPECT_NEAR(evaluate("emulated"), evaluate("cpu"), 1e-4);
  const Arguments inspection = {"preceptor-inspect", "resnet8", "--input", "1x16x16", "--batch", "2", "--json",
                                "--device",          "emulated"};
  EXPECT_GT(parse_json(place.run(inspection))["training_step"]["step_bytes"].get<double>(), 0);
  const Arguments step = {"preceptor-bench", "step", "--model", "resnet8",  "--stem",    "small",
                          "--size",          "16",   "--batch", "2",        "--outputs", "5",
                          "--repeats",       "2",    "--json",  "--device", "emulated"};
  EXPECT_EQ(parse_json(place.run(step))["device"], "emulated");
}

// A run in bfloat16 is evaluated as it was, to the last digit, and by float nearly so; what cannot be is refused before
// anything is written.
TEST(Commands, PrecisionOnThe_emulated_DeviceIsThatOfTheWholeRun) {
  const Workplace place;
  const std::string data = "phantom:chest?n=8&val=8&test=8&size=16";
  const Arguments training = {
      "preceptor-train", "--data", data,    "--model", "resnet8",     "--epochs", "1",       "--batch", "4",
      "--bootstrap",     "0",      "--out", "run",     "--precision", "bf16",     "--device"};
  place.refuse(with(training, {"cpu"}), 64, {"--precision bf16", "cpu"});
  EXPECT_FALSE(std::filesystem::exists(place.path("run")));
  place.run(with(training, {"emulated"}));
  const nlohmann::json result = place.json("run/result.json");
  EXPECT_EQ(result["config"]["precision"], "bf16");
  const auto loss = [&](const char* device, const char* precision) {
    const Arguments evaluation = {"preceptor-evaluate",
                                  "run/best.safetensors",
                                  "--data",
                                  data,
                                  "--bootstrap",
                                  "0",
                                  "--json",
                                  "--device",
                                  device,
                                  "--precision",
                                  precision};
    return parse_json(place.run(evaluation))["loss"].get<double>();
  };
  EXPECT_EQ(loss("emulated", "bf16"), result["test"]["loss"].get<double>());
  const double in_floats = loss("cpu", "float");
  EXPECT_NE(in_floats, result["test"]["loss"].get<double>());
  EXPECT_NEAR(in_floats, result["test"]["loss"].get<double>(), 0.02 * in_floats);
  EXPECT_NE(loss("emulated", "tf32"), loss("emulated", "float"));
  EXPECT_NEAR(loss("emulated", "tf32"), in_floats, 0.02 * in_floats);
  place.refuse({"preceptor-predict", "--checkpoint", "run/best.safetensors", data, "--precision", "tf32"}, 64,
               {"--precision tf32"});
}

}  // namespace
}  // namespace preceptor::test
