// The cache file: its header checked against its size, its stamps against the files, its pixels mapped.
#include "data/storage/image_cache.h"

#include <sys/stat.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "data/parallel.h"
#include "data/storage/image_hash.h"
#include "data/storage/mapped_file.h"
#include "engine/files/check.h"
#include "engine/files/file.h"

namespace preceptor {
namespace {

using nlohmann::json;
constexpr const char* format_name = "preceptor-images-1";
constexpr std::uint64_t longest_header = 1 << 20;

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
  return hash == 0 ? 1 : hash;  // 0 says that the image could not be read
}

// Where the parts of a cache lie in its bytes.
struct Layout {
  std::string form;
  std::uint64_t count = 0, image_bytes = 0;
  std::uint64_t images = 0, content = 0, stamps = 0, ids = 0, end = 0;
};

Layout parse_header(std::span<const std::uint8_t> bytes, const std::string& path) {
  std::uint64_t length = 0;
  if (bytes.size() >= 8) std::memcpy(&length, bytes.data(), 8);
  require_data(length >= 2 && length <= longest_header && length <= bytes.size() - 8, path,
               ": is no cache of images: its header does not fit into the file");
  const json header =
      json::parse(bytes.begin() + 8, bytes.begin() + 8 + static_cast<std::ptrdiff_t>(length), nullptr, false);
  const auto text = [&](const char* key) {
    const auto meta = header.is_object() ? header.find("__metadata__") : header.end();
    if (meta == header.end() || !meta->is_object() || !meta->contains(key) || !(*meta)[key].is_string())
      return std::string();
    return (*meta)[key].get<std::string>();
  };
  require_data(!header.is_discarded() && text("format") == format_name, path,
               ": is no cache of images of this version");
  Layout layout;
  layout.form = text("form");
  const std::uint64_t data = 8 + length, size = bytes.size() - data;
  // Begin of a tensor in the file; its bytes are counted in `part`.
  const auto find = [&](const char* name, std::uint64_t& part) {
    try {
      const auto offsets = header.at(name).at("data_offsets").get<std::array<std::uint64_t, 2>>();
      require_data(offsets[0] <= offsets[1] && offsets[1] <= size, path, ": tensor ", name, " lies outside the file");
      part = offsets[1] - offsets[0];
      return data + offsets[0];
    } catch (const json::exception&) {
      fail(ErrorKind::data, path, ": tensor ", name, " is missing or misdescribed");
    }
  };
  std::uint64_t images = 0, content = 0, stamps = 0, ids = 0;
  layout.images = find("images", images);
  layout.content = find("content", content);
  layout.stamps = find("stamps", stamps);
  layout.ids = find("ids", ids);
  layout.end = layout.ids + ids;
  layout.count = content / 8;
  require_data(layout.count > 0 && content % 8 == 0 && stamps == layout.count * sizeof(Stamp) &&
                   images % layout.count == 0 && images > 0,
               path, ": its tensors do not belong together");
  layout.image_bytes = images / layout.count;
  return layout;
}

class CachedImages final : public ImageSource {
 public:
  CachedImages(const std::string& path, Images decoded, const std::vector<std::string>& ids, const std::string& form)
      : ImageSource(decoded->count(), decoded->image_bytes()), path_(path), file_(path), decoded_(std::move(decoded)) {
    layout_ = parse_header(file_.bytes(), path);
    require_data(layout_.form == form && layout_.image_bytes == image_bytes(), path, ": holds images of ", layout_.form,
                 ", wanted are ", form);
    find_slots(ids);
    compare_with_files();
  }

  void read(int position, std::span<std::uint8_t> pixels) const override {
    const std::int64_t slot = slots_.at(static_cast<std::size_t>(position));
    if (slot < 0) return decoded_->read(position, pixels);
    require(pixels.size() == image_bytes(), "images: ", pixels.size(), " bytes for an image of ", image_bytes());
    std::memcpy(pixels.data(), file_.bytes().data() + layout_.images + static_cast<std::uint64_t>(slot) * image_bytes(),
                image_bytes());
  }
  std::string file(int position) const override { return decoded_->file(position); }
  bool decodes() const override { return some_decoded_; }

 private:
  template <class Value>
  Value entry(std::uint64_t table, std::int64_t slot) const {
    Value value;
    std::memcpy(&value, file_.bytes().data() + table + static_cast<std::uint64_t>(slot) * sizeof value, sizeof value);
    return value;
  }

