// PyTorch files: what is read of them, and hundreds of files that are refused with a reason.
#include "engine/files/torch_file.h"

#include <sys/resource.h>

#include <chrono>
#include <cmath>
#include <fstream>

#include "engine/files/weight_file.h"
#include "tests/engine/hostile_torch_files.h"
#include "tests/engine/support.h"

namespace preceptor {
namespace {

using namespace test;  // the words of torch_writer.h

class TorchFileTest : public testing::Test {
 protected:
  void write(const std::string& bytes) {
    std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }
  TorchFile load(const std::string& value, const Storages& storages = {{"0", six}}) {
    write(torch_archive(pickle(value), storages));
    return load_torch_file(path);
  }
  PlainTensor load_one(const View& view, const std::string& bytes = six) {
    return load(dict({{"a", tensor(view)}}), {{"0", bytes}}).checkpoint.tensors.at("a");
  }
  // True where it was read, false where it was refused as data; anything else fails.
  bool read_or_refused(const std::string& bytes) {
    write(bytes);
    try {
      load_weights(path);
      return true;
    } catch (const Error& error) {
      EXPECT_EQ(static_cast<int>(error.kind()), static_cast<int>(ErrorKind::data)) << error.what();
      EXPECT_NE(std::string(error.what()).find(path), std::string::npos) << error.what();
    }
    return false;
  }

