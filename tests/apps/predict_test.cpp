// preceptor-predict and preceptor-export as users run them.
#include <cmath>
#include <sstream>

#include "data/dataset.h"
#include "models/loaded_model.h"
#include "process.h"
#include "tests/data/dicom_writer.h"
#include "tests/data/image_writer.h"

namespace preceptor::test {
namespace {

struct Table {
  std::string header;
  std::vector<std::string> names;
  std::vector<std::vector<float>> scores;

  // No name with a comma.
  explicit Table(const std::string& csv) {
    std::istringstream lines(csv);
    std::getline(lines, header);
    for (std::string line; std::getline(lines, line);) {
      std::istringstream fields(line);
      std::string field;
      std::getline(fields, field, ',');
      names.push_back(field);
      scores.emplace_back();
      while (std::getline(fields, field, ',')) scores.back().push_back(std::stof(field));
    }
  }
};

void expect_near(const std::vector<float>& got, const std::vector<float>& expected) {
  ASSERT_EQ(got.size(), expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], expected[i], 1e-5) << i;
}

class Predict : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    place = new Workplace;
    place->run(tiny_training("chest", {"--epochs", "1", "--bootstrap", "0"}));
  }
  static void TearDownTestSuite() { delete place; }

  void SetUp() override {
    std::filesystem::create_directories(place->path("images/b"));
    write_bytes(place->path("images/c.PNG"), png(grey));
    write_bytes(place->path("images/b/large.ppm"), pnm(color));
    write_bytes(place->path("images/a.png"), png(exact));
    write_bytes(place->path("images/notes.txt"), "no image");
  }
  void TearDown() override { std::filesystem::remove_all(place->path("images")); }

  static Arguments predict(const Arguments& more) {
    return with({"preceptor-predict", "--checkpoint", "chest/best.safetensors", "--threads", "2"}, more);
  }
  // What the library says of an image.
  static std::vector<float> expected(const Image& image) {
    const auto context = Context::on_cpu(2, 0);
    const LoadedModel model = load_model(*context, load_card_checkpoint(place->path("chest/best.safetensors")));
    return model.probabilities(resized(with_channels(image, 1), 32, 32).pixels);
  }

  static inline Workplace* place = nullptr;
  const Image grey = drawn(50, 41, 1, 1), color = drawn(100, 90, 3, 2), exact = drawn(32, 32, 1, 3);
};

TEST_F(Predict, FoldersInTheOrderOfNames) {
  for (const char* batch : {"auto", "1", "2"}) {
    const Table table(place->run(predict({"images", "--batch", batch})));
    EXPECT_EQ(table.header, "path,opacity,effusion,cardiomegaly,nodule,pneumothorax");
    EXPECT_EQ(table.names, (std::vector<std::string>{"images/a.png", "images/b/large.ppm", "images/c.PNG"}));
    expect_near(table.scores.at(0), expected(exact));
    expect_near(table.scores.at(1), expected(color));
    expect_near(table.scores.at(2), expected(grey));
  }
}

TEST_F(Predict, DataSetsAndFilesTogether) {
  const Table table(place->run(predict({"images/c.PNG", tiny_chest, "--split", "val"})));
  ASSERT_EQ(table.names.size(), 33u);
  EXPECT_EQ(table.names[0], "images/c.PNG");
  EXPECT_EQ(table.names[32], "val/31");
  const Dataset data = open_dataset(tiny_chest);
  expect_near(table.scores[32], expected({32, 32, 1, read_pixels(*data.val.images, 31)}));
}

TEST_F(Predict, LogitsAreWhatProbabilitiesComeFrom) {
  const Table logits(place->run(predict({"images", "--logits"}))), table(place->run(predict({"images"})));
  for (std::size_t i = 0; i < logits.scores.size(); ++i)
    for (std::size_t j = 0; j < 5; ++j)
      EXPECT_NEAR(1 / (1 + std::exp(-logits.scores[i].at(j))), table.scores[i].at(j), 1e-5);
}

TEST_F(Predict, DicomFilesAreImages) {
#ifndef PRECEPTOR_DICOM
  GTEST_SKIP() << "built without DCMTK";
#endif
  // The same picture as bytes and through a window that changes nothing.
  DicomHeader header;
  header.rows = grey.height;
  header.columns = grey.width;
  header.allocated = header.stored = 8;
  header.center = "128";
  header.width = "256";
  write_bytes(place->path("images/c.dcm"), dicom(header, {grey.pixels.begin(), grey.pixels.end()}));
  const Table table(place->run(predict({"images/c.PNG", "images/c.dcm"})));
  ASSERT_EQ(table.scores.size(), 2u);
  EXPECT_EQ(table.scores[0], table.scores[1]);
  EXPECT_EQ(Table(place->run(predict({"images"}))).names.size(), 4u);
}