  void find_slots(const std::vector<std::string>& ids) {
    std::unordered_map<std::string_view, std::int64_t> slot_of;
    const auto* names = reinterpret_cast<const char*>(file_.bytes().data());
    std::uint64_t at = layout_.ids;
    for (std::uint64_t slot = 0; slot < layout_.count; ++slot) {
      const void* end = at < layout_.end ? std::memchr(names + at, '\n', layout_.end - at) : nullptr;
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
      const std::int64_t slot = slots_[static_cast<std::size_t>(i)];
      if (slot < 0) return;
      const std::string name = decoded_->file(i);
      stamps[static_cast<std::size_t>(i)] = stamp_of(name);
      if (stamps[static_cast<std::size_t>(i)] == entry<Stamp>(layout_.stamps, slot)) return;
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
      cache.seekp(static_cast<std::streamoff>(layout_.stamps + static_cast<std::uint64_t>(slots_[i]) * sizeof(Stamp)));
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

// The header, padded so that the pixels begin at a page.
std::string header_text(const Dataset& data, std::uint64_t count, std::uint64_t id_bytes) {
  const std::uint64_t images = count * data.image_bytes(), content = images + count * 8, stamps = content + count * 24;
  json header;
  header["__metadata__"] = {{"format", format_name}, {"form", data.image_form}};
  header["images"] = {
      {"dtype", "U8"}, {"shape", {count, data.height, data.width, data.channels}}, {"data_offsets", {0, images}}};
  header["content"] = {{"dtype", "U64"}, {"shape", {count}}, {"data_offsets", {images, content}}};
  header["stamps"] = {{"dtype", "I64"}, {"shape", {count, 3}}, {"data_offsets", {content, stamps}}};
  header["ids"] = {{"dtype", "U8"}, {"shape", {id_bytes}}, {"data_offsets", {stamps, stamps + id_bytes}}};
  std::string text = header.dump();
  text.resize((text.size() + 8 + 4095) / 4096 * 4096 - 8, ' ');
  const std::uint64_t length = text.size();
  return std::string(reinterpret_cast<const char*>(&length), 8) + text;
}

// All images of a data set, decoded block by block, and what is noted of their files.
class Decoding {
 public:
  Decoding(const Dataset& data, bool skip_unreadable, int threads)
      : image_bytes_(data.image_bytes()), skip_unreadable_(skip_unreadable), threads_(threads) {
    for (const Split* split : {&data.train, &data.val, &data.test})
      for (int i = 0; i < split->count; ++i) {
        const std::string& id = split->ids[static_cast<std::size_t>(i)];
        require_data(id.find('\n') == std::string::npos, data.source, ": an image's id has a line break in it: ", id);
        places_.push_back({split, i});
      }
    require_data(!places_.empty(), data.source, ": has no images");
    content_.resize(places_.size(), 0);
    stamps_.resize(places_.size());
  }

  std::size_t count() const { return places_.size(); }
  std::string ids() const {
    std::string text;
    for (const Place& place : places_) text += place.split->ids[static_cast<std::size_t>(place.position)] + "\n";
    return text;
  }
  const std::vector<std::uint64_t>& content() const { return content_; }
  const std::vector<Stamp>& stamps() const { return stamps_; }
  const std::vector<std::string>& unreadable() const { return unreadable_; }

  // The pixels of images first..first+count-1; zeros for an unreadable one.
  std::vector<std::uint8_t> block(std::size_t first, std::size_t count) {
    std::vector<std::uint8_t> pixels(count * image_bytes_, 0);
    std::vector<std::string> reasons(count);
    parallel_for(static_cast<int>(count), threads_, [&](int i) {
      const auto at = static_cast<std::size_t>(i);
      try {
        decode(first + at, {pixels.data() + at * image_bytes_, image_bytes_});
      } catch (const Error& error) {
        if (!skip_unreadable_) throw;
        reasons[at] = error.what();
      }
    });
    for (std::string& reason : reasons)
      if (!reason.empty()) unreadable_.push_back(std::move(reason));
    return pixels;
  }

 private:
  struct Place {
    const Split* split;
    int position;
  };

  void decode(std::size_t i, std::span<std::uint8_t> pixels) {
    const Place& place = places_[i];
    const std::string file = place.split->images->file(place.position);
    const Stamp before = stamp_of(file);
    place.split->images->read(place.position, pixels);
    const std::uint64_t hash = hash_file(file);
    require_data(stamp_of(file) == before, file, ": changes while it is read");
    stamps_[i] = before;
    content_[i] = hash;
  }

  std::size_t image_bytes_;
  bool skip_unreadable_;
  int threads_;
  std::vector<Place> places_;
  std::vector<std::uint64_t> content_;
  std::vector<Stamp> stamps_;
  std::vector<std::string> unreadable_;
};

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

CacheResult write_image_cache(const std::string& path, const Dataset& data, bool skip_unreadable, int threads,
                              const std::function<void(int)>& done) {
  require(!data.image_form.empty(), data.source, ": its images are in memory, there is nothing to decode");
  Decoding decoding(data, skip_unreadable, threads);
  const std::string temporary = path + ".tmp", ids = decoding.ids();
  std::ofstream out(temporary, std::ios::binary | std::ios::trunc);
  if (!out) fail(ErrorKind::io, temporary, ": cannot be written");
  out << header_text(data, decoding.count(), ids.size());
  CacheResult result;
  const auto begin = std::chrono::steady_clock::now();
  constexpr std::size_t block = 512;
  try {
    for (std::size_t first = 0; first < decoding.count(); first += block) {
      const std::vector<std::uint8_t> pixels = decoding.block(first, std::min(block, decoding.count() - first));
      out.write(reinterpret_cast<const char*>(pixels.data()), static_cast<std::streamsize>(pixels.size()));
      if (done) done(static_cast<int>(std::min(first + block, decoding.count())));
    }
  } catch (...) {
    std::error_code ignored;
    std::filesystem::remove(temporary, ignored);
    throw;
  }
  result.decode_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  result.unreadable = decoding.unreadable();
  result.images = static_cast<int>(decoding.count() - result.unreadable.size());
  const auto write = [&](const auto& values) {
    out.write(reinterpret_cast<const char*>(values.data()),
              static_cast<std::streamsize>(values.size() * sizeof values[0]));
  };
  write(decoding.content());
  write(decoding.stamps());
  out << ids;
  out.close();
  if (!out) fail(ErrorKind::io, temporary, ": cannot be written");
  std::error_code error;
  std::filesystem::rename(temporary, path, error);
  if (error) fail(ErrorKind::io, path, ": cannot be written: ", error.message());
  return result;
}

}  // namespace preceptor
