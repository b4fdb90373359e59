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
  std::string data, out;
  OnError on_bad_image = OnError::stop;
  int threads = 0;
};

bool parse(CacheOptions& options, int argc, char** argv) {
  OptionTable table;
  table(options.data, "data", "FORMAT:PATH", "As for preceptor-train, in a format with image files; see docs/data.md",
        {.required = true});
  table(options.out, "--out", "FILE", "File to write; by default where the apps look for it");
  table(options.on_bad_image, "--on-bad-image", "NAME", "If an image cannot be read: stop, or skip (leave it out)");
  add_threads(table, options.threads);
  return parse_command_line(
      {"preceptor-data cache",
       "Decodes and resizes all images of a data set once, into one file that is mapped into memory.",
       "Example:\n"
       "  preceptor-data cache 'chestxray14:nih/?size=224'\n\n"
       "The apps find the file next to the data, or by the key cache=FILE. It is tied to the content of the images: "
       "if\n"
       "one changes, the file is refused. Images that it lacks are decoded as before."},
      table, argc, argv);
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
      write_image_cache(out, listed_images(data), options.on_bad_image == OnError::skip, options.threads,
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
