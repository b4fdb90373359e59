// ONNX files read back with a reader of their own: structure, names, weights, metadata. What runtimes compute from them
// is compared in tests/peers/onnx_parity.py.
#include "models/onnx.h"

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <set>

#include "models/registry.h"
#include "tests/models/statistics.h"

namespace preceptor {
namespace {

// A message of the wire format taken apart: values by field number.
struct Message {
  std::multimap<int, std::uint64_t> numbers;
  std::multimap<int, std::string> texts;  // also nested messages

  explicit Message(const std::string& wire) {
    for (std::size_t at = 0; at < wire.size();) {
      const std::uint64_t key = varint(wire, at);
      const int field = static_cast<int>(key >> 3u);
      if ((key & 7u) == 0) {
        numbers.emplace(field, varint(wire, at));
      } else if ((key & 7u) == 5) {
        at += 4;
      } else {
        EXPECT_EQ(key & 7u, 2u);
        const std::uint64_t length = varint(wire, at);
        EXPECT_LE(length, wire.size() - at);
        texts.emplace(field, wire.substr(at, length));
        at += length;
      }
    }
  }
  std::string text(int field) const { return texts.count(field) == 1 ? texts.find(field)->second : "?"; }
  std::uint64_t number(int field) const { return numbers.count(field) == 1 ? numbers.find(field)->second : 999; }
  std::vector<std::string> all(int field) const {
    std::vector<std::string> values;
    for (auto [at, end] = texts.equal_range(field); at != end; ++at) values.push_back(at->second);
    return values;
  }

 private:
  static std::uint64_t varint(const std::string& wire, std::size_t& at) {
    std::uint64_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
      const auto byte = static_cast<unsigned char>(wire.at(at++));
      value |= static_cast<std::uint64_t>(byte & 127u) << shift;
      if (byte < 128) return value;
    }
  }
};

LoadedModel model_of(Context& context, const std::string& name, Task task = Task::multi_class) {
  LoadedModel model;
  model.card.network = {.name = name, .in_channels = 3, .outputs = 2};
  model.card.task = task;
  model.card.height = 40;
  model.card.width = 48;
  model.card.mean = {0.5f, 0.4f, 0.3f};
  model.card.deviation = {0.2f, 0.25f, 0.125f};
  model.card.labels = {"healthy", "ill"};
  model.network = make_model(context, model.card.network);
  test::initialize_with_statistics(*model.network, 1);
  return model;
}

struct Read {
  Message file, graph;
  std::map<std::string, std::vector<float>> weights;
  std::vector<std::string> operators;
  std::map<std::string, std::string> producers;  // operator by output

  explicit Read(const std::string& bytes) : file(bytes), graph(file.text(7)) {
    std::set<std::string> known;
    for (const std::string& input : graph.all(11)) known.insert(Message(input).text(1));
    for (const std::string& wire : graph.all(5)) {
      const Message tensor(wire);
      const std::string raw = tensor.text(9);
      std::size_t elements = 1;
      for (const auto& [field, size] : tensor.numbers)
        if (field == 1) elements *= size;
      EXPECT_EQ(tensor.number(2), 1u);
      EXPECT_EQ(raw.size(), elements * sizeof(float)) << tensor.text(8);
      std::vector<float> values(elements);
      std::memcpy(values.data(), raw.data(), raw.size());
      EXPECT_TRUE(weights.emplace(tensor.text(8), std::move(values)).second) << tensor.text(8);
      known.insert(tensor.text(8));
    }
    for (const std::string& wire : graph.all(1)) {
      const Message node(wire);
      for (const std::string& input : node.all(1)) {
        EXPECT_TRUE(known.contains(input)) << node.text(3) << " reads " << input << ", which nothing made";
        used.insert(input);
      }
      EXPECT_TRUE(known.insert(node.text(2)).second) << node.text(2) << " is made twice";
      operators.push_back(node.text(4));
      producers[node.text(2)] = node.text(4);
    }
    for (const auto& [name, values] : weights) EXPECT_TRUE(used.contains(name)) << name << " is read by no node";
    for (const std::string& output : graph.all(12)) EXPECT_TRUE(producers.contains(Message(output).text(1)));
  }
  std::ptrdiff_t count(const char* op) const { return std::count(operators.begin(), operators.end(), op); }

