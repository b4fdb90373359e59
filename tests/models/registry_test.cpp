// The table of models is complete, and the docs list all of it.
#include "models/registry.h"

#include <gtest/gtest.h>

#include <set>

#include "engine/files/file.h"

namespace preceptor {
namespace {

TEST(Registry, EveryModelIsDescribedHereAndInTheDocs) {
  const std::string docs = read_file(PRECEPTOR_SOURCE_DIR "/docs/apps.md");
  std::set<std::string> names;
  for (const Architecture& entry : architectures()) {
    EXPECT_TRUE(names.insert(entry.name).second) << entry.name << " is there twice";
    EXPECT_FALSE(entry.summary.empty()) << entry.name;
    EXPECT_NE(docs.find("`" + entry.name + "`"), std::string::npos) << "docs/apps.md has no row " << entry.name;
  }
}

TEST(Registry, BuildsEveryModelWithItsHead) {
  const auto context = Context::on_cpu(1, 0);
  for (const Architecture& entry : architectures()) {
    const auto network = make_model(*context, {.name = entry.name, .in_channels = 1, .outputs = 2});
    EXPECT_EQ(network->head_name(), entry.head()) << entry.name;
    EXPECT_EQ(network->options().small_stem, entry.small_stem_only) << entry.name;
    EXPECT_EQ(network->layers().nodes().back().weight.name(), network->head_name() + ".weight") << entry.name;
  }
}

TEST(Registry, ListsTheModelsForAnUnknownName) {
  try {
    architecture_of({.name = "resnet9"});
    FAIL() << "accepted";
  } catch (const Error& error) {
    for (const std::string& name : model_names()) EXPECT_NE(std::string(error.what()).find(name), std::string::npos);
  }
}

}  // namespace
}  // namespace preceptor
