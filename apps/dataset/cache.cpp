// preceptor-data cache: decodes and resizes a data set once, and reports the gain in speed.
#include <chrono>
#include <cstdio>

#include "apps/command_line/command_line.h"
#include "apps/command_line/progress.h"
#include "apps/dataset/commands.h"
#include "data/batches/loader.h"
#include "data/formats/formats.h"
#include "data/formats/open_dataset.h"
#include "data/storage/image_cache.h"
#include "engine/files/check.h"

namespace preceptor {
namespace {

struct CacheOptions {
  std::string data, out, on_bad_image = "stop";
  int threads = 0;
};

bool parse(CacheOptions& options, int argc, char** argv) {
  CLI::App app("Decodes and resizes all images of a data set once, into one memory-mapped file.",
               "preceptor-data cache");
  app.footer(
      "Example:\n"
      "  preceptor-data cache 'chestxray14:nih/?size=224'\n\n"
      "The apps find the file beside the data or through the key cache=FILE. It is tied to the content of the images\n"
      "and rejected once one of them changes. Images that it lacks are decoded as before.");
  app.add_option("data", options.data, "As for preceptor-train, in a format with image files; docs/data.md")
      ->type_name("FORMAT:PATH")
      ->required();
  app.add_option("--out", options.out, "Output file (default: where the apps look for it)")->type_name("FILE");
  app.add_option("--on-bad-image", options.on_bad_image, "For an image that cannot be read: stop, or skip it")
      ->type_name("NAME")
      ->check(CLI::IsMember({"stop", "skip"}))
      ->capture_default_str();
  app.add_option("--threads", options.threads, "CPU threads; 0: all")
      ->type_name("COUNT")
      ->check(CLI::Range(0, 4096))
      ->capture_default_str();
  return parse_command_line(app, argc, argv);
}

// Images per second of one thread that reads batches in a random order.
double reading_speed(const Dataset& data) {
  Loader loader(data, data.train,
                {.batch = 64, .shuffle = true, .seed = 0, .threads = 1, .prefetch = 4, .weights = {}});
  const auto begin = std::chrono::steady_clock::now();
  std::int64_t images = 0;
  double seconds = 0;
  for (int epoch = 0; seconds < 0.2; ++epoch) {
    loader.start(epoch);
    while (const Batch* batch = loader.next()) images += batch->valid;
    seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }
  return static_cast<double>(images) / seconds;
}

}  // namespace

int run_data_cache(int argc, char** argv) {
  CacheOptions options;
  if (!parse(options, argc, argv)) return 0;
  const DatasetSpec spec = parse_dataset_spec(options.data);
  require(spec.find("cache") == nullptr, options.data,
          ": the key cache is for reading a cache; --out says where to write one");
  require(find_format(spec).images == ImageStorage::files, options.data,
          ": its images are in memory, there is nothing to decode");
  const std::string join = options.data.find('?') == std::string::npos ? "?" : "&";
  const Dataset data = open_dataset(options.data + join + "cache=no");
  const std::string out = options.out.empty() ? data.cache_path : options.out;
  const int images = data.train.count + data.val.count + data.test.count;
  ImageProgress progress(static_cast<std::size_t>(images));
  const CacheResult result =
      write_image_cache(out, listed_images(data), options.on_bad_image == "skip", options.threads,
                        [&](int done) { progress(static_cast<std::size_t>(done)); });
  for (const std::string& reason : result.unreadable) progress.note("preceptor-data: left out: " + reason);
  const Dataset cached = open_dataset(options.data + join + "cache=" + out);
  const double decoding = images / result.decode_seconds;
  std::printf("%s: %d images of %s\n", out.c_str(), result.images, data.image_form.c_str());
  std::printf("decoded at %.0f images/s", decoding);
  if (data.train.count > 0) {
    const double reading = reading_speed(cached);
    std::printf(", read from the cache at %.0f images/s: %.0f times as fast", reading, reading / decoding);
  }
  std::printf("\n");
  return 0;
}

}  // namespace preceptor
