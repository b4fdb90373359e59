// The table of layers against what torchvision publishes, and against the parameters of the built networks.
#include <gtest/gtest.h>

#include "models/layer_table.h"

#include "models/registry.h"

namespace preceptor {
namespace {

struct Published {
  const char* name;
  std::size_t parameters;
  double multiply_adds;  // of one image of 3x224x224, in 10^9, three decimals
};

LayerRow total(const NetworkOptions& options, int side) {
  LayerRow sum;
  const auto context = Context::on_cpu(1, 0);
  for (const LayerRow& row : layer_table(*make_model(*context, options), side, side)) {
    sum.parameters += row.parameters;
    sum.operations += row.operations;
  }
  return sum;
}

// torchvision 0.29, the weights' metadata num_params and _ops.
TEST(LayerTable, HasThePublishedSizes) {
  for (const Published& published :
       {Published{"resnet18", 11'689'512, 1.814}, Published{"resnet34", 21'797'672, 3.664},
        Published{"resnet50", 25'557'032, 4.089}, Published{"resnet101", 44'549'160, 7.801},
        Published{"densenet121", 7'978'856, 2.834}, Published{"densenet169", 14'149'480, 3.36}}) {
    const LayerRow sum = total({.name = published.name}, 224);
    EXPECT_EQ(sum.parameters, published.parameters) << published.name;
    // Pooling is in our operations and not in theirs.
    EXPECT_NEAR(sum.operations / 2e9, published.multiply_adds, 0.005) << published.name;
  }
}

// Raghu et al. 2019, table 1, for 5 outputs. Their numbers leave out the first convolution, batch norms and biases.
TEST(LayerTable, HasThePublishedSizesOfCbrNetworks) {
  const auto context = Context::on_cpu(1, 0);
  for (const auto& [name, published] : {std::pair{"cbr-larget", 8'532'480u}, std::pair{"cbr-tiny", 1'076'480u}}) {
    const auto network = make_model(*context, {.name = name, .outputs = 5});
    std::size_t weights = 0;
    for (const Parameter& parameter : network->parameters().all())
      if (parameter.shape().rank() > 1 && parameter.name() != "conv1.weight") weights += parameter.shape().elements();
    EXPECT_EQ(weights, published) << name;
  }
}

TEST(LayerTable, HasTheParametersOfEveryModel) {
  const auto context = Context::on_cpu(1, 0);
  for (const std::string& name : model_names()) {
    const NetworkOptions options{.name = name, .in_channels = 1, .outputs = 14};
    EXPECT_EQ(total(options, 64).parameters, make_model(*context, options)->parameters().count()) << name;
  }
}

}  // namespace
}  // namespace preceptor
