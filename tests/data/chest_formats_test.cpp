// CheXpert and ChestX-ray14 in their own layout: every label policy against expectations written by hand.
#include <cmath>

#include "data/formats/open_dataset.h"
#include "tests/data/made_tree.h"
#include "tests/data/real_data.h"

namespace preceptor::test {
namespace {

const std::string chexpert_header =
    "Path,Sex,Age,Frontal/Lateral,AP/PA,No Finding,Enlarged Cardiomediastinum,Cardiomegaly,Lung Opacity,Lung Lesion,"
    "Edema,Consolidation,Pneumonia,Atelectasis,Pneumothorax,Pleural Effusion,Pleural Other,Fracture,Support Devices\n";

// Four images of three patients in train.csv, one in valid.csv and test.csv each.
class Chexpert : public ::testing::Test {
 protected:
  Chexpert() {
    const std::string a = "patient00001/study1/view1_frontal.png", b = "patient00001/study1/view2_lateral.png",
                      c = "patient00002/study1/view1_frontal.png", d = "patient00003/study2/view1_frontal.png";
    tree.file("chex/train.csv", chexpert_header + prefix + "train/" + a +
                                    ",Female,68,Frontal,AP,1.0,,,,,,,,,0.0,,,,1.0\n" + prefix + "train/" + b +
                                    ",Female,68,Lateral,,,,-1.0,,,-1.0,,,1.0,,-1.0,,,\n" + prefix + "train/" + c +
                                    ",Male,0,Frontal,PA,,,1.0,,,0.0,-1.0,,-1.0,,1.0,,,\n" + prefix + "train/" + d +
                                    ",Unknown,121,Frontal,LL,,,,,,,,,,,,,,\n");
    tree.file("chex/valid.csv", chexpert_header + prefix +
                                    "valid/patient64541/study1/view1_frontal.png,Male,73,Frontal," +
                                    "AP,0.0,1.0,1.0,1.0,0.0,0.0,0.0,0.0,0.0,0.0,-1.0,0.0,0.0,0.0\n");
    // As CheXlocalize has it: without the columns on the patient.
    tree.file("chex/test.csv",
              "Path,No Finding,Enlarged Cardiomediastinum,Cardiomegaly,Lung Opacity,Lung Lesion,Edema,Consolidation,"
              "Pneumonia,Atelectasis,Pneumothorax,Pleural Effusion,Pleural Other,Fracture,Support Devices\n"
              "test/patient64741/study1/view1_frontal.png,0,0,0,1,0,0,0,0,1,0,0,0,0,0\n");
    int value = 10;
    for (const std::string& name : {"train/" + a, "train/" + b, "train/" + c, "train/" + d})
      tree.grey("chex/" + name, value++);
    tree.grey("chex/valid/patient64541/study1/view1_frontal.png", 20);
    tree.grey("chex/test/patient64741/study1/view1_frontal.png", 30);
  }

  Dataset open(const std::string& keys = "") const { return open_dataset("chexpert:" + tree.path("chex") + keys); }
  void refuse(const std::string& keys, const std::vector<std::string>& words) const {
    expect_error([&] { open(keys); }, ErrorKind::usage, words);
  }

