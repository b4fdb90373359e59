// MedMNIST files: made ones for every rule, real ones where they are present.
#include "data/formats/medmnist.h"

#include <map>
#include <set>

#include "tests/data/real_data.h"

namespace preceptor::test {
namespace {

// Three splits of 2x2 images whose first pixel is their number; tests replace single members.
class MedmnistTest : public ::testing::Test {
 protected:
  MedmnistTest() {
    for (const auto& [part, count] : {std::pair{"train", 10}, {"val", 2}, {"test", 3}}) {
      std::string pixels;
      std::vector<std::uint8_t> labels;
      for (int i = 0; i < count; ++i) {
        pixels += std::string{static_cast<char>(i), 1, 2, 3};
        labels.push_back(static_cast<std::uint8_t>(i % 3));
      }
      members[std::string(part) + "_images.npy"] =
          npy(npy_header("|u1", "(" + std::to_string(count) + ", 2, 2)"), pixels);
      members[std::string(part) + "_labels.npy"] =
          npy(npy_header("|u1", "(" + std::to_string(count) + ", 1)"), raw(labels));
    }
  }

  std::string write(const std::string& name = "set.npz") {
    const std::string path = folder.file(name);
    write_zip(path, Members(members.begin(), members.end()));
    return path;
  }

  Dataset open(const std::string& keys = "", const std::string& name = "set.npz") {
    return open_dataset("medmnist:" + write(name) + keys);
  }

  template <class Label>
  void set_labels(const std::string& part, const std::string& dtype, const std::string& shape,
                  std::vector<Label> labels) {
    members[part + "_labels.npy"] = npy(npy_header(dtype, shape), raw(labels));
  }

  void make_multi_label() {
    set_labels<std::int64_t>("train", "<i8", "(10, 2)", std::vector<std::int64_t>(20, 1));
    set_labels<std::int64_t>("val", "<i8", "(2, 2)", {0, 1, 1, 0});
    set_labels<std::int64_t>("test", "<i8", "(3, 2)", {0, 1, 0, 0, 1, 0});
  }

