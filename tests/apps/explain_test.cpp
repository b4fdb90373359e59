// preceptor-explain, and the pointing game with a truth that is known: where phantoms have their lesions.
#include "apps/explanation/heat_map.h"
#include "apps/explanation/pointing.h"
#include "engine/files/check.h"
#include "process.h"

namespace preceptor::test {
namespace {

const std::string lesions = "phantom:chest?site=b&n=1200&val=100&test=300&size=32";

// Hits over findings of the labels that show in one place.
struct Hits {
  double rate = 0, chance = 0;
};
Hits hits_of(const nlohmann::json& scores) {
  Hits all;
  double findings = 0;
  for (const char* label : {"opacity", "effusion", "cardiomegaly"}) {
    const double count = scores[label]["findings"];
    findings += count;
    all.rate += count * scores[label]["student"]["hits"].get<double>();
    all.chance += count * scores[label]["chance"].get<double>();
  }
  return {all.rate / findings, all.chance / findings};
}

TEST(Explain, ATrainedNetworkPointsAtTheLesionAndAnUntrainedOneDoesNot) {
  const Workplace place;
  const Arguments train = {"preceptor-train", "--data", lesions,       "--model", "resnet8", "--batch", "32",
                           "--threads",       "2",      "--bootstrap", "0",       "--quiet"};
  place.run(with(train, {"--epochs", "8", "--lr", "2e-3", "--schedule", "cosine", "--out", "trained"}));
  // So small a rate that nothing is learned.
  place.run(with(train, {"--epochs", "1", "--lr", "1e-12", "--out", "untrained"}));
  const auto play = [&](const std::string& run) {
    return hits_of(parse_json(place.run({"preceptor-explain", "--checkpoint", run + "/best.safetensors", "--data",
                                         lesions, "--json", "--threads", "2", "--quiet"})));
  };
  const Hits trained = play("trained"), untrained = play("untrained");
  std::printf("pointing game: trained %.3f, untrained %.3f, chance %.3f\n", trained.rate, untrained.rate,
              trained.chance);
  EXPECT_EQ(trained.chance, untrained.chance);
  EXPECT_GT(trained.rate, 2 * trained.chance);
  EXPECT_GT(trained.rate, 2 * untrained.rate);
  EXPECT_LT(untrained.rate, 1.5 * untrained.chance);
}

TEST(Explain, WritesPicturesAndTheirTable) {
  const Workplace place;
  place.run(tiny_training("student"));
  place.run(tiny_training("teacher", {"--model", "resnet14"}));
  const Arguments explain = {"preceptor-explain",
                             "--checkpoint",
                             "student/best.safetensors",
                             "--data",
                             tiny_chest,
                             "--side",
                             "64",
                             "--threads",
                             "2",
                             "--quiet"};
  place.run(with(explain, {"--teacher", "teacher/best.safetensors", "--out", "pairs", "--count", "3"}));
  EXPECT_EQ(place.files("pairs"), (std::vector<std::string>{"001.png", "002.png", "003.png", "explanations.csv"}));
  const Image picture = read_image(place.path("pairs/001.png"));
  EXPECT_EQ(picture.height, 64);
  EXPECT_EQ(picture.width, 5 * 64 + 4 * 2);
  // The most disagreeing images come first.
  std::istringstream table(place.bytes("pairs/explanations.csv"));
  std::string line;
  std::getline(table, line);
  EXPECT_EQ(line, "file,id,label,truth,student,teacher");
  double before = 2;
  while (std::getline(table, line)) {
    std::istringstream cells(line);
    std::vector<std::string> parts;
    for (std::string cell; std::getline(cells, cell, ',');) parts.push_back(cell);
    ASSERT_EQ(parts.size(), 6u) << line;
    const double distance = std::abs(std::stod(parts[4]) - std::stod(parts[5]));
    EXPECT_LE(distance, before);
    before = distance;
  }
  place.run(with(explain, {"--out", "two", "--images", "test/3,test/0", "--labels", "nodule,effusion"}));
  EXPECT_EQ(place.files("two").size(), 5u);
  EXPECT_EQ(read_image(place.path("two/001.png")).width, 3 * 64 + 2 * 2);
  const std::string csv = place.bytes("two/explanations.csv");
  EXPECT_NE(csv.find("001.png,test/3,nodule,"), std::string::npos) << csv;
  EXPECT_NE(csv.find("004.png,test/0,effusion,"), std::string::npos) << csv;

  place.refuse(with(explain, {"--out", "no", "--images", "test/99"}), 64, {"--images test/99", "test/0"});
  place.refuse(with(explain, {"--out", "no", "--labels", "gout"}), 64, {"--labels gout", "cardiomegaly"});
  EXPECT_FALSE(place.exists("no"));
}

TEST(Explain, ReadsBoxes) {
  const Workplace place;
  place.run(tiny_training("run"));
  const Arguments explain = {"preceptor-explain",
                             "--checkpoint",
                             "run/best.safetensors",
                             "--data",
                             tiny_chest,
                             "--boxes",
                             "boxes.csv",
                             "--threads",
                             "2",
                             "--quiet"};
  const std::string header = "id,label,left,top,width,height\n";
  write_bytes(place.path("boxes.csv"),
              header + "test/0,nodule,0,0,64,64\ntest/1,nodule,0,0,32,64\nother,nodule,0,0,1,1\n");
  const nlohmann::json scores = parse_json(place.run(with(explain, {"--box-size", "64", "--json"})));
  EXPECT_EQ(scores["nodule"]["findings"], 2);
  EXPECT_DOUBLE_EQ(scores["nodule"]["chance"].get<double>(), 0.75);
  EXPECT_GE(scores["nodule"]["student"]["hits"].get<double>(), 0.5) << "the whole image is always hit";
  EXPECT_NE(place.run(with(explain, {"--box-size", "64"})).find("nodule"), std::string::npos);

  for (const auto& [rows, words] : std::vector<std::pair<std::string, std::vector<std::string>>>{
           {"test/0,gout,0,0,9,9\n", {"line 2", "label", "gout"}},
           {"test/0,nodule,0,x,9,9\n", {"line 2", "top", "'x'"}},
           {"test/0,nodule,0,nan,9,9\n", {"line 2", "top", "nan"}},
           {"test/0,nodule,0,0,900,9\n", {"line 2", "outside"}},
           {"test/0,nodule,5,5,0,9\n", {"line 2", "empty"}},
           {"test/0,nodule,5\n", {"boxes.csv", "line 2"}}}) {
    write_bytes(place.path("boxes.csv"), header + rows);
    place.refuse(explain, 65, words);
  }
  write_bytes(place.path("boxes.csv"), "id,label,left,top,width\n");
  place.refuse(explain, 65, {"boxes.csv", "no column height"});
}

TEST(HeatMap, LeavesTheImageWhereTheMapIsZero) {
  const Image image{2, 2, 1, {10, 60, 110, 200}};
  const Image cold = heat_map(image, {1, 1, {0}}, 2), hot = heat_map(image, {1, 1, {1}}, 2);
  ASSERT_EQ(cold.channels, 3);
  for (std::size_t i = 0; i < 4; ++i)
    for (std::size_t c = 0; c < 3; ++c) EXPECT_EQ(cold.pixels[3 * i + c], image.pixels[i]);
  // Yellow: 65 % of (255, 235, 130) over the grey.
  EXPECT_EQ(hot.pixels[0], std::lround(0.35f * 10 + 0.65f * 255));
  EXPECT_EQ(hot.pixels[2], std::lround(0.35f * 10 + 0.65f * 130));
  EXPECT_EQ(enlarged({4, 2, 1, std::vector<std::uint8_t>(8, 7)}, 8).width, 4);
}

TEST(Pointing, HighestPoint) {
  const Point point = highest_point({2, 2, {0, 1, 0, 0}}, 8, 8);
  EXPECT_LT(point.row, 4);
  EXPECT_GT(point.column, 4);
  PointingScore score;
  score.count({0, 0, {{4, 0, 8, 4}}}, point, 8, 8);
  score.count({0, 0, {{0, 0, 4, 8}, {0, 0, 8, 1}}}, {6.5, 6.5}, 8, 8);
  EXPECT_EQ(score.hits, 1u);
  EXPECT_EQ(score.findings, 2u);
  EXPECT_DOUBLE_EQ(score.chance, (16.0 / 64 + 36.0 / 64) / 2);
}

}  // namespace
}  // namespace preceptor::test