TEST_F(Predict, UnreadableImagesAreNamedCountedAndLeftOut) {
  write_bytes(place->path("images/b/broken.png"), png(grey).substr(0, 100));
  write_bytes(place->path("images/empty.jpg"), "");
  Process process = place->start(predict({"images", "--out", "table.csv", "--batch", "2"}));
  EXPECT_EQ(process.wait(), 65);
  for (const char* words : {"images/b/broken.png: ends early", "images/empty.jpg: is empty",
                            "2 of 5 images could not be read", "3 images in", "images/s"})
    EXPECT_NE(process.err().find(words), std::string::npos) << words << " not in: " << process.err();
  EXPECT_EQ(process.out(), "");
  const Table table(place->bytes("table.csv"));
  EXPECT_EQ(table.names, (std::vector<std::string>{"images/a.png", "images/b/large.ppm", "images/c.PNG"}));
  expect_near(table.scores.at(2), expected(grey));
  EXPECT_FALSE(place->exists("table.csv.tmp"));
}

TEST_F(Predict, NamesThatNeedQuotes) {
  write_bytes(place->path("images/one, \"two\".png"), png(exact));
  const std::string csv = place->run(predict({"images/one, \"two\".png"}));
  EXPECT_NE(csv.find("\n\"images/one, \"\"two\"\".png\",0."), std::string::npos) << csv;
}

TEST_F(Predict, Refusals) {
  std::filesystem::create_directories(place->path("nothing"));
  place->refuse(predict({"images/none.png"}), 66, {"images/none.png"});
  place->refuse(predict({"nothing"}), 65, {"nothing: holds no images"});
  place->refuse(predict({"tiff:x"}), 64, {"tiff", "medmnist"});
  place->refuse(predict({"images", "--batch", "0"}), 64, {"--batch"});
  place->refuse(predict({"images", "--out", "no/folder.csv"}), 74, {"no/folder.csv"});
  place->refuse({"preceptor-predict", "--checkpoint", "none", "images"}, 66, {"none"});
  place->refuse({"preceptor-predict", "--checkpoint", "chest/config.toml", "images"}, 65, {"chest/config.toml"});
  place->refuse(predict({}), 64, {"input"});
}

// Calibration and thresholds are those of the checkpoint's own metadata; decisions are about probabilities as they are.
TEST_F(Predict, CalibratedProbabilitiesAndDecisions) {
  const CardCheckpoint checkpoint = load_card_checkpoint(place->path("chest/best.safetensors"));
  ASSERT_TRUE(checkpoint.card.operating_point.has_value());
  const OperatingPoint& point = *checkpoint.card.operating_point;
  const Table table(place->run(predict({"images/a.png", "images/c.PNG", "--calibrated", "--decisions"})));
  EXPECT_EQ(table.header,
            "path,opacity,effusion,cardiomegaly,nodule,pneumothorax,decision:opacity,decision:effusion,"
            "decision:cardiomegaly,decision:nodule,decision:pneumothorax");
  const std::vector<float> raw = expected(exact);
  ASSERT_EQ(table.scores.at(0).size(), 10u);
  for (std::size_t j = 0; j < 5; ++j) {
    const double logit = std::log(raw[j] / (1.0 - raw[j]));
    EXPECT_NEAR(table.scores[0][j], 1 / (1 + std::exp(-point.slopes[j] * logit - point.intercepts[j])), 1e-5);
    if (std::abs(raw[j] - point.thresholds[j]) > 1e-4) {
      EXPECT_EQ(table.scores[0][j + 5], raw[j] >= point.thresholds[j] ? 1 : 0) << j;
    }
  }
  place->refuse(predict({"images", "--calibrated", "--logits"}), 64, {"--logits", "--calibrated"});
  place->refuse(
      {"preceptor-predict", "--checkpoint", "chest/last.safetensors", "images", "--threads", "2", "--decisions"}, 65,
      {"chest/last.safetensors", "operating point"});
}

TEST_F(Predict, ExportsWhatItUses) {
  const std::string printed = place->run({"preceptor-export", "chest/best.safetensors", "--out", "chest.onnx"});
  EXPECT_NE(printed.find("resnet8, input [batch, 1, 32, 32], 5 outputs"), std::string::npos) << printed;
  place->run({"preceptor-export", "chest/best.safetensors", "--out", "folded.onnx", "--fold", "--probabilities"});
  const std::string file = place->bytes("chest.onnx"), folded = place->bytes("folded.onnx");
  EXPECT_NE(file.find("BatchNormalization"), std::string::npos);
  EXPECT_EQ(folded.find("BatchNormalization"), std::string::npos);
  EXPECT_EQ(file.find("probabilities"), std::string::npos);
  EXPECT_NE(folded.find("Sigmoid"), std::string::npos);
  EXPECT_NE(file.find("cardiomegaly"), std::string::npos);
  place->refuse({"preceptor-export", "none.safetensors", "--out", "x.onnx"}, 66, {"none.safetensors"});
  place->refuse({"preceptor-export", "chest/config.toml", "--out", "x.onnx"}, 65, {"chest/config.toml"});
  place->refuse({"preceptor-export", "chest/best.safetensors"}, 64, {"--out"});
  EXPECT_FALSE(place->exists("x.onnx"));
}

}  // namespace
}  // namespace preceptor::test