  const std::string prefix = "CheXpert-v1.0-small/";
  MadeTree tree;
};

// Labels of an image as text: 0, 1, ? (unknown), or the value.
std::string labels_of(const Dataset& data, const Split& split, int image) {
  std::string text;
  for (int l = 0; l < data.outputs; ++l) {
    const float value = split.labels.at(static_cast<std::size_t>(image * data.outputs + l));
    std::string one = std::to_string(value).substr(0, 4);
    if (value == 0 || value == 1) one = value == 0 ? "0" : "1";
    text += std::isnan(value) ? "?" : one;
  }
  return text;
}

TEST_F(Chexpert, ReadsPathsPatientsAndViews) {
  const Dataset data = open();
  EXPECT_EQ(data.task, Task::multi_label);
  EXPECT_EQ(data.outputs, 14);
  EXPECT_EQ(data.label_names[10], "Pleural Effusion");
  ASSERT_EQ(data.train.count, 4);
  ASSERT_EQ(data.val.count, 1);
  ASSERT_EQ(data.test.count, 1);
  EXPECT_EQ(data.train.ids[1], prefix + "train/patient00001/study1/view2_lateral.png");
  EXPECT_EQ(*data.train.column("patient"), (std::vector<std::string>{"00001", "00001", "00002", "00003"}));
  EXPECT_EQ(*data.train.column("sex"), (std::vector<std::string>{"F", "F", "M", ""}));
  EXPECT_EQ(*data.train.column("age"), (std::vector<std::string>{"68", "68", "0", ""}));
  EXPECT_EQ(*data.train.column("view"), (std::vector<std::string>{"AP", "lateral", "PA", "LL"}));
  EXPECT_EQ(data.height * 100 + data.width * 10 + data.channels, 881);
  for (int i = 0; i < 4; ++i)
    EXPECT_EQ(read_pixels(*data.train.images, i), std::vector<std::uint8_t>(64, static_cast<std::uint8_t>(10 + i)));
  EXPECT_EQ(read_pixels(*data.val.images, 0)[0], 20);
  EXPECT_EQ(read_pixels(*data.test.images, 0)[0], 30);
}

TEST_F(Chexpert, EveryPolicyForWhatIsUncertain) {
  const auto train = [&](const std::string& keys) {
    const Dataset data = open(keys);
    std::vector<std::string> rows;
    for (int i = 0; i < data.train.count; ++i) rows.push_back(labels_of(data, data.train, i));
    return rows;
  };
  using Rows = std::vector<std::string>;
  const std::string empty = "00000000000000", first = "10000000000001";
  EXPECT_EQ(train(""), (Rows{first, "00000000100000", "00100000001000", empty}));
  EXPECT_EQ(train("?uncertain=zeros"), train(""));
  EXPECT_EQ(train("?uncertain=ones"), (Rows{first, "00100100101000", "00100010101000", empty}));
  EXPECT_EQ(train("?uncertain=ignore"), (Rows{first, "00?00?0010?000", "001000?0?01000", empty}));
  EXPECT_EQ(train("?uncertain=ones,Edema:zeros,Atelectasis:ignore"),
            (Rows{first, "00100000101000", "00100010?01000", empty}));
  EXPECT_EQ(train("?blank=unknown"), (Rows{"1????????0???1", "??0??0??1?0???", "??1??00?0?1???", "??????????????"}));
  // Atelectasis, Cardiomegaly, Consolidation, Edema, Pleural Effusion.
  EXPECT_EQ(train("?labels=5&uncertain=ones"), (Rows{"00000", "11011", "11101", "00000"}));
  EXPECT_EQ(train("?labels=5&uncertain=zeros,Edema:multi-class"), (Rows{"000000", "100001", "010010", "000000"}));
  // If an empty field means unknown, its uncertainty is unknown too.
  EXPECT_EQ(train("?labels=5&uncertain=zeros,Edema:multi-class&blank=unknown"),
            (Rows{"??????", "10?001", "010010", "??????"}));
  const Dataset several = open("?labels=5&uncertain=multi-class,Atelectasis:ones");
  EXPECT_EQ(several.label_names,
            (Rows{"Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Pleural Effusion", "Cardiomegaly uncertain",
                  "Consolidation uncertain", "Edema uncertain", "Pleural Effusion uncertain"}));
  EXPECT_EQ(labels_of(several, several.train, 1), "100001011");
  EXPECT_EQ(labels_of(several, several.train, 2), "110010100");
  EXPECT_EQ(labels_of(several, several.val, 0), "010000001");
}

TEST_F(Chexpert, SelfTrainedLabelsComeFromPredictions) {
  const std::string b = prefix + "train/patient00001/study1/view2_lateral.png",
                    c = prefix + "train/patient00002/study1/view1_frontal.png",
                    v = prefix + "valid/patient64541/study1/view1_frontal.png";
  const std::string header =
      "id,probability:Atelectasis,probability:Cardiomegaly,probability:Consolidation,probability:Edema,"
      "probability:Pleural Effusion\n";
  tree.file("p.csv",
            header + b + ",0.5,0.25,0.5,0.75,0.125\n" + c + ",0.625,0.5,0.375,0.5,0.5\n" + v + ",0,0,0,0,0.5\n");
  const std::string keys = "?labels=5&uncertain=self-trained&predictions=" + tree.path("p.csv");
  const Dataset data = open(keys);
  EXPECT_EQ(labels_of(data, data.train, 0), "00000");
  EXPECT_EQ(labels_of(data, data.train, 1), "10.2500.750.12");
  EXPECT_EQ(labels_of(data, data.train, 2), "0.6210.3701");
  EXPECT_EQ(labels_of(data, data.val, 0), "0100?") << "no model is judged by a model's guess";
  const std::string plain = "path,Atelectasis,Cardiomegaly,Consolidation,Edema,Pleural Effusion\n";
  tree.file("p.csv",
            plain + b + ",0.5,0.25,0.5,0.75,0.125\n" + c + ",0.625,0.5,0.375,0.5,0.5\n" + v + ",0,0,0,0,0.5\n");
  EXPECT_EQ(labels_of(open(keys), open(keys).train, 2), "0.6210.3701") << "the table of preceptor-predict";
  tree.file("p.csv", header + b + ",0.5,0.25,0.5,0.75,0.125\n");
  expect_error([&] { open(keys); }, ErrorKind::data, {"train.csv line 4, column 1 (Path)", "p.csv has no row for"});
  tree.file("p.csv", header + b + ",0.5,1.25,0.5,0.75,0.125\n");
  expect_error([&] { open(keys); }, ErrorKind::data, {"p.csv line 2, column 3", "1.25 is not a probability"});
  refuse("?uncertain=self-trained", {"predictions=FILE.csv"});
  refuse("?predictions=x.csv", {"belong together"});
}

TEST_F(Chexpert, TablesMayStandBesideTheImages) {
  const std::string image = "train/patient00007/study1/view1_frontal.png";
  tree.grey("apart/" + prefix + image, 70);
  tree.file("apart/labels/train.csv", chexpert_header + prefix + image + ",Male,50,Frontal,AP,,,,,,,,,,,,,,1.0\n");
  const Dataset data = open_dataset("chexpert:" + tree.path("apart/labels") + "?split=test");
  EXPECT_EQ(read_pixels(*data.test.images, 0)[0], 70);
}

TEST_F(Chexpert, FiltersViews) {
  EXPECT_EQ(open("?view=frontal").train.count, 3);
  // Only one lateral image is left; val and test are whole patients of their own, here none.
  const Dataset lateral = open("?view=lateral&split=100/0/0");
  ASSERT_EQ(lateral.train.count, 1);
  EXPECT_EQ(lateral.train.column("view")->at(0), "lateral");
}

TEST_F(Chexpert, NamesTheWrongField) {
  refuse("?uncertain=maybe", {"'maybe'", "zeros, ones, ignore, multi-class, self-trained"});
  refuse("?uncertain=ones,Cough:zeros", {"'Cough'"});
  refuse("?labels=5&uncertain=ones,Fracture:zeros", {"'Fracture'"});
  refuse("?view=oblique", {"all, frontal, lateral"});
  refuse("?colour=1", {"unknown key 'colour'"});
  const auto broken = [&](const std::string& row, const std::vector<std::string>& words) {
    tree.file("chex/train.csv", chexpert_header + row);
    expect_error([&] { open(); }, ErrorKind::data, words);
  };
  const std::string labels = ",Male,50,Frontal,AP,,,,,,,,,,,,,,\n";
  broken("a/b.png,Male,50,Frontal,AP,,,2,,,,,,,,,,,\n", {"train.csv line 2, column 8 (Cardiomegaly)", "'2'"});
  broken("a/b.png,Male,50,Frontal,AP,,,yes,,,,,,,,,,,\n", {"line 2, column 8 (Cardiomegaly)", "'yes' is not a number"});
  broken("a/b.png" + labels + "a/c.png" + labels + "a/b.png" + labels,
         {"line 4, column 1 (Path)", "'a/b.png' is listed a second time, after line 2"});
  tree.file("chex/train.csv", chexpert_header);
  expect_error([&] { open("?view=lateral"); }, ErrorKind::data, {"has no images"});
  tree.file("chex/train.csv", "Path,Sex\nx,Male\n");
  expect_error([&] { open(); }, ErrorKind::data, {"there is no column 'No Finding'"});
  expect_error([&] { open_dataset("chexpert:" + tree.path("nowhere")); }, ErrorKind::missing_input, {"train.csv"});
}

TEST_F(Chexpert, MissingAndBrokenImagesAreNamedWhenTheyAreRead) {
  std::filesystem::remove(tree.path("chex/train/patient00002/study1/view1_frontal.png"));
  tree.file("chex/train/patient00003/study2/view1_frontal.png", "no image");
  const Dataset data = open();
  expect_error([&] { read_pixels(*data.train.images, 2); }, ErrorKind::missing_input, {"patient00002"});
  expect_error([&] { read_pixels(*data.train.images, 3); }, ErrorKind::data, {"patient00003"});
}

const std::string nih_header =
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y],\n";

class ChestXray14 : public ::testing::Test {
 protected:
  ChestXray14() {
    tree.file("nih/Data_Entry_2017.csv",
              nih_header + "00000001_000.png,Cardiomegaly,0,1,058Y,M,PA,2682,2749,0.143,0.143,\n" +
                  "00000001_001.png,Cardiomegaly|Emphysema,1,1,058Y,M,PA,2894,2729,0.143,0.143,\n" +
                  "00000002_000.png,No Finding,0,2,011M,F,AP,2500,2048,0.168,0.168,\n" +
                  "00000003_000.png,Hernia|Pneumothorax|Pleural_Thickening,0,3,81,F,PA,2582,2991,0.143,0.143,\n" +
                  "00000004_000.png,Mass,0,4,414,M,AP,2582,2991,0.143,0.143,\n");
    tree.grey("nih/images_001/images/00000001_000.png", 1);
    tree.grey("nih/images_001/images/00000001_001.png", 2);
    tree.grey("nih/images_002/images/00000002_000.png", 3);
    tree.grey("nih/images_012/images/00000003_000.png", 4);
    tree.grey("nih/images_012/images/00000009_000.png", 5);
  }
  Dataset open(const std::string& keys = "") const { return open_dataset("chestxray14:" + tree.path("nih") + keys); }