  TemporaryFolder folder;
  std::map<std::string, std::string> members;
};

TEST_F(MedmnistTest, ReadsClasses) {
  const Dataset data = open();
  EXPECT_EQ(data.task, Task::multi_class);
  EXPECT_EQ(data.outputs, 3);
  EXPECT_EQ(data.label_names, (std::vector<std::string>{"class 0", "class 1", "class 2"}));
  EXPECT_EQ(data.height * 100 + data.width * 10 + data.channels, 221);
  EXPECT_EQ(data.train.count, 10);
  EXPECT_EQ(data.val.count, 2);
  EXPECT_EQ(data.test.count, 3);
  EXPECT_EQ(read_pixels(*data.train.images, 7)[0], 7);
  EXPECT_EQ(class_of(data.train, 8), 2);
  EXPECT_EQ(data.label_width(), 1);
}

TEST_F(MedmnistTest, ReadsColor) {
  for (const auto& [part, count] : {std::pair{"train", 10}, {"val", 2}, {"test", 3}}) {
    members[std::string(part) + "_images.npy"] = npy(npy_header("|u1", "(" + std::to_string(count) + ", 1, 2, 3)"),
                                                     std::string(static_cast<std::size_t>(count) * 6, 'p'));
  }
  const Dataset data = open();
  EXPECT_EQ(data.channels, 3);
  EXPECT_EQ(data.train.images->image_bytes(), 6u);
}

TEST_F(MedmnistTest, ReadsFindings) {
  make_multi_label();
  const Dataset data = open();
  EXPECT_EQ(data.task, Task::multi_label);
  EXPECT_EQ(data.outputs, 2);
  EXPECT_EQ(data.val.labels, (std::vector<float>{0, 1, 1, 0}));
  EXPECT_EQ(data.label_names[1], "label 1");
  expect_error([&] { class_of(data.val, 0); }, ErrorKind::usage, {"multi-label"});
}

TEST_F(MedmnistTest, TakesTheTaskFromNameOrKey) {
  EXPECT_EQ(open("", "retinamnist_64.npz").task, Task::ordinal);
  EXPECT_EQ(open("?task=multi-class", "retinamnist.npz").task, Task::multi_class);
  EXPECT_EQ(open("?task=ordinal").task, Task::ordinal);
  expect_error([&] { open("?task=survival"); }, ErrorKind::usage, {"task", "survival", "multi-class, ordinal"});
  make_multi_label();
  expect_error([&] { open("?task=ordinal"); }, ErrorKind::usage, {"2 labels per image"});
}

TEST_F(MedmnistTest, KeepsTheFirstOfASeededOrder) {
  const auto first_pixels = [&](const std::string& keys) {
    const Dataset data = open(keys);
    EXPECT_EQ(data.val.count, 2);
    std::vector<int> pixels;
    for (int i = 0; i < data.train.count; ++i) {
      pixels.push_back(read_pixels(*data.train.images, i)[0]);
      EXPECT_EQ(class_of(data.train, i), pixels.back() % 3);
    }
    return pixels;
  };
  const std::vector<int> four = first_pixels("?n=4&seed=1"), eight = first_pixels("?n=8&seed=1");
  ASSERT_EQ(four.size(), 4u);
  EXPECT_EQ(four, std::vector<int>(eight.begin(), eight.begin() + 4));
  EXPECT_EQ(std::set<int>(eight.begin(), eight.end()).size(), 8u);
  EXPECT_NE(four, first_pixels("?n=4&seed=2"));
  expect_error([&] { open("?n=11"); }, ErrorKind::usage, {"n='11'", "1 to 10"});
}

TEST_F(MedmnistTest, NamesTheRowOfAWrongLabel) {
  set_labels<std::int16_t>("val", "<i2", "(2, 1)", {0, -1});
  expect_error([&] { open(); }, ErrorKind::data, {"set.npz", "val labels", "row 1", "-1"});
  make_multi_label();
  set_labels<std::int64_t>("test", "<i8", "(3, 2)", {0, 1, 0, 2, 1, 0});
  expect_error([&] { open(); }, ErrorKind::data, {"test labels", "row 1, column 1", "2 is not"});
  set_labels<std::int64_t>("test", "<i8", "(3, 1)", {0, 1, 0});
  expect_error([&] { open(); }, ErrorKind::data, {"test", "with 1 labels per image", "with 2"});
}

TEST_F(MedmnistTest, RefusesOtherLayouts) {
  set_labels<float>("train", "<f4", "(10, 1)", std::vector<float>(10, 0));
  expect_error([&] { open(); }, ErrorKind::data, {"train labels", "<f4"});
  set_labels<std::uint8_t>("train", "|u1", "(10,)", std::vector<std::uint8_t>(10, 0));
  expect_error([&] { open(); }, ErrorKind::data, {"train labels", "(10)"});
  set_labels<std::uint8_t>("train", "|u1", "(9, 1)", std::vector<std::uint8_t>(9, 0));
  expect_error([&] { open(); }, ErrorKind::data, {"(9, 1)", "10 images"});
  members["train_images.npy"] = npy(npy_header("<i2", "(10, 2, 2)"), std::string(80, '\0'));
  expect_error([&] { open(); }, ErrorKind::data, {"train images", "<i2"});
  members["train_images.npy"] = npy(npy_header("|u1", "(10, 2, 2, 2)"), std::string(80, '\0'));
  expect_error([&] { open(); }, ErrorKind::data, {"(10, 2, 2, 2)"});
  members["train_images.npy"] = npy(npy_header("|u1", "(0, 2, 2)"), "");
  expect_error([&] { open(); }, ErrorKind::data, {"train: 0 images"});
  members.erase("train_images.npy");
  expect_error([&] { open(); }, ErrorKind::data, {"train_images", "missing"});
}

TEST_F(MedmnistTest, RefusesSplitsOfDifferentSize) {
  members["test_images.npy"] = npy(npy_header("|u1", "(3, 1, 2)"), "abcdef");
  expect_error([&] { open(); }, ErrorKind::data, {"test", "1x2x1", "2x2x1"});
}

std::vector<int> class_counts(const Split& split, int outputs) {
  std::vector<int> counts(static_cast<std::size_t>(outputs), 0);
  for (int i = 0; i < split.count; ++i) ++counts[static_cast<std::size_t>(class_of(split, i))];
  return counts;
}

TEST(RealMedmnist, RetinaMnistHasItsPublishedCounts) {
  const std::string path = real_file("medmnist28/retinamnist.npz");
  if (!std::filesystem::exists(path)) GTEST_SKIP() << path << " is absent; set PRECEPTOR_DATA";
  const Dataset data = open_dataset("medmnist:" + path);
  EXPECT_EQ(data.task, Task::ordinal);
  EXPECT_EQ(data.height * 10 + data.channels, 283);
  EXPECT_EQ(class_counts(data.train, 5), (std::vector<int>{486, 128, 206, 194, 66}));
  EXPECT_EQ(class_counts(data.val, 5), (std::vector<int>{54, 12, 28, 20, 6}));
  EXPECT_EQ(class_counts(data.test, 5), (std::vector<int>{174, 46, 92, 68, 20}));
}

TEST(RealMedmnist, PneumoniaMnistHasItsPublishedCounts) {
  const std::string path = real_file("medmnist28/pneumoniamnist_reconstructed.npz");
  if (!std::filesystem::exists(path)) GTEST_SKIP() << path << " is absent; set PRECEPTOR_DATA";
  const Dataset data = open_dataset("medmnist:" + path + "?n=500");
  EXPECT_EQ(data.train.count, 500);
  EXPECT_EQ(data.label_names, (std::vector<std::string>{"normal", "pneumonia"}));
  EXPECT_EQ(class_counts(data.val, 2), (std::vector<int>{135, 389}));
  EXPECT_EQ(class_counts(data.test, 2), (std::vector<int>{234, 390}));
}

TEST(RealMedmnist, NihFilesHaveFourteenFindings) {
  const std::string path = real_file("nih1000_64/nih1000_64_chestmnist_layout.npz");
  if (!std::filesystem::exists(path)) GTEST_SKIP() << path << " is absent; set PRECEPTOR_DATA";
  const Dataset data = open_dataset("medmnist:" + path);
  EXPECT_EQ(data.task, Task::multi_label);
  EXPECT_EQ(data.train.count * 1000 + data.test.count, 694200);
  ASSERT_EQ(data.label_names.size(), 14u);
  EXPECT_EQ(data.label_names[13], "hernia");
  const auto hernias = [&](const Split& split) {
    float sum = 0;
    for (int i = 0; i < split.count; ++i) sum += split.labels[static_cast<std::size_t>(i) * 14 + 13];
    return sum;
  };
  EXPECT_EQ(hernias(data.train), 8);
  EXPECT_EQ(hernias(data.val), 0);
  EXPECT_EQ(hernias(data.test), 1);
}

}  // namespace
}  // namespace preceptor::test
