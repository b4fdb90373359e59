// Retinopathy sets, folders of classes and tables of one's own, in small copies of their layouts.
#include <cmath>

#include "data/formats/image_table.h"
#include "data/formats/open_dataset.h"
#include "data/images/fundus.h"
#include "tests/data/made_tree.h"

namespace preceptor::test {
namespace {

using Texts = std::vector<std::string>;

std::vector<int> classes_of(const Split& split) {
  std::vector<int> classes;
  for (int i = 0; i < split.count; ++i) classes.push_back(class_of(split, i));
  return classes;
}

TEST(Retinopathy, EyePacsKeepsTheEyesOfAPatientTogether) {
  const MadeTree tree;
  std::string rows = "image,level\n";
  for (int p = 10; p < 60; ++p)
    for (const char* eye : {"left", "right"}) {
      const std::string name = std::to_string(p) + "_" + eye;
      rows += name + "," + std::to_string(p % 5) + "\n";
      tree.grey("train/" + name + ".png", p);
    }
  tree.file("trainLabels.csv", rows);
  tree.file("sampleSubmission.csv", "image,level\n1_left,0\n");
  const Dataset data = open_dataset("retinopathy:" + tree.path("") + "?split=60/20/20&channels=1");
  EXPECT_EQ(data.task, Task::ordinal);
  EXPECT_EQ(data.outputs, 5);
  EXPECT_EQ(data.train.count * 10000 + data.val.count * 100 + data.test.count, 602020);
  for (const Split* split : {&data.train, &data.val, &data.test})
    for (int i = 0; i < split->count; ++i) {
      const std::string patient = split->column("patient")->at(static_cast<std::size_t>(i));
      EXPECT_EQ(split->ids[static_cast<std::size_t>(i)].substr(0, 3), patient + "_");
      EXPECT_EQ(read_pixels(*split->images, i)[0], std::stoi(patient));
      EXPECT_EQ(class_of(*split, i), std::stoi(patient) % 5);
      EXPECT_EQ(std::count(split->column("patient")->begin(), split->column("patient")->end(), patient), 2);
    }
}

TEST(Retinopathy, AptosMessidorAndIdrid) {
  const MadeTree tree;
  tree.file("aptos/train.csv", "id_code,diagnosis\n000c1434d8d7,2\n001639a390f0,4\n");
  tree.file("aptos/test.csv", "id_code\n0005cfc8afb6\n");
  tree.file("aptos/sample_submission.csv", "id_code,diagnosis\n0005cfc8afb6,0\n");
  tree.grey("aptos/train_images/000c1434d8d7.png", 1);
  tree.grey("aptos/train_images/001639a390f0.png", 2);
  tree.grey("aptos/test_images/0005cfc8afb6.png", 3);
  Dataset data = open_dataset("retinopathy:" + tree.path("aptos") + "?split=100/0/0");
  EXPECT_EQ(data.train.ids, (Texts{"000c1434d8d7", "001639a390f0"}));
  EXPECT_EQ(classes_of(data.train), (std::vector<int>{2, 4}));
  EXPECT_EQ(data.channels, 3) << "fundus photographs are in colour";
  EXPECT_EQ(data.train.column("patient"), nullptr);

  tree.file(
      "messidor/messidor_data.csv",
      "image_id,adjudicated_dr_grade,adjudicated_dme,adjudicated_gradable\na.png,0,0,1\nb.png,,,0\nc.png,3,1,1\n");
  for (const char* name : {"a", "b"}) tree.grey(std::string("messidor/IMAGES/") + name + ".png", 1);
  data = open_dataset("retinopathy:" + tree.path("messidor") + "?split=test");
  EXPECT_EQ(data.test.ids, Texts{"a.png"});
  ASSERT_EQ(data.notes.size(), 2u);
  EXPECT_NE(data.notes[0].find("1 rows of"), std::string::npos);
  EXPECT_NE(data.notes[0].find("no grade"), std::string::npos);
  EXPECT_NE(data.notes[1].find("no image"), std::string::npos);

  const std::string grades = "2. Groundtruths/";
  tree.file("idrid/" + grades + "a. IDRiD_Disease Grading_Training Labels.csv",
            "Image name,Retinopathy grade,Risk of macular edema ,,\nIDRiD_001,3,2,,\nIDRiD_002,0,0,,\n");
  tree.file("idrid/" + grades + "b. IDRiD_Disease Grading_Testing Labels.csv",
            "Image name,Retinopathy grade,Risk of macular edema \nIDRiD_003,1,0\n");
  for (const char* name : {"a. Training Set/IDRiD_001", "a. Training Set/IDRiD_002", "b. Testing Set/IDRiD_003"})
    tree.grey(std::string("idrid/1. Original Images/") + name + ".png", 1);
  data = open_dataset("retinopathy:" + tree.path("idrid"));
  EXPECT_EQ(data.test.ids, Texts{"IDRiD_003"});
  EXPECT_EQ(data.train.count + data.val.count, 2);
}

TEST(Retinopathy, NamesWhatIsWrong) {
  const MadeTree tree;
  const auto refuse = [&](const std::string& rows, const std::vector<std::string>& words) {
    tree.file("labels.csv", rows);
    expect_error([&] { open_dataset("retinopathy:" + tree.path("")); }, ErrorKind::data, words);
  };
  tree.grey("x.png", 1);
  refuse("image,level\nx,5\n", {"labels.csv line 2, column 2 (level)", "'5' is not a grade"});
  refuse("image,level\nx,two\n", {"line 2, column 2 (level)", "'two'"});
  refuse("image,level\nx,2\nx,2\n", {"line 3, column 1 (image)", "second time"});
  tree.file("labels.csv", "image\nx\n");
  expect_error([&] { open_dataset("retinopathy:" + tree.path("")); }, ErrorKind::missing_input, {"no table of grades"});
}

// A disc of radius 20 around (row, column) in black.
Image disc(int height, int width, int row, int column) {
  Image image{height, width, 3, {}};
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x) {
      const bool lit = (y - row) * (y - row) + (x - column) * (x - column) <= 400;
      image.pixels.insert(image.pixels.end(), 3, static_cast<std::uint8_t>(lit ? 100 + x % 7 : 3));
    }
  return image;
}

TEST(Fundus, TheDiscFillsTheSquare) {
  // Less than a fiftieth of the outermost rows and columns may be lit, so the square may be a little smaller.
  const Image whole = cropped_to_disc(disc(80, 120, 40, 70));
  EXPECT_EQ(whole.height, whole.width);
  EXPECT_NEAR(whole.height, 41, 2);
  EXPECT_GT(whole.pixels[static_cast<std::size_t>(20 * whole.width + 20) * 3], 99);
  // The camera cut top and bottom: the square is as wide as the disc, black above and below.
  const Image cut = cropped_to_disc(disc(30, 120, 15, 70));
  EXPECT_EQ(cut.height, cut.width);
  EXPECT_NEAR(cut.width, 41, 2);
  EXPECT_EQ(cut.pixels[static_cast<std::size_t>(2 * cut.width + 20) * 3], 0);
  EXPECT_GT(cut.pixels[static_cast<std::size_t>(20 * cut.width + 20) * 3], 99);
  const Image black{10, 20, 3, std::vector<std::uint8_t>(600, 0)};
  EXPECT_EQ(cropped_to_disc(black).width, 20);
}

TEST(Fundus, AnEvenPictureBecomesGreyWithoutItsMean) {
  const Image even{60, 60, 3, std::vector<std::uint8_t>(60 * 60 * 3, 90)};
  const Image flat = without_local_mean(even);
  // The weights add up to 1 within rounding, 4 * 90 of which is far below one half.
  for (const std::uint8_t value : flat.pixels) EXPECT_EQ(value, 128);
  Image dotted = even;
  const std::size_t middle = static_cast<std::size_t>(30 * 60 + 30) * 3;
  dotted.pixels[middle] = 120;
  const Image bright = without_local_mean(dotted);
  // A Gaussian of deviation 1 has 0.3989^2 of its weight in its middle: 4 (120 - 90 - 0.159 * 30) + 128.
  EXPECT_NEAR(bright.pixels[middle], 229, 1);
  EXPECT_LT(bright.pixels[middle + 3], 128);
  EXPECT_EQ(bright.pixels[middle + 1], 128) << "channels do not mix";
}

TEST(ClassFolders, ClassesAreFolders) {
  const MadeTree tree;
  for (const char* part : {"train", "val", "test"}) {
    const std::string folder = std::string("xray/") + part;
    tree.grey(folder + "/PNEUMONIA/person1_virus_6.png", 1);
    tree.grey(folder + "/NORMAL/deep/IM-0115.png", 2);
  }
  tree.grey("xray/train/PNEUMONIA/person1_bacteria_2.png", 3);
  const Dataset data = open_dataset("folder:" + tree.path("xray") + "?patient=_");
  EXPECT_EQ(data.task, Task::multi_class);
  EXPECT_EQ(data.label_names, (Texts{"NORMAL", "PNEUMONIA"}));
  EXPECT_EQ(data.train.ids, (Texts{"train/NORMAL/deep/IM-0115.png", "train/PNEUMONIA/person1_bacteria_2.png",
                                   "train/PNEUMONIA/person1_virus_6.png"}));
  EXPECT_EQ(*data.train.column("patient"), (Texts{"", "person1", "person1"}));
  EXPECT_EQ(classes_of(data.train), (std::vector<int>{0, 1, 1}));
  EXPECT_EQ(data.val.count * 10 + data.test.count, 22);
  EXPECT_EQ(data.channels, 1) << "as the first image is";
  for (int i = 0; i < 20; ++i) {
    tree.grey("plain/a/" + std::to_string(i) + ".png", i);
    tree.grey("plain/b/" + std::to_string(i) + ".png", i);
  }
  const Dataset plain = open_dataset("folder:" + tree.path("plain") + "?task=ordinal&size=4");
  EXPECT_EQ(plain.task, Task::ordinal);
  EXPECT_EQ(plain.train.count * 100 + plain.val.count * 10 + plain.test.count, 3244);
  EXPECT_EQ(plain.train.images->image_bytes(), 16u);
  EXPECT_EQ(open_dataset("folder:" + tree.path("plain") + "?size=4&fit=pad&window=0,4095").image_form,
            "4x4x1-fit=pad-window=0,4095");
  for (const char* wrong : {"fit=squeeze", "window=5", "window=9,3", "window=a,b", "window=0,inf", "window=1,2,3"})
    expect_error([&] { open_dataset("folder:" + tree.path("plain") + "?" + wrong); }, ErrorKind::usage, {wrong + 7});
  tree.file("wide.pgm", "P5\n4 2\n255\n" + std::string("\x9\x1\x2\x9\x9\x3\x4\x9", 8));
  const ImageForm middle{2, 2, 1, Fundus::keep, Fit::crop, {}};
  EXPECT_EQ(read_prepared(tree.path("wide.pgm"), middle).pixels, (std::vector<std::uint8_t>{1, 2, 3, 4}));
  tree.grey("one/a/1.png", 1);
  expect_error([&] { open_dataset("folder:" + tree.path("one")); }, ErrorKind::data, {"1 class, a"});
  tree.grey("one/2.png", 1);
  expect_error([&] { open_dataset("folder:" + tree.path("one")); }, ErrorKind::data,
               {"one/2.png", "not in the folder of a class"});
  expect_error([&] { open_dataset("folder:" + tree.path("none")); }, ErrorKind::missing_input, {"none"});
}

class Table : public ::testing::Test {
 protected:
  Table() {
    for (int i = 0; i < 4; ++i) tree.grey("pictures/" + std::to_string(i) + ".png", i);
  }
  Dataset open(const std::string& rows, const std::string& keys) {
    tree.file("mine.csv", rows);
    return open_dataset("table:" + tree.path("mine.csv") + "?image=file&images=" + tree.path("pictures") + "&" + keys);
  }

