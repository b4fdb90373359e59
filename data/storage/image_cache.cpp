// The cache file: checks its stamps against the source files and maps its pixels.
#include "data/storage/image_cache.h"

#include <sys/stat.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <unordered_map>

#include "data/parallel.h"
#include "data/storage/image_hash.h"
#include "data/storage/mapped_tensors.h"
#include "engine/files/check.h"
#include "engine/files/file.h"

namespace preceptor {
namespace {

constexpr const char* format_name = "preceptor-images-1";

struct Stamp {
  std::int64_t bytes = 0, modified = 0, changed = 0;
  bool operator==(const Stamp&) const = default;
};
static_assert(sizeof(Stamp) == 24);

std::int64_t nanoseconds(const timespec& time) { return time.tv_sec * 1'000'000'000 + time.tv_nsec; }

Stamp stamp_of(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) fail(ErrorKind::missing_input, path, ": there is no such file");
  return {status.st_size, nanoseconds(status.st_mtim), nanoseconds(status.st_ctim)};
}

std::uint64_t hash_file(const std::string& path) {
  const std::string bytes = read_file(path);
  const std::uint64_t hash = content_hash({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()});
  return hash == 0 ? 1 : hash;  // 0 marks an image that could not be read
}

// The tensors of a cache.
struct Layout {
  std::string form;
  StoredTensor images, content, stamps, ids;
  std::uint64_t count = 0, image_bytes = 0;
};

Layout read_layout(const MappedFile& file, const std::string& path) {
  SafetensorsHeader header = read_header(file, path);
  require_data(header.metadata["format"] == format_name, path, ": is not an image cache of this version");
  const auto find = [&](const char* name, const char* dtype, std::size_t dimensions) {
    for (const StoredTensor& tensor : header.tensors)
      if (tensor.name == name && tensor.dtype == dtype && tensor.sizes.size() == dimensions) return tensor;
    fail(ErrorKind::data, path, ": tensor ", name, " is missing or has another type");
  };
  Layout layout{header.metadata["form"], find("images", "U8", 4), find("content", "U64", 1), find("stamps", "I64", 2),
                find("ids", "U8", 1)};
  const StoredTensor &images = layout.images, &stamps = layout.stamps;
  const int count = layout.content.sizes[0];
  require_data(count > 0 && images.sizes[0] == count && images.end > images.begin && stamps.sizes[0] == count &&
                   stamps.sizes[1] == 3,
               path, ": its tensors do not belong together");
  layout.count = static_cast<std::uint64_t>(count);
  layout.image_bytes = (images.end - images.begin) / layout.count;
  return layout;
}

class CachedImages final : public ImageSource {
 public:
  CachedImages(const std::string& path, Images decoded, const std::vector<std::string>& ids, const std::string& form)
      : ImageSource(decoded->count(), decoded->image_bytes()), path_(path), file_(path), decoded_(std::move(decoded)) {
    layout_ = read_layout(file_, path);
    require_data(layout_.form == form && layout_.image_bytes == image_bytes(), path, ": holds images of ", layout_.form,
                 " instead of ", form);
    find_slots(ids);
    compare_with_files();
  }

  void read(int position, std::span<std::uint8_t> pixels) const override {
    const std::int64_t slot = slots_.at(position);
    if (slot < 0) return decoded_->read(position, pixels);
    require(pixels.size() == image_bytes(), "images: ", pixels.size(), " bytes for an image of ", image_bytes());
    std::memcpy(pixels.data(),
                file_.bytes().data() + layout_.images.begin + static_cast<std::uint64_t>(slot) * image_bytes(),
                image_bytes());
  }
  std::string file(int position) const override { return decoded_->file(position); }
  bool decodes() const override { return some_decoded_; }

 private:
  template <class Value>
  Value entry(const StoredTensor& table, std::int64_t slot) const {
    Value value;
    std::memcpy(&value, file_.bytes().data() + table.begin + static_cast<std::uint64_t>(slot) * sizeof value,
                sizeof value);
    return value;
  }

  void find_slots(const std::vector<std::string>& ids) {
    std::unordered_map<std::string_view, std::int64_t> slot_of;
    const auto* names = reinterpret_cast<const char*>(file_.bytes().data());
    std::uint64_t at = layout_.ids.begin;
    for (std::uint64_t slot = 0; slot < layout_.count; ++slot) {
      const void* end = at < layout_.ids.end ? std::memchr(names + at, '\n', layout_.ids.end - at) : nullptr;
      require_data(end != nullptr, path_, ": names fewer images than it holds");
      const auto length = static_cast<std::uint64_t>(static_cast<const char*>(end) - (names + at));
      if (entry<std::uint64_t>(layout_.content, static_cast<std::int64_t>(slot)) != 0)
        slot_of.emplace(std::string_view(names + at, length), static_cast<std::int64_t>(slot));
      at += length + 1;
    }
    for (const std::string& id : ids) {
      const auto found = slot_of.find(id);
      slots_.push_back(found == slot_of.end() ? -1 : found->second);
      some_decoded_ = some_decoded_ || slots_.back() < 0;
    }
  }

  void compare_with_files() {
    std::vector<Stamp> stamps(slots_.size());
    std::atomic<int> renewed = 0;
    parallel_for(count(), 0, [&](int i) {
      const std::int64_t slot = slots_[i];
      if (slot < 0) return;
      const std::string name = decoded_->file(i);
      stamps[i] = stamp_of(name);
      if (stamps[i] == entry<Stamp>(layout_.stamps, slot)) return;
      require_data(hash_file(name) == entry<std::uint64_t>(layout_.content, slot), path_, ": is stale, ", name,
                   " has changed since; make the cache anew");
      ++renewed;
    });
    if (renewed > 0) note_stamps(stamps);
  }

