// Files of torch.save before PyTorch 1.6: read, and refused with a reason.
#include <fstream>

#include "engine/files/weight_file.h"
#include "tests/engine/support.h"
#include "tests/support/torch_writer.h"

namespace preceptor {
namespace {

using namespace test;  // the words of torch_writer.h

// The number in every storage; its facts end with the view that it is of, none here.
const std::string three(reinterpret_cast<const char*>(std::vector<float>{1, 2, 3}.data()), 12);

std::string legacy_tensor(const std::string& key, std::int64_t elements, const std::string& view = "N") {
  const std::string id = tuple({text("storage"), global("torch.cuda", "FloatStorage"), text(key), text("cuda:0"),
                                number(elements), view}) +
                         "Q";
  return call("torch._utils", "_rebuild_tensor_v2", {id, number(0), numbers({elements}), numbers({1}), "\x89", "}"});
}

class LegacyTorchTest : public testing::Test {
 protected:
  WeightFile load(const std::string& bytes) {
    std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    return load_weights(path);
  }
  void refuse(const std::string& bytes, const std::string& reason) {
    SCOPED_TRACE(reason);
    expect_error(ErrorKind::data, {path, reason}, [&] { load(bytes); });
  }

  test::TemporaryFolder folder;
  std::string path = folder.file("model.pth.tar");
};

TEST_F(LegacyTorchTest, AStateDictOfPython2AndAModule) {
  // Python 2 gave an OrderedDict its items as a list of pairs.
  const std::string ordered = global("collections", "OrderedDict") + "](](" + text("a") + legacy_tensor("17", 3) +
                              "e](" + text("b") + legacy_tensor("4", 3) + "ee\x85R";
  const WeightFile file =
      load(legacy_torch_file(pickle(dict({{"state_dict", ordered}})), {{"4", three}, {"17", std::string(12, '\0')}}));
  EXPECT_EQ(file.format, "PyTorch file of before 1.6");
  EXPECT_EQ(file.place, "state_dict");
  EXPECT_EQ(file.checkpoint.tensors.at("a").values, (std::vector<float>{0, 0, 0}));
  EXPECT_EQ(file.checkpoint.tensors.at("b").values, (std::vector<float>{1, 2, 3}));

  const std::string type = tuple({text("module"), global("torchvision.models.densenet", "DenseNet"),
                                  text("densenet.py"), text("class ...")}) +
                           "Q";
  const std::string object = type + ")\x81" +
                             dict({{"_parameters", dict({{"w", legacy_tensor("0", 3)}})},
                                   {"_buffers", "}"},
                                   {"_modules", "}"},
                                   {"_backend", call("torch.nn.backends.thnn", "_get_thnn_function_backend", {})}}) +
                             "b";
  const WeightFile module_file = load(legacy_torch_file(pickle(object), {{"0", three}}));
  EXPECT_EQ(module_file.place, "a module of class torchvision.models.densenet.DenseNet");
  EXPECT_EQ(module_file.checkpoint.tensors.at("w").values, (std::vector<float>{1, 2, 3}));
}

TEST_F(LegacyTorchTest, HostileFilesAreRefusedWithTheirReason) {
  const std::string good = pickle(dict({{"a", legacy_tensor("0", 3)}}));
  const std::string head = legacy_magic + pickle("M\xe9\x03"), machine = pickle(dict({{"little_endian", "\x88"}}));
  refuse(legacy_magic, "the version");
  refuse(head, "the machine");
  refuse(head + pickle(dict({{"little_endian", "\x89"}})), "byte order");
  refuse(head + pickle("]"), "byte order");
  refuse(head + machine, "the object");
  refuse(head + machine + good, "the keys");
  refuse(head + machine + good + pickle("}"), "no list");
  refuse(head + machine + good +
             pickle("]K\x01"
                    "a"),
         "belongs to no tensor");
  refuse(head + machine + good + pickle("](" + text("0") + "e"), "ends before storage 0");
  refuse(head + machine + good + pickle("](" + text("0") + "e") + std::string(8, '\xff'), "beyond the end");
  refuse(legacy_torch_file(good, {}), "its storage 0 is missing");
  refuse(legacy_torch_file(good, {{"1", three}}), "storage 1 belongs to no tensor");
  refuse(legacy_torch_file(good, {{"0", three}, {"0", three}}), "given twice");
  refuse(legacy_torch_file(good, {{"0", three + three}}), "is not the 24 bytes");
  refuse(legacy_torch_file(good, {{"0", three}}) + "x", "1 bytes after");
  refuse(legacy_torch_file(pickle(dict({{"a", legacy_tensor("0", 3, text("part"))}})), {{"0", three}}), "five facts");
  refuse(legacy_torch_file(pickle(dict({{"a", legacy_tensor("0", 3)}, {"b", call("os", "system", {text("ls")})}})),
                           {{"0", three}}),
         "wants os.system called");
  refuse(legacy_torch_file(pickle(dict({{"a", legacy_tensor("0", 3)}, {"b", legacy_tensor("0", 2)}})), {{"0", three}}),
         "something else than tensor a");
  refuse(legacy_torch_file(pickle(global("collections", "OrderedDict") + "]K\x01"
                                                                         "a\x85R"),
                           {}),
         "than pairs");
  const std::string whole = legacy_torch_file(good, {{"0", three}});
  for (std::size_t length = legacy_magic.size(); length < whole.size(); ++length)
    expect_error(ErrorKind::data, {path}, [&] { load(whole.substr(0, length)); });
}

// One list given to a million OrderedDicts must not become a million copies.
TEST_F(LegacyTorchTest, AListIsUsedUpByItsDict) {
  std::string value = "](";
  for (int i = 0; i < 10'000; ++i) value += "K\x01K\x01\x86";
  value += "e\x85q\x01" + global("collections", "OrderedDict") + "q\x02";
  for (int i = 0; i < 300'000; ++i) value += "h\x02h\x01R";
  refuse(legacy_torch_file(pickle(value), {}), "more or less than one value");
}

}  // namespace
}  // namespace preceptor
