// Epochs of the loader alone.
#include "apps/bench/loading.h"

#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>

#include "apps/bench/measure.h"
#include "data/batches/loader.h"
#include "data/formats/open_dataset.h"

namespace preceptor {

void run_loading_bench(const LoadingBenchOptions& options) {
  const Dataset data = open_dataset(options.data);
  Loader loader(data, data.train,
                {.batch = options.batch,
                 .shuffle = true,
                 .seed = 1,
                 .threads = loading_threads(data.train, options.threads),
                 .prefetch = 4,
                 .weights = {},
                 .mixup = 0});
  std::int64_t images = 0, epoch = 0;
  const auto load_epoch = [&] {
    loader.start(epoch++);
    while (const Batch* batch = loader.next()) images += batch->valid;
  };
  load_epoch();
  images = 0;
  double seconds = 0;
  for (const double begin = seconds_now(); seconds < options.seconds; seconds = seconds_now() - begin) load_epoch();
  const double speed = static_cast<double>(images) / seconds;
  if (options.json) {
    std::cout << nlohmann::ordered_json{{"data", options.data},
                                        {"images", data.train.count},
                                        {"height", data.height},
                                        {"width", data.width},
                                        {"channels", data.channels},
                                        {"batch", loader.batch_size()},
                                        {"threads", options.threads},
                                        {"images_per_second", speed},
                                        {"peak_memory_bytes", peak_process_bytes()}}
                     .dump()
              << '\n';
    return;
  }
  std::printf("%d images of %dx%dx%d, batches of %d, %d threads: %.0f images/s, %.0f MB at most\n", data.train.count,
              data.height, data.width, data.channels, loader.batch_size(), options.threads, speed,
              static_cast<double>(peak_process_bytes()) / 1e6);
}

}  // namespace preceptor
