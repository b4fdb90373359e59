// How images are divided: patients stay whole, labels stay even, smaller samples are contained in larger ones.
#include "data/formats/listing.h"

#include <array>
#include <map>
#include <set>

#include "data/formats/patients.h"
#include "tests/data/npz_writer.h"

namespace preceptor::test {
namespace {

// Images of one pixel that is their number; `patients` of 1 to 4 images each, two findings, the second one rare.
Listing chest(int patients) {
  Listing listing;
  listing.task = Task::multi_label;
  listing.height = listing.width = listing.channels = 1;
  listing.label_names = {"often", "rare"};
  listing.all.columns = {{"patient", {}}};
  RandomStream random(3);
  std::vector<std::uint8_t> pixels;
  for (int p = 0; p < patients; ++p)
    for (std::uint32_t i = 0; i <= random.below(4); ++i) {
      pixels.push_back(static_cast<std::uint8_t>(listing.all.count));
      listing.all.ids.push_back("image " + std::to_string(listing.all.count++));
      listing.all.columns[0].values.push_back("p" + std::to_string(p));
      listing.all.labels.push_back(random.chance(0.4) ? 1 : 0);
      listing.all.labels.push_back(p % 10 == 0 ? 1 : 0);
    }
  listing.all.images = std::make_shared<MemoryImages>(std::move(pixels), 1);
  listing.parts.assign(static_cast<std::size_t>(listing.all.count), Part::open);
  return listing;
}

Dataset divided(const Listing& listing, const std::string& keys) {
  return divide(listing, parse_dataset_spec("test:x?" + keys));
}

// Every image is where its id, its pixel, its labels and its patient are.
void expect_consistent(const Listing& listing, const Split& split) {
  ASSERT_EQ(split.images->count(), split.count);
  for (int i = 0; i < split.count; ++i) {
    const int row = std::stoi(split.ids[static_cast<std::size_t>(i)].substr(6));
    EXPECT_EQ(read_pixels(*split.images, i)[0], row % 256);
    EXPECT_EQ(split.column("patient")->at(static_cast<std::size_t>(i)),
              listing.all.columns[0].values[static_cast<std::size_t>(row)]);
    for (int l = 0; l < 2; ++l)
      EXPECT_EQ(split.labels[static_cast<std::size_t>(2 * i + l)],
                listing.all.labels[static_cast<std::size_t>(2 * row + l)]);
  }
}

std::set<std::string> patients_in(const Split& split) {
  return {split.column("patient")->begin(), split.column("patient")->end()};
}

void expect_apart(const Dataset& data) {
  std::map<std::string, int> parts;
  for (const Split* split : {&data.train, &data.val, &data.test})
    for (const std::string& patient : patients_in(*split)) ++parts[patient];
  for (const auto& [patient, count] : parts) EXPECT_EQ(count, 1) << patient;
}

double positives(const Split& split, int label) {
  double sum = 0;
  for (int i = 0; i < split.count; ++i) sum += split.labels[static_cast<std::size_t>(2 * i + label)];
  return sum;
}

TEST(Divide, DrawsWholePatientsAndEvenLabels) {
  const Listing listing = chest(1000);
  const Dataset data = divided(listing, "split=70/10/20&seed=4");
  const int count = listing.all.count;
  EXPECT_EQ(data.train.count + data.val.count + data.test.count, count);
  expect_apart(data);
  // The last patient given to a part may overshoot by its images, 4 at most; what one part has too many, others lack.
  const std::array<std::pair<const Split*, double>, 3> parts = {std::pair{&data.train, 0.7}, std::pair{&data.val, 0.1},
                                                                std::pair{&data.test, 0.2}};
  for (const auto& [split, fraction] : parts) {
    expect_consistent(listing, *split);
    EXPECT_NEAR(split->count, fraction * count, 8);
    for (int label = 0; label < 2; ++label)
      EXPECT_NEAR(positives(*split, label), fraction * positives(listing.all, label), 8) << label;
  }
  EXPECT_EQ(divided(listing, "split=70/10/20&seed=4").val.ids, data.val.ids);
  EXPECT_NE(divided(listing, "split=70/10/20&seed=5").val.ids, data.val.ids);
}

TEST(Divide, SplitsClassesEvenly) {
  Listing listing;
  listing.height = listing.width = listing.channels = 1;
  listing.label_names = {"a", "b", "c"};
  for (int i = 0; i < 100; ++i) {
    listing.all.labels.push_back(static_cast<float>(i < 70 ? 0 : i < 90 ? 1 : 2));
    listing.all.ids.push_back(std::to_string(i));
  }
  listing.all.count = 100;
  listing.all.images = std::make_shared<MemoryImages>(std::vector<std::uint8_t>(100), 1);
  listing.parts.assign(100, Part::open);
  const Dataset data = divided(listing, "split=80/10/10");
  std::map<int, int> classes;
  for (int i = 0; i < data.test.count; ++i) ++classes[class_of(data.test, i)];
  EXPECT_EQ(classes, (std::map<int, int>{{0, 7}, {1, 2}, {2, 1}}));
  EXPECT_EQ(data.train.count, 80);
}

TEST(Divide, FoldsAreEachTestOnceAndValOnce) {
  const Listing listing = chest(200);
  std::map<std::string, std::array<int, 2>> seen;
  for (int fold = 1; fold <= 5; ++fold) {
    const Dataset data = divided(listing, "fold=" + std::to_string(fold) + "/5&seed=2");
    expect_apart(data);
    EXPECT_EQ(data.train.count + data.val.count + data.test.count, listing.all.count);
    EXPECT_NEAR(data.test.count, listing.all.count / 5.0, 8);
    for (const std::string& id : data.test.ids) ++seen[id][0];
    for (const std::string& id : data.val.ids) ++seen[id][1];
  }
  EXPECT_EQ(static_cast<int>(seen.size()), listing.all.count);
  for (const auto& [id, times] : seen) EXPECT_EQ(times, (std::array<int, 2>{1, 1})) << id;
}

TEST(Divide, SmallerSamplesAreInsideLargerOnes) {
  const Listing listing = chest(300);
  const auto ids = [&](const std::string& keys) {
    const Dataset data = divided(listing, "split=80/10/10&" + keys);
    expect_consistent(listing, data.train);
    expect_apart(data);
    return data.train.ids;
  };
  const std::vector<std::string> small = ids("n=50"), large = ids("n=100"), other = ids("n=50&seed=1");
  ASSERT_EQ(small.size(), 50u);
  ASSERT_EQ(large.size(), 100u);
  EXPECT_TRUE(std::equal(small.begin(), small.end(), large.begin()));
  EXPECT_NE(small, other);
  // Whole patients but for the last: 50 images of 1 to 4 each.
  const Dataset data = divided(listing, "split=80/10/10&n=50"), whole = divided(listing, "split=80/10/10");
  std::map<std::string, int> drawn, all;
  for (const std::string& patient : *data.train.column("patient")) ++drawn[patient];
  for (const std::string& patient : *whole.train.column("patient")) ++all[patient];
  int cut = 0;
  for (const auto& [patient, count] : drawn) cut += count < all[patient];
  EXPECT_LE(cut, 1);
  EXPECT_EQ(divided(listing, "split=80/10/10&val=7&test=3").val.count, 7);
  expect_error([&] { divided(listing, "split=100/0/0&test=3"); }, ErrorKind::data, {"test is given", "no images"});
}

TEST(Divide, CompletesWhatTheDataGive) {
  Listing listing = chest(300);
  const int count = listing.all.count;
  const auto fill = [&](Part rest, Part first_third) {
    for (int i = 0; i < count; ++i) listing.parts[static_cast<std::size_t>(i)] = i < count / 3 ? first_third : rest;
  };
  fill(Part::train, Part::train);
  Dataset data = divided(listing, "seed=1");
  EXPECT_NEAR(data.val.count, count / 10.0, 8);
  EXPECT_NEAR(data.test.count, count / 10.0, 8);
  expect_apart(data);
  fill(Part::train, Part::test);
  data = divided(listing, "seed=1");
  EXPECT_EQ(data.test.count, count / 3);
  EXPECT_NEAR(data.val.count, (count - count / 3) / 10.0, 8);
  fill(Part::open, Part::test);  // nothing to train on: nothing is drawn, what is open is left out
  data = divided(listing, "seed=1");
  EXPECT_EQ(data.train.count + data.val.count, 0);
  EXPECT_EQ(data.test.count, count / 3);
  fill(Part::open, Part::open);
  EXPECT_NEAR(divided(listing, "seed=1").train.count, 0.8 * count, 8);
  EXPECT_EQ(divided(listing, "split=test").test.count, count);
}

TEST(Divide, ASplitTableBringsTheSameSplit) {
  const TemporaryFolder folder;
  const Listing listing = chest(100);
  const std::string path = folder.file("split.csv");
  const Dataset data = divided(listing, "split=80/10/10&seed=4&n=60");
  write_bytes(path, split_table(data));
  const Dataset again = divided(listing, "split=" + path);
  for (const auto& [one, other] :
       {std::pair{&data.train, &again.train}, {&data.val, &again.val}, {&data.test, &again.test}})
    EXPECT_EQ(std::set<std::string>(one->ids.begin(), one->ids.end()),
              std::set<std::string>(other->ids.begin(), other->ids.end()));
  const auto refuse = [&](const std::string& text, const std::vector<std::string>& words) {
    write_bytes(path, text);
    expect_error([&] { divided(listing, "split=" + path); }, ErrorKind::data, words);
  };
  refuse("id,split\nimage 3,train\nnone,val\n", {"split.csv line 3, column 1 (id)", "no image 'none'"});
  refuse("id,split\nimage 3,train\nimage 3,val\n", {"line 3", "second time"});
  refuse("id,split\nimage 3,trian\n", {"line 2, column 2 (split)", "'trian'"});
  refuse("name,split\n", {"line 1", "'id'"});
}

TEST(Divide, RefusesOtherKeys) {
  const Listing listing = chest(20);
  const auto refuse = [&](const std::string& keys, const std::string& word) {
    expect_error([&] { divided(listing, keys); }, ErrorKind::usage, {word});
  };
  refuse("split=80/10", "add up to 100");
  refuse("split=80/10/11", "add up to 100");
  refuse("split=120/-10/-10", "add up to 100");
  refuse("fold=0/5", "fold='0/5'");
  refuse("fold=6/5", "fold='6/5'");
  refuse("fold=1/2", "fold='1/2'");
  refuse("fold=1.5/5", "fold='1.5/5'");
  refuse("fold=1/5&split=given", "mutually exclusive");
  refuse("split=80/10/10&n=1000", "n='1000'");
  expect_error([&] { divided(listing, "split=none.csv"); }, ErrorKind::missing_input, {"none.csv"});
}

TEST(Patients, UnknownOnesAreAlone) {
  Split split;
  split.count = 5;
  split.columns = {{"patient", {"a", "", "a", "", "b"}}};
  EXPECT_EQ(patients_of(split).of, (std::vector<std::int32_t>{0, 1, 0, 2, 3}));
  EXPECT_EQ(patients_of(split).count, 4);
}

TEST(ImageSources, SelectFromAnyBlock) {
  const auto images =
      std::make_shared<MemoryImages>(std::vector<std::vector<std::uint8_t>>{{1, 2, 3, 4}, {}, {5, 6}}, 2);
  EXPECT_EQ(images->count(), 3);
  EXPECT_EQ(read_pixels(*images, 2), (std::vector<std::uint8_t>{5, 6}));
  const SelectedImages some(images, {2, 0, 2});
  EXPECT_EQ(some.count(), 3);
  EXPECT_EQ(read_pixels(some, 0), (std::vector<std::uint8_t>{5, 6}));
  EXPECT_EQ(read_pixels(some, 1), (std::vector<std::uint8_t>{1, 2}));
  EXPECT_THROW(read_pixels(some, 3), Error);
  EXPECT_THROW(SelectedImages(images, {3}), Error);
  EXPECT_THROW(MemoryImages(std::vector<std::uint8_t>(5), 2), Error);
}

}  // namespace
}  // namespace preceptor::test