 private:
  std::set<std::string> used;
};

TEST(Onnx, HoldsEveryParameterUnderItsName) {
  const auto context = Context::on_cpu(2, 0);
  for (const std::string& name : model_names()) {
    if (name == "resnet101" || name == "densenet169") continue;  // nothing that their smaller kin lack
    SCOPED_TRACE(name);
    const LoadedModel model = model_of(*context, name);
    const Read read(onnx_model(model, {}));
    const StateDict state = model.network->parameters().state();
    EXPECT_EQ(read.weights.size(), state.size());
    for (const auto& [key, tensor] : state) EXPECT_TRUE(read.weights.at(key) == tensor.values) << key;
    EXPECT_EQ(read.producers.at("logits"), "Gemm");
  }
}

TEST(Onnx, FoldsWhatStandsBehindAConvolution) {
  const auto context = Context::on_cpu(2, 0);
  const Read resnet(onnx_model(model_of(*context, "resnet50"), {.fold = true}));
  EXPECT_EQ(resnet.count("BatchNormalization"), 0);
  EXPECT_EQ(resnet.count("Conv"), 53);
  EXPECT_EQ(resnet.count("Add"), 16);
  // Left are the norms in front of what is not theirs alone: of 12 layers, of 2 transitions, and the last.
  const Read densenet(onnx_model(model_of(*context, "densenet28"), {.fold = true}));
  EXPECT_EQ(densenet.count("BatchNormalization"), 12 + 2 + 1);
  EXPECT_EQ(densenet.count("Concat"), 12);

  const LoadedModel model = model_of(*context, "resnet8");
  StateDict state = model.network->parameters().state();
  state.at("bn1.running_var").values[5] = 1e-4f;  // so that epsilon counts
  model.network->parameters().load(state);
  const Read folded(onnx_model(model, {.fold = true}));
  const auto value = [&](const char* key, std::size_t i) { return static_cast<double>(state.at(key).values[i]); };
  const std::size_t channel = 5, row = 3 * 3 * 3;
  const double scale = value("bn1.weight", channel) / std::sqrt(value("bn1.running_var", channel) + 1e-5);
  EXPECT_NEAR(folded.weights.at("conv1.weight")[channel * row + 7], value("conv1.weight", channel * row + 7) * scale,
              1e-6 * scale);
  EXPECT_NEAR(folded.weights.at("conv1.bias")[channel],
              value("bn1.bias", channel) - value("bn1.running_mean", channel) * scale, 1e-6 * scale);
}

TEST(Onnx, SaysWhatGoesInAndOut) {
  const auto context = Context::on_cpu(2, 0);
  const Read read(onnx_model(model_of(*context, "resnet8"), {.probabilities = true}));
  EXPECT_EQ(read.file.number(1), 8u);
  const Message operators(read.file.text(8));
  EXPECT_EQ(operators.text(1), "");
  EXPECT_EQ(operators.number(2), 17u);
  const Message input(read.graph.text(11));
  const Message tensor(Message(input.text(2)).text(1));
  EXPECT_EQ(tensor.number(1), 1u);
  const std::vector<std::string> dimensions = Message(tensor.text(2)).all(1);
  ASSERT_EQ(dimensions.size(), 4u);
  EXPECT_EQ(Message(dimensions[0]).text(2), "batch");
  EXPECT_EQ(Message(dimensions[1]).number(1), 3u);
  EXPECT_EQ(Message(dimensions[2]).number(1), 40u);
  EXPECT_EQ(Message(dimensions[3]).number(1), 48u);
  const std::vector<std::string> outputs = read.graph.all(12);
  ASSERT_EQ(outputs.size(), 2u);
  EXPECT_EQ(Message(outputs[0]).text(1), "logits");
  EXPECT_EQ(Message(outputs[1]).text(1), "probabilities");
  EXPECT_EQ(read.producers.at("probabilities"), "Softmax");
  const Read labels(onnx_model(model_of(*context, "resnet8", Task::multi_label), {.probabilities = true}));
  EXPECT_EQ(labels.producers.at("probabilities"), "Sigmoid");

  std::map<std::string, std::string> metadata;
  for (const std::string& wire : read.file.all(14)) metadata[Message(wire).text(1)] = Message(wire).text(2);
  EXPECT_EQ(metadata.at("labels"), R"(["healthy","ill"])");
  EXPECT_EQ(metadata.at("deviation"), "[0.20000000298023224,0.25,0.125]");
  EXPECT_EQ(metadata.at("task"), "multi-class");
  EXPECT_EQ(metadata.at("height"), "40");
  EXPECT_TRUE(metadata.contains("preprocessing"));
}

}  // namespace
}  // namespace preceptor
