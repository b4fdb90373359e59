// Meters of a distillation: they disturb nothing, add up, stay in their columns, and --balance acts on them.
#include <cmath>
#include <sstream>

#include "apps/runs/results.h"
#include "apps/training/step/loss_terms.h"
#include "event_reader.h"
#include "process.h"

namespace preceptor::test {
namespace {

double meter(const EpochRow& row, const std::string& name) {
  EXPECT_NE(std::ranges::find(row.meters, name, &Meter::name), row.meters.end()) << name;
  return meter_of(row, name);
}

class MetersTest : public testing::Test {
 protected:
  MetersTest() { place.run(tiny_training("teacher")); }

  std::vector<EpochRow> rows(const std::string& run) const { return read_metrics(place.path(run + "/metrics.csv")); }
  std::string header(const std::string& run) const {
    const std::string csv = place.bytes(run + "/metrics.csv");
    return csv.substr(0, csv.find('\n'));
  }

  const Workplace place;
};

const std::string columns_of_all =
    "epoch,learning_rate,train_loss,label_loss,transfer_loss,train_auc,val_loss,val_auc,val_accuracy,"
    "images_per_second,seconds";
const Arguments two_methods = {"--method", "kd:warmup=3", "--method", "at:weight=5"};

// Steps 0, 3 and 6 of the eight are measured, so both epochs have one; the third and later ones are replayed.
TEST_F(MetersTest, ChangeNoWeightAndAddUp) {
  const Arguments four_steps = with(two_methods, {"--epochs", "4"});
  place.run(tiny_distillation("measured", with(four_steps, {"--meter-every", "3"})));
  place.run(tiny_distillation("plain", with(four_steps, {"--meter-every", "0"})));
  EXPECT_EQ(place.bytes("measured/last.safetensors"), place.bytes("plain/last.safetensors"));
  for (const EpochRow& row : rows("measured")) {
    const double sum =
        meter(row, "gradient_share/labels") + meter(row, "gradient_share/kd") + meter(row, "gradient_share/at");
    EXPECT_NEAR(sum, 1, 1e-12);
    for (const char* term : {"labels", "kd", "at"})
      EXPECT_GT(meter(row, std::string("gradient_share/") + term), 0) << term;
    EXPECT_DOUBLE_EQ(meter(row, "weighted_loss/kd") + meter(row, "weighted_loss/at"), row.transfer_loss);
    EXPECT_EQ(meter(row, "loss/labels"), row.label_loss);
    EXPECT_NEAR(meter(row, "weighted_loss/at"), 5 * meter(row, "loss/at"), 1e-12);
    const double kd = 0.9 * std::min(row.epoch / 3.0, 1.0);
    EXPECT_NEAR(meter(row, "weighted_loss/kd"), kd * meter(row, "loss/kd"), 1e-12);
    EXPECT_NEAR(meter(row, "weighted_loss/labels"), (1 - kd) * row.label_loss, 1e-12);
  }
}

TEST_F(MetersTest, ColumnsAreThoseOfTheRun) {
  place.run(tiny_distillation("all", with(two_methods, {"--meter-every", "4"})));
  const std::string terms =
      columns_of_all + ",loss/labels,loss/kd,loss/at,weighted_loss/labels,weighted_loss/kd,weighted_loss/at";
  EXPECT_EQ(header("all"),
            terms +
                ",gradient_share/labels,gradient_share/kd,gradient_share/at,rank_correlation/opacity,"
                "rank_correlation/effusion,rank_correlation/cardiomegaly,rank_correlation/nodule,"
                "rank_correlation/pneumothorax,agreement/rank_correlation,cka/layer1,cka/layer2,cka/layer3");
  place.run(tiny_distillation("off", with(two_methods, {"--meter-every", "0"})));
  EXPECT_EQ(header("off"), terms);
  EXPECT_EQ(header("teacher"), columns_of_all);
  place.run(tiny_distillation(
      "several", {"--teacher", "teacher/best.safetensors", "--teacher", "teacher/best.safetensors", "--epochs", "1"}));
  EXPECT_EQ(header("several").find("cka/"), std::string::npos) << "several teachers teach by their outputs";
  EXPECT_NE(header("several").find("agreement/rank_correlation"), std::string::npos);

  // One table of runs with other meters.
  place.run(tiny_training("plain", {"--data", tiny_other}));
  place.run({"preceptor-compare", "plain", "off", "--bootstrap", "0", "--curves", "curves.csv"});
  std::istringstream curves(place.bytes("curves.csv"));
  std::vector<std::ptrdiff_t> commas;
  for (std::string line; std::getline(curves, line);) commas.push_back(std::count(line.begin(), line.end(), ','));
  EXPECT_EQ(commas, std::vector<std::ptrdiff_t>(5, std::count(terms.begin(), terms.end(), ',') + 2));

  // The other logs have the same numbers under the same names.
  const EpochRow first = rows("all").at(0);
  std::istringstream lines(place.bytes("all/events.jsonl"));
  nlohmann::json event = nlohmann::json::object();
  for (std::string line; std::getline(lines, line) && event.value("event", "") != "epoch";) event = parse_json(line);
  std::map<std::string, float> scalars;
  for (const ReadEvent& record : read_events(place.bytes("all/events.out.tfevents.0.preceptor")))
    if (record.step == 1 && record.scalars.contains("cka/layer1")) scalars = record.scalars;
  for (const Meter& meter : first.meters) {
    EXPECT_EQ(event[meter.name], meter.value) << meter.name;
    EXPECT_EQ(scalars[meter.name], static_cast<float>(meter.value)) << meter.name;
  }
}

// A student that is its teacher and hardly moves says what it says. Its batch norms move a little.
TEST_F(MetersTest, AgreementOfATwinIsOne) {
  place.run(tiny_distillation(
      "twin", {"--init", "teacher/best.safetensors", "--lr", "1e-12", "--epochs", "1", "--data", tiny_chest}));
  const EpochRow row = rows("twin").at(0);
  EXPECT_GT(meter(row, "agreement/rank_correlation"), 0.9);
  for (const char* tap : {"cka/layer1", "cka/layer2", "cka/layer3"}) {
    EXPECT_GT(meter(row, tap), 0.9) << tap;
    EXPECT_LE(meter(row, tap), 1 + 1e-9) << tap;
  }
}

TEST_F(MetersTest, NothingMeasuredIsNan) {
  place.run(tiny_distillation("rare", {"--meter-every", "5"}));
  EXPECT_FALSE(std::isnan(meter(rows("rare").at(0), "gradient_share/kd")));
  EXPECT_FALSE(std::isnan(meter(rows("rare").at(1), "gradient_share/kd")));
  place.run(tiny_distillation("rarer", {"--meter-every", "8"}));
  EXPECT_TRUE(std::isnan(meter(rows("rarer").at(1), "gradient_share/kd")));
}

// The weight of at drowns the labels. The band: the factor follows the norms of single batches of 16 images, which
// scatter; three tenths of the way each time leaves it less than that scatter.
TEST_F(MetersTest, BalanceHoldsTheShare) {
  const Arguments drowning = {"--method", "at:weight=1000", "--meter-every", "1", "--epochs", "6"};
  place.run(tiny_distillation("drowned", drowning));
  place.run(tiny_distillation("held", with(drowning, {"--balance", "0.3"})));
  EXPECT_GT(meter(rows("drowned").back(), "gradient_share/at"), 0.8);
  const std::vector<EpochRow> held = rows("held");
  for (std::size_t epoch = 2; epoch < held.size(); ++epoch) {
    EXPECT_NEAR(meter(held[epoch], "gradient_share/at"), 0.3, 0.1) << epoch + 1;
    EXPECT_LT(meter(held[epoch], "balance/factor"), 0.5) << epoch + 1;
  }
}

// The factor is part of the state, and the columns go on.
TEST_F(MetersTest, BalanceIsResumedBitForBit) {
  const Arguments flags = with(two_methods, {"--balance", "0.5", "--meter-every", "3", "--epochs", "5"});
  place.run(tiny_distillation("whole", flags));
  place.start_and_kill(tiny_distillation("killed", flags), "killed", 2);
  place.run({"preceptor-distill", "--resume", "killed"});
  for (const char* file : {"/last.safetensors", "/last.state.safetensors", "/config.toml"})
    EXPECT_TRUE(place.bytes(std::string("killed") + file) == place.bytes(std::string("whole") + file)) << file;
  const std::vector<EpochRow> whole = rows("whole"), killed = rows("killed");
  ASSERT_EQ(whole.size(), killed.size());
  for (std::size_t epoch = 0; epoch < whole.size(); ++epoch)
    for (std::size_t i = 0; i < whole[epoch].meters.size(); ++i) {
      const Meter &a = whole[epoch].meters[i], &b = killed[epoch].meters.at(i);
      EXPECT_EQ(a.name, b.name);
      EXPECT_TRUE(a.value == b.value || (std::isnan(a.value) && std::isnan(b.value))) << a.name << epoch + 1;
    }
}

TEST_F(MetersTest, BalanceIsRefusedWhereItMeansNothing) {
  const auto refuse = [&](const Arguments& flags, const std::string& words) {
    place.refuse(tiny_distillation("run", flags), 64, {"--balance", words});
  };
  refuse({"--balance", "1"}, "at least 0 and below 1");
  refuse({"--balance", "0.3", "--meter-every", "0"}, "--meter-every");
  refuse({"--balance", "0.3", "--method", "kd:weight=1"}, "no weight");
  EXPECT_FALSE(place.exists("run"));
}

TEST_F(MetersTest, WrongColumnsAreNamed) {
  place.run(tiny_distillation("run"));
  const std::string csv = place.bytes("run/metrics.csv");
  const auto refuse = [&](const std::string& text, const std::string& words) {
    write_bytes(place.path("run/metrics.csv"), text);
    place.refuse({"preceptor-distill", "--resume", "run"}, 65, {"run/metrics.csv line", words});
  };
  refuse("epoch,loss\n1,2\n", "not the header of a run's metrics");
  refuse(std::string(csv).replace(csv.find("loss/kd"), 7, "loss-kd"), "not the header");
  refuse(csv.substr(0, csv.find('\n') + 1) + "1,x\n", "");
  refuse(std::string(csv).replace(csv.find("\n1,") + 1, 1, "7"), "epoch 1 is expected");
}

TEST(BalancedFactor, GoesToTheShare) {
  // 0.3 of the sum of both norms.
  EXPECT_NEAR(balanced_factor(0, 0.3, 2, 8) * 8 / (2 + balanced_factor(0, 0.3, 2, 8) * 8), 0.3, 1e-15);
  double factor = 1000;
  for (int i = 0; i < 60; ++i) factor = balanced_factor(factor, 0.3, 2, 8);
  EXPECT_NEAR(factor, 3.0 / 28, 1e-8);
  EXPECT_EQ(balanced_factor(0, 0.5, 1e9, 1e-9), 1e6);
  EXPECT_EQ(balanced_factor(0, 0.5, 1e-9, 1e9), 1e-6);
  for (const auto& [labels, transfer] : {std::pair{0.0, 1.0}, {1.0, 0.0}, {std::nan(""), 1.0}, {HUGE_VAL, 1.0}})
    EXPECT_EQ(balanced_factor(0.7, 0.3, labels, transfer), 0.7) << labels << ", " << transfer;
}

}  // namespace
}  // namespace preceptor::test