  test::TemporaryFolder folder;
  std::string path = folder.file("model.pth");
};

TEST_F(TorchFileTest, AStateDict) {
  const std::string value = global("collections", "OrderedDict") + ")R(" + text("conv1.weight") + tensor(six_values) +
                            text("bn1.num_batches_tracked") + tensor({"LongStorage", "1", 1, 0, {}, {}}) + "u" +
                            dict({{"_metadata", dict({})}}) + "b";
  const TorchFile file = load(value, {{"0", six}, {"1", raw<std::int64_t>({7})}});
  ASSERT_EQ(file.checkpoint.tensors.size(), 1u);
  EXPECT_EQ(file.checkpoint.tensors.at("conv1.weight").shape, (Shape{2, 3}));
  EXPECT_EQ(file.checkpoint.tensors.at("conv1.weight").values, (std::vector<float>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(file.checkpoint.skipped, (std::vector<std::string>{"bn1.num_batches_tracked"}));
  EXPECT_EQ(file.place, "");
}

TEST_F(TorchFileTest, Wrappers) {
  for (const char* wrapper : {"state_dict", "model", "model_state_dict"}) {
    const TorchFile file = load(dict({{"epoch", number(-3)},
                                      {"arch", text("resnet18")},
                                      {"best", tensor(with_window(0, {}, {}))},
                                      {"labels", "](" + text("a") + text("b") + "e"},
                                      {"score", call("numpy.core.multiarray", "scalar", {})},
                                      {wrapper, dict({{"a", parameter(six_values)}})}}));
    EXPECT_EQ(file.place, wrapper);
    EXPECT_EQ(file.checkpoint.tensors.size(), 1u);
    EXPECT_EQ(file.checkpoint.tensors.at("a").values[5], 6);
    EXPECT_EQ(file.checkpoint.metadata, (Metadata{{"epoch", "-3"}, {"arch", "resnet18"}, {"labels", R"(["a","b"])"}}));
  }
}

TEST_F(TorchFileTest, AWholeModuleIsReadAsData) {
  const std::string inner = module("Conv2d", {{"weight", parameter(six_values)}, {"bias", "N"}},
                                   {{"count", tensor(with_window(2, {1}, {1}))}}, {});
  const TorchFile file =
      load(module("Sequential", {{"scale", tensor(with_window(1, {}, {}))}}, {}, {{"0", inner}, {"1", "N"}}));
  EXPECT_EQ(file.place, "a module of class torch.nn.Sequential");
  ASSERT_EQ(file.checkpoint.tensors.size(), 3u);
  EXPECT_EQ(file.checkpoint.tensors.at("0.weight").values[0], 1);
  EXPECT_EQ(file.checkpoint.tensors.at("0.count").values[0], 3);
  EXPECT_EQ(file.checkpoint.tensors.at("scale").values[0], 2);
}

TEST_F(TorchFileTest, ElementTypes) {
  const auto one = [&](const char* type, const std::string& bytes) {
    return load_one({type, "0", 2, 0, {2}, {1}}, bytes).values;
  };
  EXPECT_EQ(one("DoubleStorage", raw<double>({0.1, -2})), (std::vector<float>{0.1f, -2}));
  EXPECT_EQ(one("HalfStorage", raw<std::uint16_t>({0x3c00, 0x0001})), (std::vector<float>{1, 0x1p-24f}));
  EXPECT_EQ(one("BFloat16Storage", raw<std::uint16_t>({0x3f80, 0xc000})), (std::vector<float>{1, -2}));
  const std::vector<float> special = one("FloatStorage", raw<std::uint32_t>({0x7fa12345u, 0x80000000u}));
  EXPECT_EQ(bits(special), (std::vector<std::uint32_t>{0x7fa12345u, 0x80000000u}));
}

TEST_F(TorchFileTest, StridesOffsetsAndSharedStorages) {
  EXPECT_EQ(load_one(with_window(0, {3, 2}, {1, 3})).values, (std::vector<float>{1, 4, 2, 5, 3, 6}));
  EXPECT_EQ(load_one(with_window(4, {2}, {1})).values, (std::vector<float>{5, 6}));
  EXPECT_EQ(load_one(with_window(0, {2, 2}, {0, 5})).values, (std::vector<float>{1, 6, 1, 6}));
  EXPECT_EQ(load_one(with_window(1, {1, 2}, {1'000'000, 4})).values, (std::vector<float>{2, 6}));
  EXPECT_EQ(load_one(with_window(0, {0, 5}, {5, 1})).values, (std::vector<float>{}));
  EXPECT_EQ(load_one(with_window(5, {}, {})).values, (std::vector<float>{6}));
  const TorchFile shared = load(dict({{"a", tensor(six_values)}, {"b", tensor(with_window(3, {3}, {1}))}}));
  EXPECT_EQ(shared.checkpoint.tensors.at("b").values, (std::vector<float>{4, 5, 6}));
}

TEST_F(TorchFileTest, NewerProtocols) {
  const auto short_text = [](const std::string& value) { return "\x8c" + little_endian(value.size(), 1) + value; };
  const std::string rebuild = short_text("torch._utils") + short_text("_rebuild_tensor_v2") + "\x93\x94";
  const std::string type = short_text("torch") + short_text("FloatStorage") + "\x93";
  const std::string id = "(" + short_text("storage") + type + short_text("0") + short_text("cpu") + "K\x06tQ";
  const std::string value = "\x80\x04\x95" + little_endian(1000, 8) + "}\x94" + short_text("a") + rebuild + "(" + id +
                            std::string("K\0", 2) + "K\x06\x85K\x01\x85\x89}tRs.";
  write(torch_archive(value, {{"0", six}}));
  EXPECT_EQ(load_torch_file(path).checkpoint.tensors.at("a").values.size(), 6u);
}

TEST_F(TorchFileTest, TheFormatIsToldByContent) {
  write(torch_archive(pickle(dict({{"a", tensor(six_values)}})), {{"0", six}}));
  EXPECT_EQ(load_weights(path).format, "PyTorch zip archive");
  save_safetensors(path, {{"a", {{1}, {3}}}}, {});
  EXPECT_EQ(load_weights(path).format, "safetensors");
  EXPECT_EQ(load_weights(path).checkpoint.tensors.at("a").values[0], 3);
  // The length of a safetensors header may begin like a pickle.
  write(little_endian(128, 8) + "{}" + std::string(126, ' '));
  EXPECT_EQ(load_weights(path).format, "safetensors");
  write(pickle(dict({})));
  expect_error(ErrorKind::data, {path, "bare pickle"}, [&] { load_weights(path); });
  expect_error(ErrorKind::missing_input, {"nowhere"}, [&] { load_weights(folder.file("nowhere")); });
}

TEST_F(TorchFileTest, HostileFilesAreRefusedWithTheirReason) {
  const std::vector<Hostile> files = hostile_torch_files();
  EXPECT_GE(files.size(), 140u);
  for (const Hostile& file : files) {
    SCOPED_TRACE(file.name);
    write(file.bytes);
    expect_error(ErrorKind::data, {path, file.reason}, [&] { load_weights(path); });
  }
  std::printf("%zu hostile files refused\n", files.size());
}

// A stored member over another, as often as a directory has room: the file is small, what it asks for is not.
TEST_F(TorchFileTest, MembersOverEachOtherAreRefused) {
  const std::string big(1 << 20, 'x');
  std::string file = stored_archive({{"archive/data.pkl", big}});
  const std::size_t directory = file.find("PK\x01\x02"), end = file.find("PK\x05\x06");
  std::string entries;
  for (char number = '0'; number <= '9'; ++number) {
    std::string entry = file.substr(directory, end - directory);
    entry.back() = number;
    entries += entry;
  }
  file = file.substr(0, directory) + entries + "PK\x05\x06" + std::string(4, '\0') + little_endian(10, 2) +
         little_endian(10, 2) + little_endian(entries.size(), 4) + little_endian(directory, 4) + std::string(2, '\0');
  write(file);
  expect_error(ErrorKind::data, {path, "claim more packed bytes"}, [&] { load_weights(path); });
}

TEST_F(TorchFileTest, EveryPrefixAndEveryDamagedByteIsReadOrRefused) {
  const std::string data = pickle(
      dict({{"state_dict", dict({{"a", parameter(six_values)}, {"n", tensor({"LongStorage", "1", 1, 0, {}, {}})}})},
            {"epoch", number(3)}}));
  const Storages storages{{"0", six}, {"1", raw<std::int64_t>({7})}};
  const std::string whole = torch_archive(data, storages);
  ASSERT_TRUE(read_or_refused(whole));
  int cases = 0, read = 0;
  for (std::size_t length = 0; length < whole.size(); ++length, ++cases)
    EXPECT_FALSE(read_or_refused(whole.substr(0, length))) << length;
  for (std::size_t at = 0; at < whole.size(); ++at, ++cases) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0xff);
    read += read_or_refused(damaged);
  }
  // The archive is sound and the pickle is not, so that its reader is met and not the checksum.
  for (std::size_t at = 0; at < data.size(); ++at)
    for (const int value : {0x00, 0xff, static_cast<int>('('), static_cast<int>('R')}) {
      std::string damaged = data;
      damaged[at] = static_cast<char>(value);
      read += read_or_refused(torch_archive(damaged, storages));
      ++cases;
    }
  std::printf("%d damaged files, %d still readable\n", cases, read);
  EXPECT_GT(cases, 3000);
}

long peak_kibibytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

// The largest pickles of every kind of growth: values, stack, memo, marks, texts.
TEST_F(TorchFileTest, MemoryAndTimeStayBounded) {
  const auto started = std::chrono::steady_clock::now();
  const long before = peak_kibibytes();
  const auto repeated = [](const std::string& piece, std::size_t bytes = 8u << 20) {
    std::string all;
    while (all.size() < bytes) all += piece;
    return all;
  };
  const auto refuse = [&](const std::string& value, const std::string& reason) {
    write(torch_archive(pickle(value), {{"0", six}}));
    expect_error(ErrorKind::data, {path, reason}, [&] { load_weights(path); });
  };
  refuse(repeated(")"), "more than 1,000,000 values");
  refuse(repeated("("), "more than 1,000,000 marks");
  refuse("}q\x01" + repeated("h\x01"), "more than 1,000,000 values wait");
  std::string remembering = "}";
  for (std::uint32_t key = 0; key < 1'100'000; ++key) remembering += "r" + little_endian(key, 4);
  refuse(remembering, "remembered");
  refuse(repeated(text(std::string(1000, 'x')), 31u << 20), "more or less than one value");
  refuse(")" + repeated("\x85", 900'000), "neither a state dict nor a module");  // nested 900,000 deep
  // 60 levels that hold the next one twice: a walk along every path would never end.
  std::string modules = module("M", {}, {}, {});
  for (char level = 0; level < 60; ++level)
    modules = module("M", {}, {}, {{"a", modules + "q" + level}, {"b", std::string("h") + level}});
  refuse(modules, "more than 100000 modules");
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  std::printf("peak memory grew by %ld MiB, %.1f s\n", (peak_kibibytes() - before) / 1024, seconds);
  EXPECT_LT(peak_kibibytes() - before, 512 * 1024);
  EXPECT_LT(seconds, 60);
}

}  // namespace
}  // namespace preceptor
