// Images decoded and resized once, in one memory-mapped file that is tied to the content of the files it was made of.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "data/dataset.h"

namespace preceptor {

// The file is a safetensors file, so that other programs can read it too: `images` U8 [n, height, width, channels];
// `content` U64 [n], content_hash of the bytes of each image file, 0 for one that could not be read; `stamps` I64
// [n, 3], its size, time of change and time of status change, in nanoseconds; `ids` U8, the ids, each with a line break
// behind it; metadata format and form.

// The images `decoded`, read from the cache wherever it holds them by their ids, else decoded as before. A file whose
// stamp is the one noted is unchanged; of any other the content is hashed (in parallel) and must be the same: a cache
// is never stale. If all are, the new stamps are noted where the file can be written.
// Memory: the ids; pages of the file as the system sees fit. Errors: missing_input, io; data: a damaged cache, one of
// another form, or of files that have changed or are gone.
Images open_image_cache(const std::string& path, const Images& decoded, const std::vector<std::string>& ids,
                        const std::string& form);

// Where the cache of a data set is looked for: in the folder that PATH is, or beside the file.
std::string cache_path_beside(const std::string& path, const std::string& form);

struct CacheResult {
  int images = 0;
  std::vector<std::string> unreadable;  // reasons, where skip_unreadable
  double decode_seconds = 0;            // reading, decoding, resizing and hashing
};

// Decodes all images of a data set opened with cache=no and writes the cache, whole or not at all. At most 512 images
// are in memory. `done` is called with the number of images behind it. Errors: usage, for images in memory; those of
// reading images, unless skip_unreadable; io.
CacheResult write_image_cache(const std::string& path, const Dataset& data, bool skip_unreadable, int threads,
                              const std::function<void(int)>& done);

}  // namespace preceptor
