// Npz: sound files of every storage form, and files that lie about themselves.
#include "data/storage/npz.h"

#include "npz_writer.h"

namespace preceptor::test {
namespace {

class NpzTest : public ::testing::Test {
 protected:
  // A file whose one member `x` holds these bytes.
  std::string with_member(const std::string& content, int method = ZIP_CM_DEFLATE) {
    const std::string path = folder.file("file.npz");
    write_zip(path, {{"x.npy", content}}, method);
    return path;
  }

  void expect_refused(const std::string& path, const std::string& reason) {
    expect_error([&] { Npz(path).read("x"); }, ErrorKind::data, {path, "x", reason});
  }

  void expect_header_refused(const std::string& header, const std::string& reason) {
    SCOPED_TRACE(header);
    expect_refused(with_member(npy(header, "123456")), reason);
  }

  TemporaryFolder folder;
  const std::string six_bytes = npy(npy_header("|u1", "(2, 3)"), "abcdef");
};

TEST_F(NpzTest, ReadsStoredAndDeflatedMembers) {
  for (const int method : {ZIP_CM_STORE, ZIP_CM_DEFLATE}) {
    const Npz file(with_member(six_bytes, method));
    const Array array = file.read("x");
    EXPECT_EQ(array.shape, (std::vector<std::int64_t>{2, 3}));
    EXPECT_EQ(array.dtype, "|u1");
    EXPECT_EQ(integers(array, "x"), (std::vector<std::int64_t>{'a', 'b', 'c', 'd', 'e', 'f'}));
    EXPECT_EQ(file.names(), std::vector<std::string>{"x"});
  }
}

TEST_F(NpzTest, ReadsZip64Members) {
  const std::string path = folder.file("zip64.npz");
  for (const Zip64 form : {Zip64::none, Zip64::local, Zip64::everywhere}) {
    write_bytes(path, stored_zip("x.npy", six_bytes, form));
    EXPECT_EQ(Npz(path).read("x").bytes.size(), 6u) << static_cast<int>(form);
  }
}

TEST_F(NpzTest, ReadsHeaderVersionsOneToThree) {
  for (const int version : {1, 2, 3}) {
    EXPECT_EQ(Npz(with_member(npy(npy_header("<u1", "(6,)"), "abcdef", version))).read("x").shape[0], 6);
  }
  expect_refused(with_member(npy(npy_header("<u1", "(6,)"), "abcdef", 4)), "version 4");
}

TEST_F(NpzTest, ReadsEveryIntegerType) {
  const auto only = [&](const std::string& dtype, const std::string& data) {
    return integers(Npz(with_member(npy(npy_header(dtype, "(2,)"), data))).read("x"), "x");
  };
  using Numbers = std::vector<std::int64_t>;
  EXPECT_EQ(only("|b1", raw<std::uint8_t>({0, 1})), (Numbers{0, 1}));
  EXPECT_EQ(only("|i1", raw<std::int8_t>({-3, 100})), (Numbers{-3, 100}));
  EXPECT_EQ(only("<u2", raw<std::uint16_t>({65535, 1})), (Numbers{65535, 1}));
  EXPECT_EQ(only("<i2", raw<std::int16_t>({-300, 1})), (Numbers{-300, 1}));
  EXPECT_EQ(only("<u4", raw<std::uint32_t>({4000000000u, 1})), (Numbers{4000000000, 1}));
  EXPECT_EQ(only("<i4", raw<std::int32_t>({-70000, 1})), (Numbers{-70000, 1}));
  EXPECT_EQ(only("<i8", raw<std::int64_t>({-5000000000, 1})), (Numbers{-5000000000, 1}));
  EXPECT_EQ(only("<u8", raw<std::uint64_t>({5000000000u, 1})), (Numbers{5000000000, 1}));
  expect_error([&] { only("<u8", raw<std::uint64_t>({~0ull, 1})); }, ErrorKind::data, {"element 0"});
  expect_error([&] { only("<f4", raw<float>({1, 2})); }, ErrorKind::data, {"<f4", "whole numbers"});
}

TEST_F(NpzTest, ReadsScalarsAndEmptyArrays) {
  EXPECT_EQ(Npz(with_member(npy(npy_header("<f8", "()"), raw<double>({1.5})))).read("x").bytes.size(), 8u);
  EXPECT_EQ(Npz(with_member(npy(npy_header("<f8", "(0, 9223372036854775807)"), ""))).read("x").bytes.size(), 0u);
}

TEST_F(NpzTest, NamesMissingFilesMembersAndFolders) {
  expect_error([&] { Npz(folder.file("absent.npz")); }, ErrorKind::missing_input, {"absent.npz", "no such file"});
  expect_error([&] { Npz(folder.file("")); }, ErrorKind::io, {"regular file"});
  const std::string path = with_member(six_bytes);
  expect_error([&] { Npz(path).read("y"); }, ErrorKind::data, {path, "member y", "missing", "present: x"});
}

TEST_F(NpzTest, RefusesWhatIsNoZip) {
  const std::string path = folder.file("file.npz");
  for (const std::string& bytes : {std::string(), std::string("PK"), std::string(500, 'z'), six_bytes}) {
    write_bytes(path, bytes);
    expect_error([&] { Npz{path}; }, ErrorKind::data, {path});
  }
}

// Every cut of a small file must end in an Error, never in a crash or a wrong array.
TEST_F(NpzTest, RefusesEveryTruncation) {
  const std::string whole = read_bytes(with_member(six_bytes));
  const std::string path = folder.file("cut.npz");
  for (std::size_t length = 0; length < whole.size(); ++length) {
    write_bytes(path, whole.substr(0, length));
    EXPECT_THROW(Npz(path).read("x"), Error) << length;
  }
}

// Any single damaged byte either leaves the array whole (a time stamp) or is an Error.
TEST_F(NpzTest, SurvivesEveryDamagedByte) {
  const std::string whole = read_bytes(with_member(six_bytes));
  const std::string path = folder.file("damaged.npz");
  int refused = 0;
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (const char flip : {'\x01', '\x80', '\xFF'}) {
      std::string damaged = whole;
      damaged[at] = static_cast<char>(damaged[at] ^ flip);
      write_bytes(path, damaged);
      try {
        EXPECT_EQ(integers(Npz(path).read("x"), "x").front(), 'a') << at;
      } catch (const Error&) {
        ++refused;
      }
    }
  }
  EXPECT_GT(refused, static_cast<int>(whole.size()));
}

TEST_F(NpzTest, RefusesWrongMagicAndLength) {
  std::string wrong = six_bytes;
  wrong[0] = 'N';
  expect_refused(with_member(wrong), "not a .npy array");
  expect_refused(with_member("\x93NUM"), "ends after 4 bytes");
  const std::string huge = std::string("\x93NUMPY\x02", 7) + '\0' + little_endian(0xFFFFFFF0u, 4) + "{}";
  expect_refused(with_member(huge), "array header of 4294967280 bytes");
}

TEST_F(NpzTest, RefusesHeadersThatLieAboutTheShape) {
  expect_header_refused(npy_header("|u1", "(7,)"), "asks for 7 bytes of numbers, the member holds 6");
  expect_header_refused(npy_header("|u1", "(5,)"), "asks for 5 bytes");
  expect_header_refused(npy_header("<i8", "(4294967296, 4294967296, 4294967296)"), "more than");
  expect_header_refused(npy_header("<i8", "(9223372036854775807,)"), "more than");
  expect_header_refused(npy_header("|u1", "(99999999999999999999,)"), "column");
  expect_header_refused(npy_header("|u1", "(-6, -1)"), "column");
}

TEST_F(NpzTest, RefusesHeadersItCannotHonour) {
  expect_header_refused(npy_header("|u1", "(6,)", "True"), "Fortran order");
  expect_header_refused(npy_header(">i2", "(3,)"), "big-endian");
  expect_header_refused(npy_header("|O", "(6,)"), "'|O' is not supported");
  expect_header_refused(npy_header("<c8", "(6,)"), "not supported");
  expect_header_refused(npy_header("<U6", "(1,)"), "not supported");
  expect_header_refused("{'descr': [('a', '|u1')], 'fortran_order': False, 'shape': (6,)}", "quoted word");
  expect_header_refused("{'descr': '|u1', 'shape': (6,)}", "lacks");
  expect_header_refused("{'descr': '|u1', 'descr': '|u1', 'fortran_order': False, 'shape': (6,)}", "twice");
  expect_header_refused("{'descr': '|u1', 'evil': False, 'shape': (6,)}", "unknown");
  expect_header_refused("{'descr': '|u1', 'fortran_order': __import__('os'), 'shape': (6,)}", "True or False");
  expect_header_refused("{'descr': '|u1", "does not end");
  expect_header_refused(npy_header("|u1", "(6,)") + "x", "nothing more");
  expect_header_refused("", "'{' expected");
}

TEST_F(NpzTest, RefusesSizesThatCannotBeTrue) {
  // The directory claims 1 TiB, and so does the array header.
  const std::string liar = npy(npy_header("|u1", "(40000000000,)"), "abcdef");
  std::string bytes = read_bytes(with_member(liar));
  const std::size_t directory = bytes.find("PK\x01\x02");
  ASSERT_NE(directory, std::string::npos);
  bytes.replace(directory + 24, 4, little_endian(0xFFFFFFF0u, 4));
  const std::string path = folder.file("bomb.npz");
  write_bytes(path, bytes);
  expect_refused(path, "packed bytes cannot hold");
}

TEST_F(NpzTest, RefusesAWrongChecksum) {
  std::string bytes = read_bytes(with_member(six_bytes, ZIP_CM_STORE));
  const std::size_t at = bytes.find("abcdef");
  ASSERT_NE(at, std::string::npos);
  bytes[at] = 'b';
  const std::string path = folder.file("crc.npz");
  write_bytes(path, bytes);
  expect_refused(path, "CRC");
}

TEST_F(NpzTest, RefusesAMemberGivenTwice) {
  const std::string path = folder.file("twice.npz");
  write_zip(path, {{"x.npy", six_bytes}, {"y.npy", six_bytes}});
  std::string bytes = read_bytes(path);
  for (std::size_t at = bytes.find("y.npy"); at != std::string::npos; at = bytes.find("y.npy")) bytes[at] = 'x';
  write_bytes(path, bytes);
  expect_error([&] { Npz{path}; }, ErrorKind::data, {"x.npy appears twice"});
}

// A member of zeros is packed a thousandfold and still sound.
TEST_F(NpzTest, ReadsArraysOfZeros) {
  const std::string zeros(3'000'000, '\0');
  EXPECT_EQ(Npz(with_member(npy(npy_header("|u1", "(3000000,)"), zeros))).read("x").bytes.size(), zeros.size());
}

}  // namespace
}  // namespace preceptor::test