  MadeTree tree;
};

TEST_F(ChestXray14, JoinsTheTableWithImagesBelowTheFolder) {
  const Dataset data = open("?split=100/0/0");
  ASSERT_EQ(data.train.count, 4);
  EXPECT_EQ(data.train.ids[1], "00000001_001.png");
  EXPECT_EQ(labels_of(data, data.train, 0), "01000000000000");
  EXPECT_EQ(labels_of(data, data.train, 1), "01000000001000");
  EXPECT_EQ(labels_of(data, data.train, 2), "00000000000000");
  EXPECT_EQ(labels_of(data, data.train, 3), "00000001000011");
  EXPECT_EQ(*data.train.column("patient"), (std::vector<std::string>{"1", "1", "2", "3"}));
  EXPECT_EQ(*data.train.column("age"), (std::vector<std::string>{"58", "58", "0", "81"}));
  EXPECT_EQ(*data.train.column("sex"), (std::vector<std::string>{"M", "M", "F", "F"}));
  for (int i = 0; i < 4; ++i) EXPECT_EQ(read_pixels(*data.train.images, i)[7], i + 1);
  ASSERT_EQ(data.notes.size(), 2u);
  EXPECT_NE(data.notes[0].find("1 rows of"), std::string::npos) << data.notes[0];
  EXPECT_NE(data.notes[1].find("1 images below"), std::string::npos) << data.notes[1];
  const Dataset eight = open("?labels=8&split=100/0/0");
  EXPECT_EQ(eight.label_names.back(), "Pneumothorax");
  EXPECT_EQ(labels_of(eight, eight.train, 1), "01000000");
  EXPECT_EQ(labels_of(eight, eight.train, 3), "00000001");
}

TEST_F(ChestXray14, OfficialListsAndFoldersGiveTheParts) {
  tree.file("nih/train_val_list.txt", "00000001_000.png\n00000001_001.png\n00000002_000.png");
  tree.file("nih/test_list.txt", "00000003_000.png\r\n00000004_000.png\r\n");
  const Dataset lists = open();
  EXPECT_EQ(lists.test.ids, std::vector<std::string>{"00000003_000.png"});
  EXPECT_EQ(lists.train.count + lists.val.count, 3);
  tree.grey("folders/train/a/1.png", 1);
  tree.grey("folders/valid/2.png", 2);
  tree.grey("folders/test/b/3.png", 3);
  tree.file("folders/Data_Entry_2017_v2020.csv",
            "Image Index,Finding Labels,Patient ID\n3.png,Mass,7\n2.png,Mass,7\n1.png,Edema,8\n");
  const Dataset folders = open_dataset("chestxray14:" + tree.path("folders"));
  EXPECT_EQ(folders.train.ids, std::vector<std::string>{"1.png"});
  EXPECT_EQ(folders.val.ids, std::vector<std::string>{"2.png"});
  EXPECT_EQ(folders.test.ids, std::vector<std::string>{"3.png"});
  EXPECT_EQ(folders.test.column("age"), nullptr);
}

TEST_F(ChestXray14, NamesWhatIsWrong) {
  tree.grey("nih/more/00000001_000.png", 9);
  expect_error([&] { open(); }, ErrorKind::data,
               {"two images are called '00000001_000.png'", "images_001", "images=FOLDER"});
  EXPECT_EQ(open("?images=images_001/images&split=100/0/0").train.count, 2);
  const auto broken = [&](const std::string& rows, const std::vector<std::string>& words) {
    tree.file("nih/Data_Entry_2017.csv", "Image Index,Finding Labels,Patient ID\n" + rows);
    expect_error([&] { open("?images=images_001"); }, ErrorKind::data, words);
  };
  broken("00000001_000.png,Mass|Cough,1\n", {"Data_Entry_2017.csv line 2, column 2 (Finding Labels)", "'Cough'"});
  broken("00000001_000.png,,1\n", {"line 2, column 2", "''"});
  broken("00000001_000.png,Mass,1\n00000001_000.png,Mass,1\n", {"line 3, column 1 (Image Index)", "second time"});
  broken("00000009_000.png,Mass,1\n", {"has no images"});
  tree.file("nih/Data_Entry_2017_v2020.csv", "x\n");
  expect_error([&] { open(); }, ErrorKind::data, {"several tables", "table=FILE"});
  expect_error([&] { open_dataset("chestxray14:" + tree.path("nowhere")); }, ErrorKind::missing_input, {"nowhere"});
}

TEST(RealChestXray14, FoldersAndFilmsOfEverySize) {
  const std::string root = real_file("");
  if (!std::filesystem::exists(root + "nih1000_64")) GTEST_SKIP() << root << " is absent; set PRECEPTOR_DATA";
  const Dataset data = open_dataset("chestxray14:" + root + "nih1000_64");
  EXPECT_EQ(data.height * 10 + data.channels, 641);
  EXPECT_EQ(data.train.count + data.val.count + data.test.count, 1000);
  const Dataset films = open_dataset("chestxray14:" + root + "nih621?images=images_224&split=100/0/0");
  EXPECT_EQ(films.train.count, 621);
  EXPECT_EQ(films.height, 224);
  const Dataset large = open_dataset("chestxray14:" + root + "nih621?images=images_1024&size=64&channels=3&split=test");
  EXPECT_EQ(large.test.count, 13);
  for (int i = 0; i < large.test.count; ++i) {
    const std::vector<std::uint8_t> pixels = read_pixels(*large.test.images, i);
    ASSERT_EQ(pixels.size(), 64u * 64 * 3);
    for (std::size_t p = 0; p < pixels.size(); p += 3)
      ASSERT_TRUE(pixels[p] == pixels[p + 1] && pixels[p] == pixels[p + 2]);
  }
}

}  // namespace
}  // namespace preceptor::test