  MadeTree tree;
};

TEST_F(Table, ColumnsOfFindingsAndOfPatients) {
  const Dataset data = open(
      "pid,gender,years,hospital,edema,mass,set,file\np1,Female,63.0,A,1,0,train,0\np1,M,x,B,,1,val,1\np2,?,7,,0,0,"
      "test,2\n",
      "labels=edema,mass&patient=pid&sex=gender&age=years&site=hospital&part=set&ending=.png");
  EXPECT_EQ(data.task, Task::multi_label);
  EXPECT_EQ(data.label_names, (Texts{"edema", "mass"}));
  EXPECT_EQ(data.train.labels, (std::vector<float>{1, 0}));
  EXPECT_TRUE(std::isnan(data.val.labels[0]));
  EXPECT_EQ(data.val.labels[1], 1);
  EXPECT_EQ(data.train.column("patient")->at(0) + data.train.column("sex")->at(0) + data.train.column("age")->at(0) +
                data.train.column("site")->at(0),
            "p1F63A");
  EXPECT_EQ(data.val.column("age")->at(0), "");
  EXPECT_EQ(data.train.column("view"), nullptr);
  EXPECT_EQ(data.val.ids, Texts{"1"});
  EXPECT_EQ(read_pixels(*data.test.images, 0)[0], 2);
}

TEST_F(Table, NamesOfFindingsInOneColumn) {
  const Dataset data = open("file\tfindings\n0.png\tmass;edema\n1.png\tnormal\n2.png\t\n3.png\tmass\n",
                            "label=findings&separator=;&none=normal&split=test");
  EXPECT_EQ(data.task, Task::multi_label);
  EXPECT_EQ(data.label_names, (Texts{"edema", "mass"}));
  EXPECT_EQ(data.test.labels, (std::vector<float>{1, 1, 0, 0, 0, 0, 0, 1}));
}

TEST_F(Table, ClassesByNumberAndByName) {
  const Dataset numbers = open("file,grade\n0.png,2\n1.png,0\n2.png,3\n", "label=grade&task=ordinal&split=test");
  EXPECT_EQ(numbers.task, Task::ordinal);
  EXPECT_EQ(numbers.label_names, (Texts{"grade 0", "grade 1", "grade 2", "grade 3"}));
  EXPECT_EQ(classes_of(numbers.test), (std::vector<int>{2, 0, 3}));
  const Dataset names = open("file,kind\n0.png,nevus\n1.png,melanoma\n2.png,nevus\n", "label=kind&split=test");
  EXPECT_EQ(names.label_names, (Texts{"melanoma", "nevus"}));
  EXPECT_EQ(classes_of(names.test), (std::vector<int>{1, 0, 1}));
}

TEST_F(Table, NamesWhatIsWrong) {
  const auto refuse = [&](const std::string& rows, const std::string& keys, const std::vector<std::string>& words,
                          ErrorKind kind = ErrorKind::data) { expect_error([&] { open(rows, keys); }, kind, words); };
  refuse("file,a\n0.png,2\n", "labels=a", {"mine.csv line 2, column 2 (a)", "'2' is not 1, 0 or empty"});
  refuse("file,a\n0.png,one\n", "labels=a", {"line 2, column 2 (a)", "'one' is not a number"});
  refuse("file,a\n0.png,\n", "label=a", {"line 2, column 2 (a)", "a class is missing"});
  refuse("file,a\n,1\n1.png,0\n", "label=a", {"line 2, column 1 (file)", "an image is missing"});
  refuse("file,a\n0.png,1\n0.png,1\n", "labels=a", {"line 3, column 1 (file)", "after line 2"});
  refuse("file,a\n0.png,x\n1.png,x\n", "label=a", {"column a holds 1 different labels"});
  refuse("file,a\n", "labels=a", {"has no images"});
  refuse("file,a\n0.png,1\n", "labels=b", {"no column 'b'", "file, a"});
  refuse("file,a,s\n0.png,1,holdout\n", "labels=a&part=s", {"line 2, column 3 (s)", "'holdout'"});
  refuse("file,a\n0.png,1\n", "size=8", {"labels=A,B,C and label=COLUMN"}, ErrorKind::usage);
  refuse("file,a\n0.png,1\n", "labels=a&separator=;", {"separator"}, ErrorKind::usage);
  refuse("file,a\n0.png,1\n", "labels=a&task=ordinal", {"task"}, ErrorKind::usage);
  expect_error([&] { open_dataset("table:" + tree.path("mine.csv") + "?labels=a"); }, ErrorKind::usage,
               {"image=COLUMN"});
}

TEST(Columns, SexAndAgeInTheFormsOfTheField) {
  EXPECT_EQ(sex_text("Male") + sex_text("m") + sex_text("F") + sex_text("female") + sex_text("O") + sex_text(""),
            "MMFF");
  const std::vector<std::pair<std::string, std::string>> ages = {
      {"58", "58"}, {"058Y", "58"}, {"63.9", "63"}, {"030M", "2"}, {"023D", "0"}, {"0", "0"},
      {"414", ""},  {"-1", ""},     {"", ""},       {"Y", ""},     {"old", ""},   {"nan", ""}};
  for (const auto& [text, years] : ages) EXPECT_EQ(age_text(text), years) << text;
}

}  // namespace
}  // namespace preceptor::test
