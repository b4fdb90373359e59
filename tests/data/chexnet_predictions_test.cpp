// Predictions of a published DenseNet-121 on 22,433 chest X-rays: its published AUCs, to the last digits.
#include <chrono>
#include <filesystem>
#include <map>

#include "data/metrics/delong.h"
#include "data/predictions/predictions.h"
#include "data/tables/csv.h"
#include "engine/files/numbers.h"
#include "npz_writer.h"
#include "real_data.h"

namespace preceptor::test {
namespace {

TEST(ChexnetPredictions, GiveThePublishedAreas) {
  const std::string predictions = real_file("nih_meta/chexnet_densenet121_preds_22433.csv");
  if (!std::filesystem::exists(predictions)) GTEST_SKIP() << predictions << " is absent; set PRECEPTOR_DATA";
  const PredictionTable table = read_plain_predictions(predictions, real_file("nih_meta/Data_Entry_2017_v2020.csv.gz"));
  EXPECT_EQ(table.rows(), 22433);
  ASSERT_EQ(table.outputs(), 14);

  const auto begin = std::chrono::steady_clock::now();
  std::vector<AucEstimate> estimates;
  for (const Finding& finding : findings(table)) estimates.push_back(estimate_auc(Ranking(finding)));
  const AucEstimate mean = mean_auc(estimates);
  const Interval interval = auc_interval(mean), by_patient = auc_interval(mean, clusters_of(table, "patient"));
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();

  std::map<std::string, double> published;
  const CsvTable areas = read_csv(real_file("nih_meta/chexnet_densenet121_aucs.csv"));
  for (const auto& row : areas.rows) published[row[0]] = parse_number(row[1]).value();
  for (int j = 0; j < 14; ++j) {
    EXPECT_NEAR(estimates[j].auc, published.at(table.label_names[j]), 1e-12) << table.label_names[j];
    const Interval one = auc_interval(estimates[j]);
    EXPECT_TRUE(one.low < one.value && one.value < one.high) << table.label_names[j];
  }
  EXPECT_NEAR(mean.auc, 0.8382671331804827, 1e-12);
  // Images of one patient resemble each other: the honest interval is wider.
  EXPECT_GT(by_patient.high - by_patient.low, interval.high - interval.low);
#ifdef NDEBUG
  EXPECT_LT(seconds, 2);
#endif
  RecordProperty("seconds", std::to_string(seconds));
  std::printf("AUC and DeLong of 14 labels in %.3f s: %.4f, %.4f to %.4f, by patient %.4f to %.4f\n", seconds, mean.auc,
              interval.low, interval.high, by_patient.low, by_patient.high);
}

}  // namespace
}  // namespace preceptor::test
