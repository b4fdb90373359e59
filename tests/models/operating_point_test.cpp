// Operating points in a checkpoint's metadata: there and back, absent in old files, refused where they are wrong.
#include "models/operating_point.h"

#include <gtest/gtest.h>

#include <cmath>

#include "models/loaded_model.h"
#include "tests/data/npz_writer.h"

namespace preceptor::test {
namespace {

const OperatingPoint findings_point{"sensitivity=0.9", {0.25, std::nan("")}, 1, {1.5, 0}, {-0.1, -2}};

TEST(OperatingPoint, TextReadsBack) {
  const OperatingPoint back = operating_point_from(to_text(findings_point), 2, true, "x.safetensors");
  EXPECT_EQ(back.rule, "sensitivity=0.9");
  EXPECT_EQ(back.thresholds[0], 0.25);
  EXPECT_TRUE(std::isnan(back.thresholds[1]));
  EXPECT_EQ(back.slopes, findings_point.slopes);
  EXPECT_EQ(back.intercepts, findings_point.intercepts);
  // Two classes have one threshold, of the second; more have one each.
  EXPECT_EQ(operating_point_from(to_text({"f1", {0.5}, 2.5, {}, {}}), 2, false, "x").temperature, 2.5);
  EXPECT_EQ(operating_point_from(to_text({"f1", {0.5, 0.4, 0.3}, 1, {}, {}}), 3, false, "x").thresholds.size(), 3u);
}

TEST(OperatingPoint, StandsInTheCard) {
  ModelCard card;
  card.network.name = "resnet8";
  card.network.in_channels = 1;
  card.network.outputs = 2;
  card.network.small_stem = true;
  card.task = Task::multi_label;
  card.height = card.width = 32;
  card.mean = {0.5f};
  card.deviation = {0.25f};
  card.labels = {"a", "b"};
  Metadata metadata = to_metadata(card);
  EXPECT_FALSE(metadata.contains("operating_point"));  // as in checkpoints from before
  EXPECT_FALSE(card_from(metadata, "x").operating_point.has_value());
  card.operating_point = findings_point;
  metadata = to_metadata(card);
  EXPECT_EQ(card_from(metadata, "x").operating_point->thresholds[0], 0.25);
  metadata["operating_point"] = "{}";
  expect_error([&] { card_from(metadata, "x.safetensors"); }, ErrorKind::data, {"x.safetensors", "operating point"});
}

TEST(OperatingPoint, OfACumulativeNetworkIsThatOfItsGrades) {
  ModelCard card;
  card.network.name = "resnet8";
  card.network.in_channels = 1;
  card.network.outputs = 2;
  card.network.small_stem = true;
  card.task = Task::ordinal;
  card.height = card.width = 32;
  card.mean = {0.5f};
  card.deviation = {0.25f};
  card.labels = {"none", "mild", "severe"};
  card.cumulative = true;
  card.operating_point = OperatingPoint{"f1", {0.5, 0.4, 0.3}, 2, {}, {}};
  Metadata metadata = to_metadata(card);
  const ModelCard back = card_from(metadata, "x");
  EXPECT_TRUE(back.cumulative);
  EXPECT_EQ(back.labels, card.labels);
  EXPECT_EQ(back.operating_point->thresholds.size(), 3u);
  metadata["task"] = "multi-label";
  expect_error([&] { card_from(metadata, "x.safetensors"); }, ErrorKind::data, {"x.safetensors", "cumulative"});
  metadata = to_metadata(card);
  metadata.erase("cumulative");
  expect_error([&] { card_from(metadata, "x.safetensors"); }, ErrorKind::data, {"labels", "list of 2"});
}

TEST(OperatingPoint, RefusesWhatIsNone) {
  const auto refuse = [](const std::string& text, const std::vector<std::string>& words) {
    expect_error([&] { operating_point_from(text, 2, true, "x.safetensors"); }, ErrorKind::data, words);
  };
  const auto text = [](const std::string& thresholds, const std::string& temperature, const std::string& slopes) {
    return R"({"rule":"f1","thresholds":)" + thresholds + R"(,"temperature":)" + temperature + R"(,"slopes":)" +
           slopes + R"(,"intercepts":[0,0]})";
  };
  EXPECT_NO_THROW(operating_point_from(text("[0,null]", "1", "[1,1]"), 2, true, "x"));
  refuse("", {"x.safetensors", "no JSON object"});
  refuse("[1]", {"no JSON object"});
  refuse(R"({"thresholds":[0,0]})", {"rule"});
  refuse(text("[0]", "1", "[1,1]"), {"thresholds", "list of 2"});
  refuse(text("[0,\"1\"]", "1", "[1,1]"), {"thresholds", "numbers"});
  refuse(text("[0,1e999]", "1", "[1,1]"), {"x.safetensors"});
  refuse(text("[0,1]", "0", "[1,1]"), {"temperature"});
  refuse(text("[0,1]", "\"1\"", "[1,1]"), {"temperature"});
  refuse(text("[0,1]", "1", "[1,null]"), {"slopes", "numbers"});
  refuse(text("[0,1]", "1", "[1]"), {"slopes", "list of 2"});
}

}  // namespace
}  // namespace preceptor::test
