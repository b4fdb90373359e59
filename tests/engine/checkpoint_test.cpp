// safetensors: round trips, conversions, and files whose content is not to be trusted.
#include "engine/files/checkpoint.h"
#include "engine/files/file.h"

#include <fstream>
#include <limits>

#include "tests/engine/support.h"

namespace preceptor {
namespace {

using test::bits;
using test::expect_error;
using test::grid_values;

std::string little_endian(std::uint64_t value, int bytes = 8) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> (8 * i) & 255u);
  return text;
}

// A file with any header, true or not.
std::string file_of(const std::string& header, const std::string& data) {
  return little_endian(header.size()) + header + data;
}

std::string entry(const std::string& name, const std::string& type, const std::string& shape,
                  const std::string& offsets) {
  return "\"" + name + R"(":{"dtype":")" + type + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}";
}

// One tensor "a" of F32 over `bytes` bytes of zeros.
std::string one_tensor(const std::string& shape, const std::string& offsets, std::size_t bytes) {
  return file_of("{" + entry("a", "F32", shape, offsets) + "}", std::string(bytes, '\0'));
}

template <class T>
std::string raw(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

class CheckpointTest : public testing::Test {
 protected:
  void write(const std::string& bytes) {
    std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }
  PlainTensor load_one(const std::string& bytes, bool finite_only = true) {
    write(bytes);
    return load_safetensors(path, finite_only).tensors.at("a");
  }

  test::TemporaryFolder folder;
  std::string path = folder.file("model.safetensors");
};

TEST_F(CheckpointTest, RoundTripKeepsEveryBit) {
  StateDict tensors;
  tensors["special"] = {{2, 4},
                        {NAN, -NAN, INFINITY, -INFINITY, -0.0f, std::numeric_limits<float>::denorm_min(),
                         std::numeric_limits<float>::max(), std::bit_cast<float>(0x7fa12345u)}};
  tensors["layer1.0.conv1.weight"] = {{3, 5, 1, 7}, grid_values(105, 1)};
  tensors["scalar"] = {{}, {3}};
  tensors["empty"] = {{0, 4}, {}};
  tensors["name with \"quotes\", \\ and \xC3\xBC"] = {{1}, {1}};
  const Metadata metadata{{"model", "resnet18"}, {"note", "line\nbreak \"quoted\" \xE2\x82\xAC"}, {"nothing", ""}};
  save_safetensors(path, tensors, metadata);
  const Checkpoint loaded = load_safetensors(path, false);
  EXPECT_EQ(loaded.metadata, metadata);
  ASSERT_EQ(loaded.tensors.size(), tensors.size());
  for (const auto& [name, tensor] : tensors) {
    EXPECT_EQ(loaded.tensors.at(name).shape, tensor.shape) << name;
    EXPECT_EQ(bits(loaded.tensors.at(name).values), bits(tensor.values)) << name;
  }
  expect_error(ErrorKind::data, {path, "tensor special", "NaN or infinity"}, [&] { load_safetensors(path); });
  EXPECT_EQ(folder.names(), std::vector<std::string>{"model.safetensors"});
}

TEST_F(CheckpointTest, SameContentGivesTheSameBytes) {
  StateDict forwards, backwards;
  for (int i = 0; i < 20; ++i) forwards[message("t", i)] = {{3}, grid_values(3, static_cast<unsigned>(i))};
  for (int i = 20; i-- > 0;) backwards[message("t", i)] = forwards.at(message("t", i));
  save_safetensors(path, forwards, {{"a", "1"}, {"b", "2"}});
  const std::string bytes = read_file(path);
  save_safetensors(path, load_safetensors(path).tensors, {{"b", "2"}, {"a", "1"}});  // over the old file
  EXPECT_EQ(read_file(path), bytes);
  save_safetensors(path, backwards, {{"a", "1"}, {"b", "2"}});
  EXPECT_EQ(read_file(path), bytes);
  EXPECT_EQ(bytes[8], '{');
  EXPECT_EQ((bytes.size() - 20 * 3 * sizeof(float)) % 8, 0u);  // the values are aligned
}

TEST_F(CheckpointTest, NoTensorsAndNoMetadata) {
  save_safetensors(path, {}, {});
  EXPECT_TRUE(load_safetensors(path).tensors.empty());
  EXPECT_TRUE(load_safetensors(path).metadata.empty());
}

TEST_F(CheckpointTest, DoublesAreRounded) {
  const std::vector<double> values{0.1, -1e-50, 1.0 + 0x1p-24, 3e38};
  EXPECT_EQ(load_one(file_of("{" + entry("a", "F64", "[4]", "[0,32]") + "}", raw(values))).values,
            (std::vector<float>{0.1f, -0.0f, 1.0f, 3e38f}));
  const std::vector<double> large{1e39};
  const std::string file = file_of("{" + entry("a", "F64", "[1]", "[0,8]") + "}", raw(large));
  EXPECT_EQ(load_one(file, false).values[0], INFINITY);
  expect_error(ErrorKind::data, {"tensor a", "infinity"}, [&] { load_one(file); });
}

TEST_F(CheckpointTest, HalvesAreExact) {
  const std::vector<std::uint16_t> halves{0x0000, 0x8000, 0x3c00, 0xc000, 0x3555, 0x7bff,
                                          0x0400, 0x0001, 0x83ff, 0x7c00, 0xfc00};
  const std::vector<float> expected{
      0.0f, -0.0f, 1.0f, -2.0f, 1365 * 0x1p-12f, 65504.0f, 0x1p-14f, 0x1p-24f, -1023 * 0x1p-24f, INFINITY, -INFINITY};
  EXPECT_EQ(bits(load_one(file_of("{" + entry("a", "F16", "[11]", "[0,22]") + "}", raw(halves)), false).values),
            bits(expected));
  const std::vector<std::uint16_t> nan{0x7e00};
  EXPECT_TRUE(std::isnan(load_one(file_of("{" + entry("a", "F16", "[1]", "[0,2]") + "}", raw(nan)), false).values[0]));
}

TEST_F(CheckpointTest, BrainFloatsAreExact) {
  const std::vector<std::uint16_t> values{0x3f80, 0xc049, 0x0001, 0x8000, 0x7f80, 0x7fc0};
  const std::vector<std::uint32_t> expected{0x3f800000, 0xc0490000, 0x00010000, 0x80000000, 0x7f800000, 0x7fc00000};
  EXPECT_EQ(bits(load_one(file_of("{" + entry("a", "BF16", "[2,3]", "[0,12]") + "}", raw(values)), false).values),
            expected);
}

TEST_F(CheckpointTest, MixedTypesInAnyOrderOfTheHeader) {
  const std::string header =
      "{" + entry("b", "F32", "[1]", "[4,8]") + "," + entry("a", "BF16", "[2]", "[0,4]") + "}   ";
  write(file_of(header, raw(std::vector<std::uint16_t>{0x3f80, 0x4000}) + raw(std::vector<float>{7})));
  const StateDict tensors = load_safetensors(path).tensors;
  EXPECT_EQ(tensors.at("a").values, (std::vector<float>{1, 2}));
  EXPECT_EQ(tensors.at("b").values, (std::vector<float>{7}));
}

// torchvision's models count their training batches in whole numbers.
TEST_F(CheckpointTest, WholeNumbersAreSkippedByName) {
  const std::string header =
      "{" + entry("bn1.num_batches_tracked", "I64", "[]", "[0,8]") + "," + entry("a", "F32", "[1]", "[8,12]") + "}";
  write(file_of(header, raw(std::vector<std::int64_t>{7}) + raw(std::vector<float>{5})));
  const Checkpoint loaded = load_safetensors(path);
  EXPECT_EQ(loaded.tensors.at("a").values, (std::vector<float>{5}));
  EXPECT_EQ(loaded.tensors.size(), 1u);
  EXPECT_EQ(loaded.skipped, (std::vector<std::string>{"bn1.num_batches_tracked"}));
}

TEST_F(CheckpointTest, EveryPrefixOfAFileIsRefused) {
  save_safetensors(path, {{"a", {{2}, {1, 2}}}, {"b", {{1, 1}, {3}}}}, {{"model", "m"}});
  const std::string whole = read_file(path);
  for (std::size_t length = 0; length < whole.size(); ++length) {
    SCOPED_TRACE(length);
    write(whole.substr(0, length));
    expect_error(ErrorKind::data, {path}, [&] { load_safetensors(path); });
  }
  write(whole);
  EXPECT_EQ(load_safetensors(path).tensors.size(), 2u);
}

struct Hostile {
  std::string name, bytes, reason;
};

std::string with_header(const std::string& text, std::size_t bytes = 8) {
  return file_of(text, std::string(bytes, '\0'));
}

std::vector<Hostile> hostile_headers() {
  const std::string good = one_tensor("[2]", "[0,8]", 8), eight(8, '\0');
  return {
      {"header of 2^63 bytes", little_endian(1ull << 63) + good.substr(8), "does not fit"},
      {"header of 2^64 - 1 bytes", little_endian(~0ull) + good.substr(8), "does not fit"},
      {"header of 2^64 - 8 bytes", little_endian(~7ull) + good.substr(8), "does not fit"},
      {"header of 2^32 bytes", little_endian(1ull << 32) + good.substr(8), "does not fit"},
      {"header one byte too long", little_endian(good.size() - 7) + good.substr(8), "does not fit"},
      {"header of 0 bytes", little_endian(0) + eight, "no JSON object"},
      {"header shorter than the JSON", little_endian(20) + good.substr(8), "no JSON object"},
      {"header into the values", little_endian(good.size() - 8) + good.substr(8, good.size() - 16) + "xxxxxxxx",
       "no JSON object"},
      {"text", "this is no safetensors file at all", "does not fit"},
      {"zeros", std::string(64, '\0'), "no JSON object"},
      {"header is no JSON", with_header("{a:1}"), "no JSON object"},
      {"header is a list", with_header("[1,2]"), "no JSON object"},
      {"header is a number", with_header("17"), "no JSON object"},
      {"header with something after it", with_header("{} {}"), "no JSON object"},
      {"header of invalid UTF-8", with_header("{\"\xff\":1}"), "no JSON object"},
      {"deep lists", with_header(std::string(1'000'000, '[')), "no JSON object"},
      {"deep lists, closed", with_header(std::string(500'000, '[') + std::string(500'000, ']')), "no JSON object"},
      {"deep lists in an entry", with_header("{\"a\":" + std::string(500'000, '[') + std::string(500'000, ']') + "}"),
       "tensor a"},
  };
}

std::vector<Hostile> hostile_entries() {
  return {
      {"entry is a number", with_header(R"({"a":3})"), "is missing"},
      {"entry is null", with_header(R"({"a":null})"), "is missing"},
      {"no dtype", with_header(R"({"a":{"shape":[2],"data_offsets":[0,8]}})"), "is missing"},
      {"no shape", with_header(R"({"a":{"dtype":"F32","data_offsets":[0,8]}})"), "is missing"},
      {"no offsets", with_header(R"({"a":{"dtype":"F32","shape":[2]}})"), "is missing"},
      {"dtype of complex numbers", with_header("{" + entry("a", "C64", "[1]", "[0,8]") + "}"), "dtype"},
      {"unknown dtype", with_header("{" + entry("a", "", "[1]", "[0,8]") + "}"), "dtype"},
      {"dtype is a number", with_header(R"({"a":{"dtype":32,"shape":[2],"data_offsets":[0,8]}})"), "dtype"},
      {"dtype of another width", with_header("{" + entry("a", "F16", "[2]", "[0,8]") + "}"), "disagree"},
  };
}

std::vector<Hostile> hostile_shapes_and_offsets() {
  return {
      {"shape is no list", one_tensor("2", "[0,8]", 8), "no list"},
      {"shape of nine sizes", one_tensor("[2,1,1,1,1,1,1,1,1]", "[0,8]", 8), "no list"},
      {"negative size", one_tensor("[-2]", "[0,8]", 8), "no count"},
      {"two negative sizes", one_tensor("[-1,-2]", "[0,8]", 8), "no count"},
      {"fractional size", one_tensor("[2.0]", "[0,8]", 8), "no count"},
      {"size is text", one_tensor("[\"2\"]", "[0,8]", 8), "no count"},
      {"size of 2^31", one_tensor("[2147483648]", "[0,8]", 8), "no count"},
      {"size of 2^64", one_tensor("[18446744073709551616]", "[0,8]", 8), "no count"},
      {"product overflows", one_tensor("[2147483647,2147483647,4]", "[0,8]", 8), "larger than the file"},
      {"product is 2^64", one_tensor("[1073741824,1073741824,4,4]", "[0,8]", 8), "larger than the file"},
      {"product wraps to the right size", one_tensor("[1073741824,1073741824,16,2]", "[0,0]", 0), "larger"},
      {"shape too large", one_tensor("[3]", "[0,8]", 8), "larger than the file"},
      {"shape too small", one_tensor("[1]", "[0,8]", 8), "disagree"},
      {"offsets reversed", one_tensor("[2]", "[8,0]", 8), "outside the file"},
      {"end outside", one_tensor("[2]", "[0,9]", 8), "outside the file"},
      {"both outside", one_tensor("[2]", "[800,808]", 8), "outside the file"},
      {"end of 2^64 - 1", one_tensor("[2]", "[0,18446744073709551615]", 8), "outside the file"},
      {"negative offset", one_tensor("[2]", "[-8,0]", 8), "not two positions"},
      {"fractional offset", one_tensor("[2]", "[0.0,8]", 8), "not two positions"},
      {"offset of 2^64", one_tensor("[2]", "[0,18446744073709551616]", 8), "not two positions"},
      {"three offsets", one_tensor("[2]", "[0,8,8]", 8), "not two positions"},
  };
}

std::vector<Hostile> hostile_values() {
  const auto two = [](const std::string& first, const std::string& second, std::size_t bytes) {
    return with_header("{" + entry("a", "F32", "[2]", first) + "," + entry("b", "F32", "[2]", second) + "}", bytes);
  };
  const auto floats = [](std::uint32_t pattern) {
    return file_of("{" + entry("a", "F32", "[2]", "[0,8]") + "}",
                   raw(std::vector<std::uint32_t>{0x3f800000u, pattern}));
  };
  return {
      {"overlap", two("[0,8]", "[4,12]", 12), "overlaps"},
      {"two tensors at one place", two("[0,8]", "[0,8]", 8), "overlaps"},
      {"gap", two("[0,8]", "[12,20]", 20), "gap"},
      {"gap at the start", one_tensor("[2]", "[4,12]", 12), "gap"},
      {"bytes after the end", one_tensor("[2]", "[0,8]", 11), "3 bytes after"},
      {"bytes without a tensor", with_header("{}"), "8 bytes after"},
      {"name given twice", two("[0,8]", "[8,16]", 16).replace(8 + 2, 1, "b"), "gap"},
      {"metadata is a list", with_header(R"({"__metadata__":[]})", 0), "__metadata__"},
      {"metadata holds a number", with_header(R"({"__metadata__":{"a":1}})", 0), "__metadata__"},
      {"metadata holds an object", with_header(R"({"__metadata__":{"a":{}}})", 0), "__metadata__"},
      {"NaN", floats(0x7fc00000u), "NaN or infinity"},
      {"infinity", floats(0xff800000u), "NaN or infinity"},
  };
}

TEST_F(CheckpointTest, HostileFilesAreRefusedWithTheirReason) {
  std::size_t count = 0;
  for (const auto& files : {hostile_headers(), hostile_entries(), hostile_shapes_and_offsets(), hostile_values()})
    for (const Hostile& file : files) {
      SCOPED_TRACE(file.name);
      write(file.bytes);
      expect_error(ErrorKind::data, {path, file.reason}, [&] { load_safetensors(path); });
      ++count;
    }
  EXPECT_GE(count, 40u);
}

TEST_F(CheckpointTest, LongNamesDoNotFloodTheMessage) {
  write(file_of("{" + entry(std::string(100'000, 'x'), "F32", "[2]", "[0,9]") + "}", std::string(8, '\0')));
  try {
    load_safetensors(path);
    FAIL();
  } catch (const Error& error) {
    EXPECT_LT(std::string(error.what()).size(), 1000u);
  }
}

TEST_F(CheckpointTest, MissingFilesAndFoldersAreToldApart) {
  expect_error(ErrorKind::missing_input, {path}, [&] { load_safetensors(path); });
  expect_error(ErrorKind::missing_input, {"nowhere"}, [&] { read_file(folder.file("nowhere/model")); });
  expect_error(ErrorKind::io, {folder.path().string()}, [&] { load_safetensors(folder.path().string()); });
  expect_error(ErrorKind::io, {folder.path().string()}, [&] { read_file(folder.path().string()); });
}

TEST_F(CheckpointTest, AnyBytesAreWrittenAndReadBack) {
  for (const std::string& bytes : {std::string(), std::string(3, '\0'), std::string(1 << 20, 'x')}) {
    write_file_atomically(path, bytes);
    EXPECT_EQ(read_file(path), bytes);
  }
  EXPECT_EQ(folder.names(), std::vector<std::string>{"model.safetensors"});
}

TEST_F(CheckpointTest, FailedWritesLeaveTheOldFileAndNothingElse) {
  const StateDict tensors{{"a", {{1}, {1}}}};
  expect_error(ErrorKind::io, {"nowhere"}, [&] { save_safetensors(folder.file("nowhere/model"), tensors, {}); });
  // A folder stands where the file should appear: everything but the last step works.
  std::filesystem::create_directory(folder.file("taken"));
  expect_error(ErrorKind::io, {"taken"}, [&] { save_safetensors(folder.file("taken"), tensors, {}); });
  EXPECT_EQ(folder.names(), std::vector<std::string>{"taken"});
  // A folder stands where the temporary file should.
  write("old");
  std::filesystem::create_directory(path + ".tmp");
  expect_error(ErrorKind::io, {path + ".tmp"}, [&] { save_safetensors(path, tensors, {}); });
  EXPECT_EQ(read_file(path), "old");
  // A folder in which no user, not even root, can create a file.
  expect_error(ErrorKind::io, {"/proc/model.tmp: cannot be created"},
               [&] { save_safetensors("/proc/model", tensors, {}); });
}

}  // namespace
}  // namespace preceptor
