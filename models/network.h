// Networks: named parameters with initial values, blocks that can be frozen, and a forward pass in two modes.
#pragma once

#include <string>
#include <vector>

#include "models/layer_graph.h"
#include "models/layer_runner.h"
#include "models/taps.h"

namespace preceptor {

struct NetworkOptions {
  std::string name = "resnet18";  // see registry.h
  int in_channels = 3;
  int outputs = 1000;
  bool small_stem = false;       // 3x3 stride 1 without max pool, for images of 28 to 64 pixels
  bool zero_last_gamma = false;  // residual networks: the last batch norm of every block starts at 0
  float dropout = 0;             // drop probability for new channels (DenseNet), training only
  int first_dropout = 0;         // number of the first layer that drops values; differs between peers
};

// Results of a forward pass: logits, and the requested maps.
struct Features {
  Tensor logits;                       // [n, outputs]
  std::map<std::string, Tensor> taps;  // by requested name: [n, c, h, w], or [n, c] for the pooled features
};

class Network {
 public:
  // Made of what architecture.build() adds. Architecture::head_name is the linear layer that reads the pooled features;
  // with Architecture::fan_in convolutions start by fan in and the head's bias at 0, as torchvision's DenseNet, else by
  // fan out (both He et al. 2015b), as its ResNet.
  template <class Architecture>
  Network(Context& context, const NetworkOptions& options, const Architecture& architecture)
      : parameters_(context), options_(options), head_(Architecture::head_name), fan_in_(Architecture::fan_in) {
    architecture.build(*this);
  }
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  // Initial values from the seed: convolutions normal, batch norms at 1 and 0, the head uniform as torch's Linear.
  void initialize(std::uint64_t seed);

  // input [n, in_channels, h, w]. In training mode blocks use batch statistics unless frozen and record gradients.
  // taps: names from taps(); they change no bit of the logits. Errors: usage, for a name that is not among them.
  Features forward(const Tensor& input, Mode mode, const std::vector<std::string>& taps = {});

  // All taps with their shapes for images of this size, in forward order. Errors: usage, as layer_table().
  std::vector<Tap> taps(int height, int width) const;
  // The tap of this name. Errors: usage, listing the valid names.
  Tap tap(const std::string& name, int height, int width) const;

  // Folds batch norms into convolutions: after the parameters changed, before the next forward pass in inference mode.
  void fold() { runner_->fold(); }

  // The layers in the order of a forward pass.
  const LayerGraph& layers() const { return graph_; }

  // The first `count` blocks do not learn, and their batch norms use fixed statistics; all others learn. Block 1 is the
  // stem, then each stage is one, with what leads to the next. The head always learns.
  void freeze(int count);
  int freezable_blocks() const { return static_cast<int>(blocks_.size()); }
  // Number of blocks before the one of this parameter; for the head, of all blocks.
  int block_of(const std::string& parameter) const;

  Parameters& parameters() { return parameters_; }
  const NetworkOptions& options() const { return options_; }
  const std::string& head_name() const { return head_; }

  // For build(), which adds layers to the list:
  LayerGraph& graph() { return graph_; }
  // Adds a block that freezes as one: the parameters whose names start with one of the prefixes.
  void add_block(std::vector<std::string> prefixes) { blocks_.push_back({std::move(prefixes), false}); }
  // The first block: a convolution by the options' stem, 3x3, or 7x7 with stride 2 followed by a max pool. Returns the
  // position of its output.
  int add_stem(const std::string& convolution, const std::string& batch_norm, const std::string& relu,
               const std::string& pool, int width);
  // Global average pooling of the last maps, which have so many channels, and the linear layer: the last call.
  void add_head(int last, int channels);

 private:
  struct Block {
    std::vector<std::string> prefixes;
    bool frozen;
  };
  Parameters parameters_;
  LayerGraph graph_;
  NetworkOptions options_;
  std::string head_;
  bool fan_in_;
  std::vector<Block> blocks_;
  std::optional<LayerRunner> runner_;
};

}  // namespace preceptor
