// Whole tables in memory; what single rows may hold is table_test's.
#include "data/tables/csv.h"

#include "data/tables/table.h"
#include "npz_writer.h"

namespace preceptor::test {
namespace {

class CsvTest : public ::testing::Test {
 protected:
  CsvTable read(const std::string& text) {
    write_bytes(folder.file("table.csv"), text);
    return read_csv(folder.file("table.csv"));
  }

  TemporaryFolder folder;
};

TEST_F(CsvTest, ReadsFieldsAndLines) {
  const CsvTable table = read("id,name\r\n1,\"a, \"\"b\"\"\nc\"\r\n2,\r\n3,last");
  EXPECT_EQ(table.header, (std::vector<std::string>{"id", "name"}));
  ASSERT_EQ(table.rows.size(), 3u);
  EXPECT_EQ(table.rows[0], (std::vector<std::string>{"1", "a, \"b\"\nc"}));
  EXPECT_EQ(table.rows[1], (std::vector<std::string>{"2", ""}));
  EXPECT_EQ(table.rows[2][1], "last");
  EXPECT_EQ(table.lines, (std::vector<std::size_t>{2, 4, 5}));
  EXPECT_EQ(table.find("name"), 1u);
  EXPECT_EQ(table.find("Name"), 2u);
  EXPECT_NE(table.place(1, 1).find("table.csv line 4, column 'name'"), std::string::npos);
}

TEST_F(CsvTest, WrittenFieldsReadBack) {
  for (const std::string text : {"plain", "with,comma", "with \"quotes\"", "two\nlines", "", "cr\r"})
    EXPECT_EQ(read("x,y\n" + csv_field(text) + ",1\n").rows[0][0], text);
}

TEST_F(CsvTest, RefusesColumnsWithoutANameOfTheirOwn) {
  const auto refuse = [&](const std::string& text, const std::vector<std::string>& words) {
    expect_error([&] { read(text); }, ErrorKind::data, words);
  };
  refuse("id,,x\n", {"line 1", "column 2", "no name"});
  refuse("id,x,id\n", {"line 1", "'id'", "twice"});
  refuse("id,x\n1,2\n3\n", {"table.csv line 3"});
  expect_error([&] { read_csv(folder.file("absent.csv")); }, ErrorKind::missing_input, {"absent.csv"});
}

}  // namespace
}  // namespace preceptor::test
