// The predictions table: bits that survive the file, joins with labels, and hostile tables.
#include "data/predictions/predictions.h"

#include <cmath>

#include "npz_writer.h"

namespace preceptor::test {
namespace {

class PredictionsTest : public ::testing::Test {
 protected:
  std::string write(const std::string& text, const std::string& name = "predictions.csv") {
    write_bytes(folder.file(name), text);
    return folder.file(name);
  }
  void refuse(const std::string& text, const std::vector<std::string>& words) {
    expect_error([&] { read_predictions(write(text)); }, ErrorKind::data, words);
  }

  TemporaryFolder folder;
  const float unknown = std::nanf("");
};

TEST_F(PredictionsTest, FindingsReadBackToTheSameBits) {
  PredictionTable table;
  table.task = Task::multi_label;
  table.label_names = {"mass", "nodule, small"};
  table.ids = {"a.png", "b \"2\".png"};
  table.labels = {1, unknown, 0, 1};
  table.probabilities = {0.1f, 1e-30, 1.0 / 3, 1};
  table.columns = {{"patient", {"7", ""}}, {"sex", {"F", "M"}}};
  write_predictions(folder.file("p.csv"), table);
  const PredictionTable back = read_predictions(folder.file("p.csv"));
  EXPECT_EQ(back.task, Task::multi_label);
  EXPECT_EQ(back.label_names, table.label_names);
  EXPECT_EQ(back.ids, table.ids);
  EXPECT_EQ(back.probabilities, table.probabilities);
  EXPECT_EQ(back.labels[0], 1);
  EXPECT_TRUE(std::isnan(back.labels[1]));
  ASSERT_EQ(back.columns.size(), 2u);
  EXPECT_EQ(back.columns[0].values, table.columns[0].values);
  EXPECT_EQ(back.find("sex")->values[1], "M");
  EXPECT_EQ(back.find("age"), nullptr);
  EXPECT_EQ(read_bytes(folder.file("p.csv")).substr(0, 9), "id,patien");
  const std::vector<Finding> two = findings(back);
  EXPECT_EQ(two[1].scores, (std::vector<double>{1e-30, 1}));
  EXPECT_EQ(two[1].name, "nodule, small");
}

TEST_F(PredictionsTest, ClassesReadBack) {
  const PredictionTable table =
      read_predictions(write("id,label,probability:a,probability:b\nx,1,0.25,0.75\ny,0,0.5,0.5\n"));
  EXPECT_EQ(table.task, Task::multi_class);
  EXPECT_EQ(table.labels, (std::vector<float>{1, 0}));
  ASSERT_EQ(findings(table).size(), 1u);  // of two classes the second
  EXPECT_EQ(findings(table)[0].name, "b");
  write_predictions(folder.file("again.csv"), table);
  EXPECT_EQ(read_bytes(folder.file("again.csv")), read_bytes(folder.file("predictions.csv")));
}

TEST_F(PredictionsTest, DecisionsReadBackAndAreWhatIsCounted) {
  const std::string text =
      "id,label,decision,probability:a,probability:b,probability:c\nx,1,1,0.4,0.2,0.4\ny,0,1,0.5,0.5,0\n";
  const PredictionTable table = read_predictions(write(text));
  EXPECT_EQ(table.decisions, (std::vector<int>{1, 1}));
  EXPECT_EQ(chosen_classes(table), table.decisions);
  EXPECT_EQ(accuracy_of(table), 0.5);
  EXPECT_EQ(evaluate(table, 0, 0).accuracy, 0.5);
  EXPECT_EQ(select_rows(table, {1}).decisions, std::vector<int>{1});
  write_predictions(folder.file("again.csv"), table);
  EXPECT_EQ(read_bytes(folder.file("again.csv")), text);
  PredictionTable undecided = table;
  undecided.decisions.clear();
  EXPECT_EQ(chosen_classes(undecided), (std::vector<int>{0, 0}));
  refuse("id,label,decision,probability:a,probability:b\nx,1,2,0.25,0.75\n", {"decision", "'2' is not a class"});
}

TEST_F(PredictionsTest, UnitsAreNumbersOfValues) {
  const PredictionTable table = read_predictions(
      write("id,patient,label:a,probability:a\nw,p2,0,0.1\nx,,1,0.2\ny,p2,0,0.3\nz,,1,0.4\nv,p1,1,0.5\n"));
  EXPECT_EQ(clusters_of(table, "patient"), (Clusters{0, 1, 0, 2, 3}));
  EXPECT_TRUE(clusters_of(table, "site").empty());
  const PredictionTable some = select_rows(table, {4, 0});
  EXPECT_EQ(some.ids, (std::vector<std::string>{"v", "w"}));
  EXPECT_EQ(some.probabilities, (std::vector<double>{0.5, 0.1}));
  EXPECT_EQ(some.labels, (std::vector<float>{1, 0}));
  EXPECT_EQ(some.columns[0].values, (std::vector<std::string>{"p1", "p2"}));
  expect_error([&] { select_rows(table, {5}); }, ErrorKind::usage, {"row 5"});
}

TEST_F(PredictionsTest, SummaryGoesByPatient) {
  std::string text = "id,patient,label:a,probability:a\n", alone = "id,label:a,probability:a\n";
  for (int i = 0; i < 60; ++i) {
    const std::string row = std::to_string(i % 2) + "," + std::to_string(0.1 + 0.01 * (i * 7 % 60)) + "\n";
    text += std::to_string(i) + "," + std::to_string(i / 6) + "," + row;
    alone += std::to_string(i) + "," + row;
  }
  const Evaluation patients = evaluate(read_predictions(write(text)), 200, 1);
  const Evaluation rows = evaluate(read_predictions(write(alone)), 200, 1);
  EXPECT_EQ(patients.auc_macro, rows.auc_macro);
  EXPECT_EQ(patients.accuracy, rows.accuracy);
  EXPECT_NE(patients.auc_low, rows.auc_low);
}

TEST_F(PredictionsTest, RefusesBrokenColumns) {
  refuse("name,label:a,probability:a\nx,0,0.5\n", {"line 1", "'id'"});
  refuse("id,label:a\nx,0\n", {"line 1", "probability:NAME"});
  refuse("id,probability:a\nx,0.5\n", {"line 1", "label:a"});
  refuse("id,label:a,label:b,probability:a\nx,0,0,0.5\n", {"line 1", "label:b", "beside it"});
  refuse("id,label,label:a,probability:a\nx,0,0,0.5\n", {"line 1", "mutually exclusive"});
  refuse("id,label,probability:a\nx,0,1\n", {"line 1", "only one class"});
  refuse("id,label:a,probability:a\n", {"no rows"});
}

TEST_F(PredictionsTest, RefusesBrokenCells) {
  const auto findings_table = [](const std::string& id, const std::string& label, const std::string& probability) {
    return "id,label:a,probability:a\nx,0,0.5\n" + id + "," + label + "," + probability + "\n";
  };
  for (const char* wrong : {"nan", "inf", "-inf", "-0.1", "1.0000001", "abc", "", "0.5x", " 0.5", "1e999"})
    refuse(findings_table("y", "1", wrong), {"predictions.csv line 3", "column 'probability:a'", "not a probability"});
  for (const char* wrong : {"2", "-1", "0.5", "yes", "nan"})
    refuse(findings_table("y", wrong, "0.5"), {"line 3", "column 'label:a'", "not a label"});
  refuse(findings_table("x", "1", "0.5"), {"line 3", "column 'id'", "'x'", "twice", "line 2"});
  refuse(findings_table("", "1", "0.5"), {"line 3", "column 'id'", "empty"});
  const std::string classes = "id,label,probability:a,probability:b\n";
  refuse(classes + "x,2,0.5,0.5\n", {"line 2", "column 'label'", "not a class from 0 to 1"});
  refuse(classes + "x,,0.5,0.5\n", {"line 2", "column 'label'", "not a class"});
  refuse(classes + "x,0.5,0.5,0.5\n", {"line 2", "not a class"});
  refuse(classes + "x,1,0.5,0.4\n", {"line 2", "add up to 0.9"});
}

TEST_F(PredictionsTest, PlainProbabilitiesMeetALabelList) {
  const std::string labels = write(
      "Image Index,Finding Labels,Patient ID,Patient Age,Patient Gender,View Position,Other\n"
      "1.png,Mass|Pleural_Thickening,4,58,M,PA,x\n2.png,No Finding,4,59,M,AP,x\n3.png,Hernia,5,7,F,PA,x\n",
      "entry.csv");
  const PredictionTable table =
      read_plain_predictions(write("Image Index,prob_Mass,pleural thickening\n3.png,0.1,0.2\n1.png,0.3,0.4\n"), labels);
  EXPECT_EQ(table.label_names, (std::vector<std::string>{"Mass", "pleural thickening"}));
  EXPECT_EQ(table.ids, (std::vector<std::string>{"3.png", "1.png"}));
  EXPECT_EQ(table.labels, (std::vector<float>{0, 0, 1, 1}));
  EXPECT_EQ(table.probabilities, (std::vector<double>{0.1, 0.2, 0.3, 0.4}));
  ASSERT_EQ(table.columns.size(), 4u);
  EXPECT_EQ(table.find("patient")->values, (std::vector<std::string>{"5", "4"}));
  EXPECT_EQ(table.find("sex")->values[0], "F");
  EXPECT_EQ(table.find("age")->values[0], "7");
  EXPECT_EQ(table.find("view")->values[0], "PA");
  const auto refuse_plain = [&](const std::string& text, const std::vector<std::string>& words) {
    expect_error([&] { read_plain_predictions(write(text), labels); }, ErrorKind::data, words);
  };
  refuse_plain("Image Index,Masss\n1.png,0.5\n", {"predictions.csv line 1", "'Masss'", "entry.csv", "Finding Labels"});
  refuse_plain("Image Index,Mass\n1.png,0.5\n9.png,0.5\n", {"line 3", "'9.png'", "not in", "entry.csv"});
  refuse_plain("Image Index,Mass\n1.png,0.5\n1.png,0.5\n", {"line 3", "twice"});
  refuse_plain("Image Index,Mass\n1.png,nan\n", {"line 2", "column 'Mass'", "not a probability"});
  refuse_plain("Image Index\n1.png\n", {"line 1", "only one column"});
}

TEST_F(PredictionsTest, PlainProbabilitiesMeetLabelColumns) {
  const std::string labels = write("path,Edema,Mass,sex\na,1,,F\nb,0,1,M\n", "labels.csv");
  const PredictionTable table = read_plain_predictions(write("path,mass\nb,0.5\na,0.25\n"), labels);
  EXPECT_EQ(table.labels[0], 1);
  EXPECT_TRUE(std::isnan(table.labels[1]));
  EXPECT_EQ(table.find("sex")->values, (std::vector<std::string>{"M", "F"}));
  expect_error([&] { read_plain_predictions(write("path,hernia\nb,0.5\n"), labels); }, ErrorKind::data,
               {"line 1", "'hernia'", "labels.csv"});
  const std::string wrong = write("path,mass\na,0\nb,2\n", "wrong.csv");
  expect_error([&] { read_plain_predictions(write("path,mass\nb,0.5\n"), wrong); }, ErrorKind::data,
               {"wrong.csv line 3", "column 'mass'", "not a label"});
}

TEST_F(PredictionsTest, ProbabilitiesAreReadWithoutTheTruth) {
  const ProbabilityTable plain = read_probabilities(write("path,Edema,Mass\nb,0.5,1\na,0.25,0\n"));
  EXPECT_EQ(plain.label_names, (std::vector<std::string>{"Edema", "Mass"}));
  EXPECT_EQ(plain.ids, (std::vector<std::string>{"b", "a"}));
  EXPECT_EQ(plain.probabilities, (std::vector<double>{0.5, 1, 0.25, 0}));
  // In a table with marked columns only those count, wherever the images are named.
  const ProbabilityTable marked = read_probabilities(write("age,id,label:x,probability:x,prob_y\n58,a,1,0.5,0.25\n"));
  EXPECT_EQ(marked.label_names, (std::vector<std::string>{"x", "y"}));
  EXPECT_EQ(marked.ids, std::vector<std::string>{"a"});
  const auto refuse_table = [&](const std::string& text, const std::vector<std::string>& words) {
    expect_error([&] { read_probabilities(write(text)); }, ErrorKind::data, words);
  };
  refuse_table("path\na\n", {"line 1", "only one column"});
  refuse_table("path,Mass\na,1.5\n", {"line 2", "column 'Mass'", "not a probability"});
  refuse_table("path,Mass\na,0.5\na,0.5\n", {"line 3", "twice"});
}

TEST_F(PredictionsTest, ProbabilitiesAreReadFromArrays) {
  const auto array = [](const char* part, const char* type, const char* shape, const std::string& data) {
    return std::pair{std::string(part) + "_teacher_probs.npy", npy(npy_header(type, shape), data)};
  };
  const auto read = [&](const Members& members) {
    return read_probabilities(write(stored_archive(members), "probs.npz"));
  };
  const auto train = array("train", "<f4", "(2, 3)", raw(std::vector<float>{0, 0.1f, 1, 0.5f, 0.25f, 0.125f}));
  const auto test = array("test", "<f8", "(1, 3)", raw(std::vector<double>{0.1, 0.2, 0.3}));
  const ProbabilityTable table = read({test, train});
  EXPECT_TRUE(table.label_names.empty());
  EXPECT_EQ(table.outputs(), 3u);
  EXPECT_EQ(table.ids, (std::vector<std::string>{"train/0", "train/1", "test/0"}));
  EXPECT_EQ(table.probabilities,
            (std::vector<double>{0, static_cast<double>(0.1f), 1, 0.5, 0.25, 0.125, 0.1, 0.2, 0.3}));
  const auto refuse_arrays = [&](const Members& members, const std::vector<std::string>& words) {
    expect_error([&] { read(members); }, ErrorKind::data, words);
  };
  refuse_arrays({{"train_labels.npy", npy(npy_header("|u1", "(1, 1)"), "1")}}, {"probs.npz", "none of", "val_teacher"});
  refuse_arrays({train, array("val", "<f4", "(1, 2)", raw(std::vector<float>{0, 1}))},
                {"val_teacher_probs", "2 columns", "3"});
  refuse_arrays({array("val", "<f4", "(2,)", raw(std::vector<float>{0, 1}))}, {"val_teacher_probs", "not a table"});
  refuse_arrays({array("val", "<f4", "(0, 3)", "")}, {"val_teacher_probs", "not a table"});
  refuse_arrays({array("val", "|u1", "(1, 2)", "ab")}, {"val_teacher_probs", "'|u1'"});
  refuse_arrays({array("val", "<f4", "(1, 2)", raw(std::vector<float>{0, 1.5f}))}, {"row 0, column 1", "1.5"});
  refuse_arrays({array("val", "<f4", "(1, 2)", raw(std::vector<float>{unknown, 1}))}, {"row 0, column 0", "nan"});
}

}  // namespace
}  // namespace preceptor::test
