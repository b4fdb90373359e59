// PyTorch files: what is read of them, and hundreds of files that are refused with a reason.
#include "engine/files/torch_file.h"

#include <sys/resource.h>

#include <chrono>
#include <cmath>
#include <fstream>

#include "engine/files/weight_file.h"
#include "tests/engine/support.h"
#include "tests/support/torch_writer.h"

namespace preceptor {
namespace {

using namespace test;  // the words of torch_writer.h

template <class T>
std::string raw(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

const std::string six = raw<float>({1, 2, 3, 4, 5, 6});
const View six_values{"FloatStorage", "0", 6, 0, {2, 3}, {3, 1}};

View with_window(std::int64_t offset, std::vector<std::int64_t> sizes, std::vector<std::int64_t> strides) {
  return {"FloatStorage", "0", 6, offset, std::move(sizes), std::move(strides)};
}

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

struct Hostile {
  std::string name, bytes, reason;
};

// Pickles that break the rules of the format, of the machine, or of PyTorch.
std::vector<Hostile> hostile_pickles() {
  std::vector<Hostile> files;
  const auto add = [&](const std::string& name, const std::string& data, const std::string& reason) {
    files.push_back({name, torch_archive(data, {{"0", six}}), reason});
  };
  const auto view = [&](const std::string& name, const View& bad, const std::string& reason) {
    add(name, pickle(dict({{"a", tensor(bad)}})), reason);
  };
  add("posix.system", pickle(call("posix", "system", {text("echo broken > /tmp/broken")})),
      "wants posix.system called");
  add("builtins.eval within a state dict",
      pickle(dict({{"a", tensor(six_values)}, {"b", call("builtins", "eval", {text("1")})}})), "builtins.eval");
  add("a call hidden on a dict's state", pickle(dict({{"a", tensor(six_values)}}) + call("os", "remove", {}) + "b"),
      "os.remove");
  add("a call with a computed callee", pickle(text("os.system") + ")R"), "without a name");
  add("call without arguments", pickle(global("collections", "OrderedDict") + "R"), "not there");
  add("call of something twice", pickle(global("os", "system") + "]R"), "without a name");
  for (const char code : std::string("ILSVFld012gpPio\x8b\x8d\x8e\x8f\x90\x91\x92\x96\x97\x98\x82\x83\x84"))
    add("opcode " + std::to_string(static_cast<unsigned char>(code)),
        pickle(std::string(1, code) + std::string(20, 'x')), "is no instruction that weights need");
  for (const int code : {0, 1, 10, 33, 64, 127, 0x99, 0xff})
    add("unknown opcode " + std::to_string(code), pickle(std::string(1, static_cast<char>(code))),
        "there is no such instruction");
  for (const char code : std::string("QRbsuaeteq.\x81\x85\x86\x87\x93\x94"))
    add("opcode on an empty stack " + std::to_string(static_cast<unsigned char>(code)),
        pickle(std::string(1, code) + std::string(1, '\0')), "pickle byte 2");
  for (const char code : std::string("JKMGXTUBChjqr\x8a\x8c\x95"))
    add("operand cut off " + std::to_string(static_cast<unsigned char>(code)), "\x80\x02" + std::string(1, code),
        "beyond the end");
  add("no bytes", "", "beyond the end");
  add("no STOP", "\x80\x02}", "beyond the end");
  add("protocol 0", std::string("\x80\0}.", 4), "protocols 2 to 5");
  add("protocol 6", "\x80\x06}.", "protocols 2 to 5");
  add("protocol declared late", pickle("\x80\x02}"), "protocols 2 to 5");
  add("two values", pickle("}}"), "more or less than one value");
  add("open mark", pickle("(}"), "more or less than one value");
  add("bytes behind the end", pickle("}") + "N", "follow the end");
  add("text of 4 GiB", "\x80\x02X\xff\xff\xff\xff.", "beyond the end");
  add("global without an end", pickle("c" + std::string(100'000, 'x')), "a name has no end");
  add("unknown memo", pickle("h\x05"), "never remembered");
  add("number of 80 bits", pickle("\x8a\x0a" + std::string(10, '\x01')), "64 bits");
  add("odd items", pickle("}(" + text("a") + "u"), "a key has no value");
  add("items of a number", pickle("K\x01" + text("a") + "K\x01s"), "no dict");
  add("append to a tuple",
      pickle(")K\x01"
             "a"),
      "no list");
  add("state of a number", pickle("K\x01}b"), "no object");
  add("state twice", pickle(global("torch.nn", "Module") + ")\x81}b}b"), "twice");
  add("object of a text", pickle(text("a") + ")\x81"), "no class");
  add("global of numbers", pickle("K\x01K\x01\x93"), "no text");
  add("the root is a number", pickle("K\x01"), "neither a state dict nor a module");
  add("the root is a list", pickle("]"), "neither a state dict nor a module");
  add("the root is a tensor", pickle(tensor(six_values)), "neither a state dict nor a module");
  add("an empty dict", pickle("}"), "holds no tensors");
  add("no tensors", pickle(dict({{"a", text("b")}})), "holds no tensors");
  add("a wrapper of itself", pickle("}q\x01" + text("model") + "h\x01s"), "within themselves");
  add("a module within itself",
      pickle(global("torch.nn", "M") + ")\x81q\x01" +
             dict({{"_parameters", "}"}, {"_buffers", "}"}, {"_modules", dict({{"x", "h\x01"}})}}) + "b"),
      "within itself");
  add("a module without state", pickle(global("torch.nn", "M") + ")\x81"), "has no state");
  add("an object that is no module", pickle(global("argparse", "Namespace") + ")\x81}b"), "none of torch.nn");
  add("a module of a list", pickle(global("torch.nn", "M") + ")\x81]b"), "none of torch.nn");
  add("a module without buffers",
      pickle(global("torch.nn", "M") + ")\x81" + dict({{"_modules", "}"}, {"_parameters", "}"}}) + "b"),
      "torch.save(model.state_dict()");
  add("a parameter of text", pickle(module("M", {{"a", text("b")}}, {}, {})), "something else than tensors");
  add("a module of text", pickle(module("M", {}, {}, {{"a", text("b")}})), "something else than modules");
  add("a parameter of a parameter",
      pickle(dict({{"a", call("torch._utils", "_rebuild_parameter", {parameter(six_values), "\x88", "}"})}})),
      "parameter within a parameter");
  add("a parameter of nothing", pickle(dict({{"a", call("torch._utils", "_rebuild_parameter", {})}})),
      "without a tensor");
  add("a tensor of nothing", pickle(dict({{"a", call("torch._utils", "_rebuild_tensor_v2", {})}})), "is missing");
  add("a tensor of text",
      pickle(dict({{"a", call("torch._utils", "_rebuild_tensor_v2", {text("x"), number(0), ")", ")"})}})),
      "storage is none");
  add("a storage of text",
      pickle(dict({{"a", call("torch._utils", "_rebuild_tensor_v2", {text("x") + "Q", number(0), ")", ")"})}})),
      "five facts");
  add("a name given twice", pickle(dict({{"a", tensor(six_values)}, {"a", tensor(six_values)}})), "given twice");
  add("a name that is a number", pickle("}(K\x01" + tensor(six_values) + "u"), "no text");
  add("a name of 1 MB", pickle(dict({{std::string(1'000'000, 'x'), tensor(six_values)}})), "too long");
  view("storage of complex numbers", {"ComplexFloatStorage", "0", 6, 0, {1}, {1}}, "ComplexFloatStorage are not read");
  view("storage that is a function", {"load", "0", 6, 0, {1}, {1}}, "torch.load are not read");
  view("storage of another width", {"DoubleStorage", "0", 6, 0, {1}, {1}}, "is not the 24 bytes");
  view("storage longer than its member", {"FloatStorage", "0", 7, 0, {1}, {1}}, "is not the 24 bytes");
  view("storage shorter than its member", {"FloatStorage", "0", 5, 0, {1}, {1}}, "is not the 24 bytes");
  view("storage of 2^62 elements", {"FloatStorage", "0", 1ll << 62, 0, {1}, {1}}, "is not the 24 bytes");
  view("storage of -1 elements", {"FloatStorage", "0", -1, 0, {1}, {1}}, "wrong kinds");
  view("member that is not there", {"FloatStorage", "1", 6, 0, {1}, {1}}, "archive/data/1: is missing");
  view("member above the folder", {"FloatStorage", "../byteorder", 6, 0, {1}, {1}}, "is missing");
  view("empty key", {"FloatStorage", "", 6, 0, {1}, {1}}, "is missing");
  view("view too long", with_window(0, {7}, {1}), "beyond its storage");
  view("view too long by its offset", with_window(1, {2, 3}, {3, 1}), "beyond its storage");
  view("view too long by its stride", with_window(0, {2, 3}, {4, 1}), "beyond its storage");
  view("view behind its storage", with_window(6, {1}, {1}), "begins behind");
  view("offset of -1", with_window(-1, {1}, {1}), "no position");
  view("offset of 2^63 - 1", with_window(INT64_MAX, {2}, {1}), "begins behind");
  view("stride of -1", with_window(5, {2}, {-1}), "negative");
  view("stride of 2^63 - 1", with_window(0, {3}, {INT64_MAX}), "beyond its storage");
  view("size of -1", with_window(0, {-1}, {1}), "no count");
  view("size of 2^31", with_window(0, {1ll << 31}, {0}), "no count");
  view("sizes that multiply to 2^62", with_window(0, {1 << 30, 1 << 30, 4}, {0, 0, 0}), "twice the file's bytes");
  view("sizes that multiply to 2^64", with_window(0, {1 << 30, 1 << 30, 1 << 4}, {0, 0, 0}), "twice the file's bytes");
  view("a value repeated 10^9 times", with_window(0, {1'000'000'000}, {0}), "twice the file's bytes");
  view("nine dimensions", with_window(0, std::vector<std::int64_t>(9, 1), std::vector<std::int64_t>(9, 1)),
       "8 dimensions");
  view("fewer strides than sizes", with_window(0, {2, 3}, {1}), "8 dimensions");
  return files;
}

// Archives that lie about their members.
std::vector<Hostile> hostile_archives() {
  const std::string data = pickle(dict({{"a", tensor(six_values)}}));
  const Members good = torch_members(data, {{"0", six}});
  std::vector<Hostile> files;
  const auto add = [&](const std::string& name, Members members, const std::string& reason) {
    files.push_back({name, stored_archive(members), reason});
  };
  const auto replaced = [&](std::size_t index, const std::string& name, const std::string& content) {
    Members members = good;
    members[index] = {name, content};
    return members;
  };
  const auto with_member = [&](const std::string& name, const std::string& content) {
    Members members = good;
    members.push_back({name, content});
    return members;
  };
  add("no data.pkl", replaced(0, "archive/data.txt", data), "has 0 members");
  add("two data.pkl", with_member("other/data.pkl", data), "has 2 members");
  add("data.pkl without a folder", replaced(0, "data.pkl", data), "has 0 members");
  add("data.pkl deeper", replaced(0, "a/b/data.pkl", data), "has 0 members");
  add("another byte order", replaced(1, "archive/byteorder", "big"), "byte order");
  add("a long byte order", replaced(1, "archive/byteorder", std::string(100, 'x')), "more than the 16");
  add("TorchScript", with_member("archive/constants.pkl", data), "TorchScript");
  add("a member twice", with_member("archive/data/0", six), "appears twice");
  add("no storage", {good[0], good[1]}, "archive/data/0: is missing");
  add("a pickle of 33 MiB", replaced(0, "archive/data.pkl", std::string(33u << 20, ')')), "more than the 33554432");
  add("a shorter storage", replaced(2, "archive/data/0", six.substr(1)), "is not the 23 bytes");
  const std::string whole = stored_archive(good);
  const auto patched = [&](const std::string& name, const std::string& from, std::size_t skip, std::size_t offset,
                           const std::string& bytes, const std::string& reason) {
    std::string file = whole;
    std::size_t at = file.find(from);
    for (; skip > 0; --skip) at = file.find(from, at + 1);
    file.replace(at + offset, bytes.size(), bytes);
    files.push_back({name, file, reason});
  };
  const std::string central = "PK\x01\x02", local = "PK\x03\x04";
  // The third directory entry is data/0: method at 10, checksum at 16, sizes at 20 and 24, place of the member at 42.
  patched("a deflated member", central, 2, 10, little_endian(8, 2), "");
  patched("an encrypted member", central, 2, 8, little_endian(1, 2), "");
  patched("a member packed by lzma", central, 2, 10, little_endian(14, 2), "neither stored nor deflated");
  patched("a wrong checksum", central, 2, 16, little_endian(1, 4), "");
  patched("a member of 4 GB", central, 2, 20, little_endian(0xfffffff0u, 4) + little_endian(0xfffffff0u, 4), "");
  patched("a stored member that grows", central, 2, 24, little_endian(0x7fffffff, 4), "cannot hold");
  patched("a member over another", central, 2, 42, little_endian(0, 4), "");
  patched("a member outside the file", central, 2, 42, little_endian(0x7fffffff, 4), "");
  patched("a member in the directory", central, 2, 42, little_endian(whole.size() - 30, 4), "");
  patched("a directory outside the file", "PK\x05\x06", 0, 16, little_endian(0x7fffffff, 4), "");
  patched("a directory of 65,535 entries", "PK\x05\x06", 0, 8, "\xff\xff\xff\xff", "");
  patched("a member behind a long name", local, 2, 26, "\xff\xff", "");
  return files;
}

TEST_F(TorchFileTest, HostileFilesAreRefusedWithTheirReason) {
  std::vector<Hostile> files = hostile_pickles(), archives = hostile_archives();
  files.insert(files.end(), archives.begin(), archives.end());
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
