// Data set names: which ones open_dataset accepts, and its errors for all others.
#include "data/dataset.h"

#include <set>

#include "data/formats/formats.h"
#include "data/formats/open_dataset.h"
#include "engine/files/file.h"
#include "npz_writer.h"

namespace preceptor::test {
namespace {

void expect_refused(const std::string& spec, const std::vector<std::string>& words) {
  SCOPED_TRACE(spec);
  expect_error([&] { open_dataset(spec); }, ErrorKind::usage, words);
}

TEST(DatasetSpec, TakesANameApart) {
  const DatasetSpec spec = parse_dataset_spec("medmnist:C:/a=b&c/file.npz?n=500&task=ordinal");
  EXPECT_EQ(spec.format, "medmnist");
  EXPECT_EQ(spec.path, "C:/a=b&c/file.npz");
  ASSERT_EQ(spec.keys.size(), 2u);
  EXPECT_EQ(*spec.find("task"), "ordinal");
  EXPECT_EQ(spec.find("seed"), nullptr);
  EXPECT_EQ(spec.integer("n", 7, 1, 1000), 500);
  EXPECT_EQ(spec.integer("seed", 7, 1, 1000), 7);
}

TEST(DatasetSpec, RefusesBrokenNames) {
  expect_refused("", {"FORMAT:PATH"});
  expect_refused("chest", {"'chest'", "FORMAT:PATH"});
  expect_refused(":chest", {"FORMAT:PATH"});
  expect_refused("phantom:", {"no path after"});
  expect_refused("phantom:?n=5", {"no path after"});
  expect_refused("phantom:chest?", {"not key=value"});
  expect_refused("phantom:chest?n", {"'n' is not key=value"});
  expect_refused("phantom:chest?n=5&", {"not key=value"});
  expect_refused("phantom:chest?=5", {"not key=value"});
}

TEST(DatasetSpec, ListsWhatIsValid) {
  expect_refused("dicom:file.dcm", {"unknown format 'dicom'", "chexpert, chestxray14, retinopathy, medmnist"});
  expect_refused("phantom:knee", {"'knee'", "chest, fundus"});
  expect_refused("phantom:chest?sight=a", {"unknown key 'sight'", "site, n, val, test, size, seed"});
  expect_refused("medmnist:file.npz?size=3", {"unknown key 'size'", "n, val, test, seed, split, fold, task"});
  expect_refused("phantom:chest?n=5&n=6", {"'n' is given twice"});
  expect_refused("phantom:chest?site=d", {"site='d'", "a, b, c"});
}

TEST(DatasetSpec, RefusesBadNumbers) {
  for (const char* number : {"", "five", "5x", "0", "-5", "1.5", "99999999999999999999", " 5", "0x10"}) {
    expect_refused(std::string("phantom:chest?n=") + number, {std::string("n='") + number, "whole number from 1 to"});
  }
  expect_refused("phantom:chest?size=8", {"16 to 512"});
  expect_refused("phantom:chest?seed=-1", {"seed"});
}

TEST(DatasetSpec, MissingFilesAreMissingInput) {
  expect_error([] { open_dataset("medmnist:no_such_file.npz"); }, ErrorKind::missing_input, {"no_such_file.npz"});
}

// A format that lacks its row in docs/data.md or a test that opens it is not finished.
TEST(DataFormats, EveryFormatHasDocumentationAndATest) {
  const std::filesystem::path root = PRECEPTOR_SOURCE_DIR;
  const std::string page = read_file((root / "docs/data.md").string());
  std::string tests;
  for (const auto& file : std::filesystem::directory_iterator(root / "tests/data"))
    if (file.path().filename() != "dataset_test.cpp") tests += read_file(file.path().string());
  std::set<std::string> names;
  for (const DataFormat& format : data_formats()) {
    SCOPED_TRACE(format.name);
    const std::string name = format.name;
    EXPECT_TRUE(names.insert(name).second) << "listed twice";
    EXPECT_NE(page.find("| [`" + name + "`](#" + name + ") | "), std::string::npos) << "no row in docs/data.md";
    EXPECT_NE(tests.find("\"" + name + ":"), std::string::npos) << "no test opens it";
    EXPECT_NE(format_list().find(name + ":" + format.path), std::string::npos);
    EXPECT_NE(format.summary[0], '\0');
    for (const std::string& key : format.keys())
      EXPECT_TRUE(page.find("`" + key) != std::string::npos || page.find("&" + key) != std::string::npos)
          << "no " << key;
  }
}

TEST(Dataset, NamesItsTasks) {
  EXPECT_STREQ(to_string(Task::multi_class), "multi-class");
  EXPECT_STREQ(to_string(Task::multi_label), "multi-label");
  EXPECT_STREQ(to_string(Task::ordinal), "ordinal");
}

TEST(Dataset, ClassOfChecksItsIndex) {
  Split split;
  split.count = 2;
  split.labels = {0, 3};
  EXPECT_EQ(class_of(split, 1), 3);
  EXPECT_THROW(class_of(split, 2), Error);
  EXPECT_THROW(class_of(split, -1), Error);
}

}  // namespace
}  // namespace preceptor::test
