// Tables: what the reader takes as spreadsheets write it, and where it says what is wrong.
#include "data/tables/table.h"

#include <zlib.h>

#include <chrono>

#include "tests/data/real_data.h"

namespace preceptor::test {
namespace {

using Rows = std::vector<std::vector<std::string>>;

class TableTest : public ::testing::Test {
 protected:
  // The header, then every row.
  Rows read(const std::string& text) {
    write_bytes(path, text);
    TableReader table(path);
    Rows rows = {table.header()};
    while (table.next()) {
      rows.emplace_back();
      for (std::size_t i = 0; i < table.header().size(); ++i) rows.back().emplace_back(table.field(i));
    }
    return rows;
  }
  void refuse(const std::string& text, const std::vector<std::string>& words) {
    SCOPED_TRACE(text.substr(0, 80));
    expect_error([&] { read(text); }, ErrorKind::data, words);
  }

  TemporaryFolder folder;
  std::string path = folder.file("table.csv");
};

TEST_F(TableTest, ReadsWhatSpreadsheetsWrite) {
  const Rows plain = {{"a", "b"}, {"1", "x y"}, {"", "2"}};
  EXPECT_EQ(read("a,b\n1,x y\n,2\n"), plain);
  EXPECT_EQ(read("a,b\n1,x y\n,2"), plain) << "no end of the last line";
  EXPECT_EQ(read("a,b\r\n1,x y\r\n,2\r\n"), plain) << "CRLF";
  EXPECT_EQ(read("\xEF\xBB\xBF"
                 "a,b\n1,x y\n,2\n"),
            plain)
      << "byte order mark";
  EXPECT_EQ(read("a\tb\n1\tx y\n\t2\n"), plain) << "TSV";
  EXPECT_EQ(read("\na,b\n\n1,x y\n\r\n,2\n\n\n"), plain) << "empty lines";
  EXPECT_EQ(read("a,b,\n1,x y,\n,2,\n"), plain) << "a comma at the end of every line";
  EXPECT_EQ(read("a,b\n"), (Rows{{"a", "b"}}));
}

TEST_F(TableTest, Quotes) {
  EXPECT_EQ(read("\"a\",\"b, c\"\n\"1\",\"say \"\"no\"\"\"\n"), (Rows{{"a", "b, c"}, {"1", "say \"no\""}}));
  EXPECT_EQ(read("a,b\r\n\"two\r\nlines\",3\r\n"), (Rows{{"a", "b"}, {"two\nlines", "3"}}));
  EXPECT_EQ(read("a,b\n5\" x,\"\"\n"), (Rows{{"a", "b"}, {"5\" x", ""}}));
  EXPECT_EQ(read("a,b\n\"\",\"\"\n"), (Rows{{"a", "b"}, {"", ""}}));
  for (const std::string text : {"plain", "a,b", "say \"no\"", "two\nlines", ""})
    EXPECT_EQ(read("a,b\n1," + csv_field(text) + "\n")[1][1], text);
}

TEST_F(TableTest, LinesAreCountedThroughQuotesAndEmptyLines) {
  write_bytes(path, "a,b\n\n\"x\ny\nz\",1\n7,oops\n");
  TableReader table(path);
  ASSERT_TRUE(table.next());
  EXPECT_EQ(table.line(), 3);
  EXPECT_EQ(table.number(1), 1);
  ASSERT_TRUE(table.next());
  EXPECT_EQ(table.line(), 6);
  expect_error([&] { table.number(1); }, ErrorKind::data, {path + " line 6, column 2 (b): 'oops' is not a number"});
  EXPECT_FALSE(table.next());
  EXPECT_FALSE(table.next());
}

TEST_F(TableTest, NumbersAreFinite) {
  for (const char* text : {"", "nan", "inf", "1e999", "1,5", " 1", "0x10"}) {
    write_bytes(path, std::string("a\tb\n1\t") + text + "\n");
    TableReader table(path);
    ASSERT_TRUE(table.next());
    expect_error([&] { table.number(1); }, ErrorKind::data, {"line 2, column 2 (b)", "not a number"});
  }
}

TEST_F(TableTest, RefusesWhatIsNoTable) {
  refuse("", {path, "is empty"});
  refuse("\n\n\n", {"is empty"});
  refuse(",,\n1,2,3\n", {"line 1", "names no columns"});
  refuse("a,b\n1\n", {"line 2", "1 fields", "2 columns"});
  refuse("a,b\n1,2\n1,2,3\n", {"line 3", "3 fields"});
  refuse("a,b\n1,\"2\n3,4\n", {"line 2", "does not end"});
  refuse("a,b\n1,\"2\"3\n", {"line 2, column 2", "closing quote"});
  refuse("a,b\n" + std::string((1 << 20) + 5, 'x') + ",1\n", {"line 2", "2^20 bytes"});
  refuse("a,b\n\"" + std::string(1 << 19, '\n') + std::string(1 << 19, 'y') + "xx", {"line 2", "2^20 bytes"});
  refuse(std::string(5000, ','), {"line 1", "2^12 fields"});
  refuse("\"a\"" + std::string(5000, ','), {"line 1", "2^12 fields"});
  refuse(std::string("\xFF\xFE"
                     "a\0,\0",
                     6),
         {"UTF-16"});
  expect_error([&] { TableReader(folder.file("none.csv")); }, ErrorKind::missing_input, {"none.csv"});
  expect_error([&] { TableReader(folder.file("")); }, ErrorKind::data, {"is a folder"});
}

TEST_F(TableTest, ColumnsAreFoundByName) {
  write_bytes(path, "a,b,b\n1,2,3\n");
  const TableReader table(path);
  EXPECT_EQ(table.require_column("a"), 0u);
  EXPECT_FALSE(table.find("c").has_value());
  expect_error([&] { table.require_column("c"); }, ErrorKind::data, {path + " line 1", "'c'", "a, b, b"});
  expect_error([&] { table.find("b"); }, ErrorKind::data, {"two columns are called 'b'"});
}

void write_gzip(const std::string& path, const std::string& text) {
  const gzFile file = ::gzopen(path.c_str(), "wb");
  ASSERT_EQ(::gzwrite(file, text.data(), static_cast<unsigned>(text.size())), static_cast<int>(text.size()));
  ::gzclose(file);
}

TEST_F(TableTest, ReadsGzip) {
  std::string text = "a,b\n";
  for (int i = 0; i < 100000; ++i) text += std::to_string(i) + "," + std::to_string(i * 7 % 1000) + "\n";
  write_gzip(path, text);
  TableReader table(path);
  int rows = 0;
  for (; table.next(); ++rows) ASSERT_EQ(table.field(1), std::to_string(rows * 7 % 1000));
  EXPECT_EQ(rows, 100000);
  const std::string packed = read_bytes(path);
  write_bytes(path, packed.substr(0, packed.size() / 2));
  expect_error(
      [&] {
        TableReader torn(path);
        while (torn.next()) {
        }
      },
      ErrorKind::data, {path, "cannot be read any further"});
}

TEST(RealTable, AllRowsOfChestXray14InUnderASecond) {
  const std::string path = real_file("nih_meta/Data_Entry_2017_v2020.csv.gz");
  if (!std::filesystem::exists(path)) GTEST_SKIP() << path << " is absent; set PRECEPTOR_DATA";
  const auto begin = std::chrono::steady_clock::now();
  TableReader table(path);
  const std::size_t findings = table.require_column("Finding Labels");
  int rows = 0, hernias = 0;
  for (; table.next(); ++rows) hernias += table.field(findings).find("Hernia") != std::string_view::npos;
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  EXPECT_EQ(rows, 112120);
  EXPECT_EQ(hernias, 227);
  EXPECT_LT(seconds.count(), 1);
}

}  // namespace
}  // namespace preceptor::test
