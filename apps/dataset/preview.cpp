// Loads a batch as a training run would, sends it through the augmentation, and writes what comes out as pixels again.
#include "apps/dataset/commands.h"

#include <algorithm>
#include <cmath>
#include <iostream>
#include <memory>

#include "apps/command_line/command_line.h"
#include "apps/inference/card_and_data.h"
#include "apps/training/options/augmentation.h"
#include "data/batches/loader.h"
#include "data/images/image_grid.h"
#include "data/images/png_writer.h"
#include "engine/files/check.h"
#include "engine/files/file.h"

namespace preceptor {
namespace {

struct PreviewOptions {
  std::string data, augment, normalise = "data", out = "batch.png", split = "train", device = "cpu";
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
  const Augmentation augmentation = parse_augmentation(options.augment);
  require(options.normalise == "data" || options.normalise == "imagenet", "--normalise ", options.normalise,
          ": not one of data, imagenet");
  const Dataset data = open_dataset(options.data);
  const Split& split = options.split == "train" ? data.train : options.split == "val" ? data.val : data.test;
  require_data(split.count > 0, options.data, ": has no ", options.split, " images");
  const auto context = open_context(options.device, options.threads, options.seed);
  const int threads = context->device().threads;
  ModelCard card;
  card.network.in_channels = data.channels;
  if (options.normalise == "imagenet")
    use_imagenet_normalisation(card);
  else
    measure_normalisation(data, data.train.count > 0 ? data.train : split, threads, card);
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
  for (int i = 0; i < batch.size; ++i) std::cout << split.ids[static_cast<std::size_t>(batch.positions[i])] << '\n';
  return 0;
}

}  // namespace

int run_data_preview(int argc, char** argv) {
  CLI::App app("Writes a training batch as the network sees it, as a PNG.", "preceptor-data preview");
  app.footer(
      "Example:\n"
      "  preceptor-data preview medmnist:retinamnist.npz --augment flip,rotate=15,noise=0.02 --out batch.png\n\n"
      "With the --augment, --batch and --seed of a training it is the first batch of its epoch. Values outside 0 to "
      "255\n"
      "are cut off. The ids of the images go to stdout, row by row.");
  PreviewOptions options;
  app.add_option("data", options.data, "FORMAT:PATH as for preceptor-train")->type_name("FORMAT:PATH")->required();
  app.add_option("--augment", options.augment, "As for preceptor-train")->type_name("NAME[=NUMBER],...");
  app.add_option("--normalise", options.normalise, "data or imagenet")->type_name("NAME")->capture_default_str();
  app.add_option("--out", options.out, "PNG to write")->type_name("FILE")->capture_default_str();
  app.add_option("--split", options.split, "train, val or test")
      ->type_name("NAME")
      ->check(CLI::IsMember({"train", "val", "test"}))
      ->capture_default_str();
  app.add_option("--batch", options.batch, "Images")
      ->type_name("COUNT")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  app.add_option("--epoch", options.epoch, "From 1")
      ->type_name("NUMBER")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  app.add_option("--seed", options.seed, "Of order and augmentation")->type_name("NUMBER")->capture_default_str();
  add_device_flags(app, options.device, options.threads);
  return parse_command_line(app, argc, argv) ? preview(options) : 0;
}

}  // namespace preceptor
