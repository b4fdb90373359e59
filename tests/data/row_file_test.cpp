// Rows in a file: what is written is read, whole or not at all, and nothing in the file is believed.
#include "data/storage/row_file.h"

#include <cmath>
#include <limits>

#include "tests/data/made_tree.h"

namespace preceptor::test {
namespace {

const RowLayout two_tensors = {3, false, {{"logits", {2}}, {"tap:layer1", {1, 2, 2}}}};

std::vector<float> values_of(const RowFile& file, std::size_t tensor) {
  std::vector<float> all;
  for (std::uint64_t row = 0; row < file.layout().rows; ++row) {
    std::vector<float> values(file.layout().tensors[tensor].values());
    file.read(row, tensor, values);
    all.insert(all.end(), values.begin(), values.end());
  }
  return all;
}

class RowFileTest : public ::testing::Test {
 protected:
  // Rows in another order than they stand in the file.
  std::string write(const RowLayout& layout) const {
    const std::string path = tree.path("rows");
    RowFileWriter writer(path, layout, {{"teacher", "some"}});
    writer.write(1, 0, std::vector<float>{2, 3, -4, 1e-30f});
    writer.write(0, 1, std::vector<float>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});
    writer.write(0, 0, std::vector<float>{0.1f, 1.0f / 3});
    writer.write_content(0, std::vector<std::uint64_t>{7, 8, ~0ull});
    EXPECT_FALSE(std::filesystem::exists(path));
    writer.finish();
    EXPECT_FALSE(std::filesystem::exists(path + ".tmp"));
    return path;
  }
  MadeTree tree;
};

TEST_F(RowFileTest, GivesBackWhatWasWritten) {
  const RowFile file(write(two_tensors));
  EXPECT_EQ(file.layout(), two_tensors);
  EXPECT_EQ(file.metadata(), (Metadata{{"teacher", "some"}}));
  EXPECT_EQ(values_of(file, 0), (std::vector<float>{0.1f, 1.0f / 3, 2, 3, -4, 1e-30f}));
  EXPECT_EQ(values_of(file, 1), (std::vector<float>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}));
  EXPECT_EQ(file.content(0), 7u);
  EXPECT_EQ(file.content(2), ~0ull);
  std::vector<float> two(2);
  expect_error([&] { file.read(3, 0, two); }, ErrorKind::usage, {"row 3 of 3"});
  EXPECT_EQ(file.stored(1, 0).size(), 8u);
  std::vector<float> three(3);
  expect_error([&] { file.read(0, 0, three); }, ErrorKind::usage, {"3 values for a row of 2"});
  expect_error([&] { file.content(3); }, ErrorKind::usage, {"row 3 of 3"});
}

TEST_F(RowFileTest, RoundsToBfloat16) {
  RowLayout layout = two_tensors;
  layout.rounded = true;
  const std::string path = write(layout);
  const RowFile file(path);
  EXPECT_EQ(file.layout(), layout);
  const std::vector<float> exact = {0.1f, 1.0f / 3, 2, 3, -4, 1e-30f}, read = values_of(file, 0);
  for (std::size_t i = 0; i < exact.size(); ++i)  // 8 bits of precision, rounded to nearest
    EXPECT_LE(std::abs(read[i] - exact[i]), std::ldexp(std::abs(exact[i]), -8)) << i;
  EXPECT_NE(read[0], exact[0]);
  EXPECT_EQ(file.layout().file_bytes(), 3 * (8 + 2 * (2 + 4)));
  EXPECT_EQ(std::filesystem::file_size(path), 4096 + file.layout().file_bytes());
}

TEST_F(RowFileTest, AppearsWholeOrNotAtAll) {
  const std::string path = tree.path("rows");
  {
    RowFileWriter writer(path, two_tensors, {});
    writer.write(0, 0, std::vector<float>{1, 2});
    expect_error([&] { RowFileWriter other(path, two_tensors, {}); }, ErrorKind::io, {"another run is writing it"});
    EXPECT_TRUE(std::filesystem::exists(path + ".tmp"));
    expect_error([&] { writer.write(2, 0, std::vector<float>{1, 2, 3, 4}); }, ErrorKind::usage, {"beyond the last"});
    expect_error([&] { writer.write(0, 0, std::vector<float>{1}); }, ErrorKind::usage, {"a part of one"});
  }
  EXPECT_FALSE(std::filesystem::exists(path) || std::filesystem::exists(path + ".tmp"));
  // Leftovers of a killed run are overwritten.
  write_bytes(path + ".tmp", std::string(10000, 'x'));
  EXPECT_EQ(RowFile(write(two_tensors)).layout(), two_tensors);
}

TEST_F(RowFileTest, RefusesDamagedFiles) {
  const std::string path = write(two_tensors), sound = read_bytes(path), bad = tree.path("bad");
  const auto refuse = [&](const std::string& bytes, const std::string& reason) {
    write_bytes(bad, bytes);
    expect_error([&] { RowFile file(bad); }, ErrorKind::data, {bad + ": ", reason});
  };
  expect_error([&] { RowFile file(tree.path("none")); }, ErrorKind::missing_input, {"none"});
  refuse("", "is empty");
  refuse("short", "only 5 bytes");
  refuse(sound.substr(0, sound.size() - 1), "outside the file");
  refuse(sound + "x", "after the last tensor");
  const auto changed = [&](const std::string& word, const std::string& other) {
    std::string bytes = sound;
    return bytes.replace(bytes.find(word), word.size(), other);
  };
  refuse(changed("preceptor-rows-1", "preceptor-rows-2"), "not a row file");
  refuse(changed("\"content\"", "\"contens\""), "does not begin with the content");
  refuse(changed("\"U64\"", "\"I64\""), "does not begin with the content");
  refuse(changed("[3,2]", "[2,3]"), "for every row");
  refuse(changed("[3,2]", "[6,1]"), "for every row");
  refuse(changed("[3,1,2,2]", "[3,9,2,2]"), "larger than the file");
  std::uint32_t bits = 5;
  for (int i = 0; i < 300; ++i) {  // any byte of the header may be wrong: an Error, or rows that are there
    std::string bytes = sound;
    bits = bits * 1664525u + 1013904223u;
    bytes[(bits >> 8) % 330] = static_cast<char>(bits >> 3);
    write_bytes(bad, bytes);
    try {
      const RowFile file(bad);
      for (std::size_t tensor = 0; tensor < file.layout().tensors.size(); ++tensor) values_of(file, tensor);
      file.content(file.layout().rows - 1);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::data) << error.what();
    }
  }
}

}  // namespace
}  // namespace preceptor::test
