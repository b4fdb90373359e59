// Images decoded and resized once, in one memory-mapped file that is tied to the content of its source files.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "data/storage/image_source.h"

namespace preceptor {

// The file is a safetensors file, so that other programs can read it too: `images` U8 [n, height, width, channels];
// `content` U64 [n], content_hash of the bytes of each image file, 0 for one that could not be read; `stamps` I64
// [n, 3], its size, time of change and time of status change, in nanoseconds; `ids` U8, the ids, each followed by a
// line break; metadata format and form.

// The images `decoded`, read from the cache if it holds their ids, else decoded as before. A file with the recorded
// stamp is unchanged; the content of any other is hashed (in parallel) and must be the same: a cache is never stale.
// New stamps of unchanged files are recorded if the cache can be written.
// Memory: the ids; pages of the file as the system sees fit. Errors: missing_input, io; data: a damaged cache, one of
// another form, or source files that have changed or are gone.
Images open_image_cache(const std::string& path, const Images& decoded, const std::vector<std::string>& ids,
                        const std::string& form);

// The default path of the cache of the data at `path`: inside a folder, beside a file.
std::string cache_path_beside(const std::string& path, const std::string& form);

// The images of a cache to write, in its order.
struct ImageListing {
  struct Entry {
    std::string id;
    Images images;  // decoded, not from a cache
    int position;   // in images
  };
  std::string source;  // names the data in errors
  std::string form;    // "224x224x1", empty for images in memory
  int height = 0, width = 0, channels = 0;
  std::vector<Entry> images;
};

struct CacheResult {
  int images = 0;
  std::vector<std::string> unreadable;  // reasons, with skip_unreadable
  double decode_seconds = 0;            // reading, decoding, resizing and hashing
};

// Decodes all images and writes the cache, completely or not at all. Holds at most 512 images in memory. `done` is
// called with the number of images done so far. Errors: usage, for images in memory; those of reading images, unless
// skip_unreadable; io.
CacheResult write_image_cache(const std::string& path, const ImageListing& listing, bool skip_unreadable, int threads,
                              const std::function<void(int)>& done);

}  // namespace preceptor