  // Only saves hashing next time, so it may fail.
  void note_stamps(const std::vector<Stamp>& stamps) const {
    std::fstream cache(path_, std::ios::binary | std::ios::in | std::ios::out);
    for (std::size_t i = 0; cache && i < stamps.size(); ++i) {
      if (slots_[i] < 0) continue;
      cache.seekp(
          static_cast<std::streamoff>(layout_.stamps.begin + static_cast<std::uint64_t>(slots_[i]) * sizeof(Stamp)));
      cache.write(reinterpret_cast<const char*>(&stamps[i]), sizeof(Stamp));
    }
  }

  std::string path_;
  MappedFile file_;
  Images decoded_;
  Layout layout_;
  std::vector<std::int64_t> slots_;  // [count] -1: not in the cache
  bool some_decoded_ = false;
};

// Decodes the listed images block by block and records the state of their files.
struct Decoding {
  const ImageListing& listing;
  const bool skip_unreadable;
  const int threads;
  const std::size_t image_bytes = static_cast<std::size_t>(listing.height) * listing.width * listing.channels;
  std::vector<std::uint64_t> content = std::vector<std::uint64_t>(listing.images.size());
  std::vector<Stamp> stamps = std::vector<Stamp>(listing.images.size());
  std::vector<std::string> unreadable = {};

  // The pixels of images first..first+count-1; zeros for an unreadable one.
  std::vector<std::uint8_t> block(std::size_t first, std::size_t count) {
    std::vector<std::uint8_t> pixels(count * image_bytes, 0);
    std::vector<std::string> reasons(count);
    parallel_for(static_cast<int>(count), threads, [&](int i) {
      const auto at = static_cast<std::size_t>(i);
      try {
        decode(first + at, {pixels.data() + at * image_bytes, image_bytes});
      } catch (const Error& error) {
        if (!skip_unreadable) throw;
        reasons[at] = error.what();
      }
    });
    for (std::string& reason : reasons)
      if (!reason.empty()) unreadable.push_back(std::move(reason));
    return pixels;
  }

  void decode(std::size_t i, std::span<std::uint8_t> pixels) {
    const auto& [id, images, position] = listing.images[i];
    const std::string file = images->file(position);
    const Stamp before = stamp_of(file);
    images->read(position, pixels);
    const std::uint64_t hash = hash_file(file);
    require_data(stamp_of(file) == before, file, ": changes while it is read");
    stamps[i] = before;
    content[i] = hash;
  }
};

// All ids, each followed by a line break.
std::string id_lines(const ImageListing& listing) {
  std::string text;
  for (const ImageListing::Entry& image : listing.images) {
    require_data(image.id.find('\n') == std::string::npos, listing.source,
                 ": the id of an image contains a line break: ", image.id);
    text += image.id + "\n";
  }
  return text;
}

}  // namespace

Images open_image_cache(const std::string& path, const Images& decoded, const std::vector<std::string>& ids,
                        const std::string& form) {
  return std::make_shared<CachedImages>(path, decoded, ids, form);
}

std::string cache_path_beside(const std::string& path, const std::string& form) {
  std::error_code ignored;
  const bool folder = std::filesystem::is_directory(path, ignored);
  return path + (folder ? "/images." : ".") + form + ".cache.safetensors";
}

CacheResult write_image_cache(const std::string& path, const ImageListing& listing, bool skip_unreadable, int threads,
                              const std::function<void(int)>& done) {
  require(!listing.form.empty(), listing.source, ": its images are in memory, there is nothing to decode");
  require_data(!listing.images.empty(), listing.source, ": has no images");
  const std::size_t count = listing.images.size();
  const std::string temporary = path + ".tmp", ids = id_lines(listing);
  const auto size = [](int extent) { return static_cast<std::uint64_t>(extent); };
  std::vector<TensorPlan> tensors = {
      {"images", "U8", {count, size(listing.height), size(listing.width), size(listing.channels)}},
      {"content", "U64", {count}},
      {"stamps", "I64", {count, 3}},
      {"ids", "U8", {ids.size()}}};
  Decoding decoding{listing, skip_unreadable, threads};
  std::ofstream out(temporary, std::ios::binary | std::ios::trunc);
  if (!out) fail(ErrorKind::io, temporary, ": cannot be written");
  out << safetensors_header(tensors, {{"format", format_name}, {"form", listing.form}}, page_bytes);
  CacheResult result;
  const auto begin = std::chrono::steady_clock::now();
  constexpr std::size_t block = 512;
  try {
    for (std::size_t first = 0; first < count; first += block) {
      const std::vector<std::uint8_t> pixels = decoding.block(first, std::min(block, count - first));
      out.write(reinterpret_cast<const char*>(pixels.data()), static_cast<std::streamsize>(pixels.size()));
      if (done) done(static_cast<int>(std::min(first + block, count)));
    }
  } catch (...) {
    std::error_code ignored;
    std::filesystem::remove(temporary, ignored);
    throw;
  }
  result.decode_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  result.unreadable = std::move(decoding.unreadable);
  result.images = static_cast<int>(count - result.unreadable.size());
  const auto write = [&](const auto& values) {
    out.write(reinterpret_cast<const char*>(values.data()),
              static_cast<std::streamsize>(values.size() * sizeof values[0]));
  };
  write(decoding.content);
  write(decoding.stamps);
  out << ids;
  out.close();
  if (!out) fail(ErrorKind::io, temporary, ": cannot be written");
  std::error_code error;
  std::filesystem::rename(temporary, path, error);
  if (error) fail(ErrorKind::io, path, ": cannot be written: ", error.message());
  return result;
}

}  // namespace preceptor
