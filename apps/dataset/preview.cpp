// Loads a batch as a training run would, augments it, and converts the result back to pixels.
#include "apps/dataset/commands.h"

#include <algorithm>
#include <cmath>
#include <iostream>
#include <memory>

#include "apps/command_line/command_line.h"
#include "apps/inference/card_and_data.h"
#include "apps/training/options/augmentation.h"
#include "data/batches/loader.h"
#include "data/formats/open_dataset.h"
#include "data/images/png_writer.h"
#include "engine/files/check.h"
#include "engine/files/file.h"

namespace preceptor {
namespace {

struct PreviewOptions {
  std::string data, normalise = "data", out = "batch.png", split = "train", device = "cpu";
  Augmentation augment;
  int batch = 16, threads = 0;
  std::int64_t epoch = 1;
  std::uint64_t seed = 0;
};

// [images, channels, height, width] back to pixels.
std::vector<Image> pixels_of(const std::vector<float>& values, const Shape& shape, const ModelCard& card) {
  const auto plane = static_cast<std::size_t>(shape[2]) * shape[3];
  const auto channels = static_cast<std::size_t>(shape[1]);
  std::vector<Image> images;
  for (int i = 0; i < shape[0]; ++i) {
    Image image{shape[2], shape[3], shape[1], std::vector<std::uint8_t>(plane * channels)};
    for (std::size_t c = 0; c < channels; ++c)
      for (std::size_t p = 0; p < plane; ++p) {
        const float value = values[(static_cast<std::size_t>(i) * channels + c) * plane + p];
        image.pixels[p * channels + c] = static_cast<std::uint8_t>(
            std::clamp(255 * (value * card.deviation[c] + card.mean[c]), 0.0f, 255.0f) + 0.5f);
      }
    images.push_back(std::move(image));
  }
  return images;
}

int preview(const PreviewOptions& options) {
  const Augmentation& augmentation = options.augment;
  const Dataset data = open_dataset(options.data);
  const Split& split = options.split == "train" ? data.train : options.split == "val" ? data.val : data.test;
  require_data(split.count > 0, options.data, ": has no ", options.split, " images");
  const auto context = open_context(options.device, options.threads, options.seed);
  const int threads = context->device().threads;
  ModelCard card;
  card.network.in_channels = data.channels;
  if (options.normalise == "imagenet")
    use_imagenet_normalization(card);
  else
    measure_normalization(data, data.train.count > 0 ? data.train : split, threads, card);
  Loader loader(data, split,
                {.batch = options.batch,
                 .shuffle = true,
                 .seed = options.seed,
                 .threads = loading_threads(split, threads),
                 .prefetch = 1,
                 .weights = {},
                 .mixup = augmentation.mixup});
  context->write_step_state(
      {.learning_rate = 0, .step = (options.epoch - 1) * loader.batches_per_epoch(), .seed = options.seed});
  loader.start(options.epoch - 1);
  const Batch& batch = *loader.next();
  const Shape shape{batch.size, data.channels, data.height, data.width};
  const Tensor input = augment_from_host(*context, batch.images, shape, augmentation.input(card.mean, card.deviation));
  const std::vector<Image> pictures = pixels_of(input.to_host(), shape, card);
  const auto columns = static_cast<int>(std::ceil(std::sqrt(static_cast<double>(pictures.size()))));
  write_file_atomically(options.out, png_bytes(image_grid(pictures, columns)));
  for (int i = 0; i < batch.size; ++i) std::cout << split.ids[batch.positions[i]] << '\n';
  return 0;
}

}  // namespace

int run_data_preview(int argc, char** argv) {
  PreviewOptions options;
  OptionTable table;
  table(options.data, "data", "FORMAT:PATH", "FORMAT:PATH as for preceptor-train", {.required = true});
  table(options.augment, "--augment", "NAME[=NUMBER],...", "As for preceptor-train");
  table(options.normalise, "--normalise", "NAME", "data or imagenet", {.one_of = {"data", "imagenet"}});
  table(options.out, "--out", "FILE", "PNG to write");
  table(options.split, "--split", "NAME", "train, val or test", {.one_of = {"train", "val", "test"}});
  table(options.batch, "--batch", "COUNT", "Images per batch", {.at_least = 1, .at_most = 1024});
  table(options.epoch, "--epoch", "NUMBER", "Epoch, from 1", {.at_least = 1, .at_most = 1'000'000});
  table(options.seed, "--seed", "NUMBER", "Seed of order and augmentation");
  add_device(table, options.device);
  add_threads(table, options.threads);
  const CommandHelp help = {
      "preceptor-data preview", "Writes a training batch as the network sees it, as a PNG.",
      "Example:\n"
      "  preceptor-data preview medmnist:retinamnist.npz --augment flip,rotate=15,noise=0.02 --out batch.png\n\n"
      "With the --augment, --batch and --seed of a training it is the first batch of its epoch. Values outside 0 to\n"
      "255 are cut off. The ids of the images go to stdout, row by row."};
  return parse_command_line(help, table, argc, argv) ? preview(options) : 0;
}

}  // namespace preceptor
