// One pass over the files of a data set, spread over the cores.
#include "apps/training/bad_images.h"

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <mutex>
#include <unordered_set>

#include "data/parallel.h"
#include "data/tables/table.h"
#include "engine/files/check.h"

namespace preceptor {
namespace {

// Calls body(name of the split, split, position) for every image that comes from a file.
template <class Body>
void each_file(const Dataset& data, int threads, const Body& body) {
  for (const auto& [name, split] :
       {std::pair{"train", &data.train}, std::pair{"val", &data.val}, std::pair{"test", &data.test}}) {
    const Split& part = *split;
    const std::string part_name = name;
    if (part.count == 0 || part.images->file(0).empty()) continue;
    parallel_for(part.count, threads, [&](int i) { body(part_name, part, i); });
  }
}

std::vector<BadImage> sorted(const std::vector<std::pair<int, BadImage>>& found) {
  std::vector<std::pair<int, BadImage>> bad = found;
  const auto rank = [](const std::string& split) { return split == "train" ? 0 : split == "val" ? 1 : 2; };
  std::sort(bad.begin(), bad.end(), [&](const auto& a, const auto& b) {
    return std::pair(rank(a.second.split), a.first) < std::pair(rank(b.second.split), b.first);
  });
  std::vector<BadImage> result;
  for (auto& [position, image] : bad) result.push_back(std::move(image));
  return result;
}

}  // namespace

void require_image_files(const Dataset& data, int threads) {
  std::vector<std::pair<int, BadImage>> missing;
  std::mutex mutex;
  each_file(data, threads, [&](const std::string& name, const Split& split, int i) {
    std::error_code ignored;
    const std::string file = split.images->file(i);
    if (std::filesystem::exists(file, ignored)) return;
    const std::lock_guard lock(mutex);
    missing.push_back({i, {name, split.ids[static_cast<std::size_t>(i)], file}});
  });
  if (missing.empty()) return;
  const BadImage first = sorted(missing).front();
  fail(ErrorKind::missing_input, data.source, ": ", missing.size(), " of ",
       data.train.count + data.val.count + data.test.count, " images are not there, the first is ", first.reason, " (",
       first.id, "); --on-bad-image skip leaves them out");
}

std::vector<BadImage> find_bad_images(const Dataset& data, int threads, const std::function<void(int)>& done) {
  std::vector<std::pair<int, BadImage>> bad;
  std::mutex mutex;
  std::atomic<int> read = 0;
  each_file(data, threads, [&](const std::string& name, const Split& split, int i) {
    try {
      read_pixels(*split.images, i);
    } catch (const Error& error) {
      const std::lock_guard lock(mutex);
      bad.push_back({i, {name, split.ids[static_cast<std::size_t>(i)], error.what()}});
    }
    const int so_far = ++read;
    if (done && so_far % 64 == 0) done(so_far);
  });
  return sorted(bad);
}

Dataset without_images(const Dataset& data, const std::vector<BadImage>& bad) {
  Dataset result = data;
  for (const auto& [name, split] :
       {std::pair{"train", &result.train}, std::pair{"val", &result.val}, std::pair{"test", &result.test}}) {
    std::unordered_set<std::string> ids;
    for (const BadImage& image : bad)
      if (image.split == name) ids.insert(image.id);
    std::vector<std::int32_t> rows;
    for (std::int32_t i = 0; i < split->count; ++i)
      if (!ids.contains(split->ids[static_cast<std::size_t>(i)])) rows.push_back(i);
    *split = selected(*split, std::move(rows), data.label_width());
  }
  return result;
}

std::string bad_images_table(const std::vector<BadImage>& bad) {
  std::string text = "split,id,reason\n";
  for (const BadImage& image : bad)
    text += image.split + "," + csv_field(image.id) + "," + csv_field(image.reason) + "\n";
  return text;
}

std::vector<BadImage> read_bad_images(const std::string& path) {
  TableReader table(path);
  const std::size_t split = table.require_column("split"), id = table.require_column("id"),
                    reason = table.require_column("reason");
  std::vector<BadImage> bad;
  while (table.next())
    bad.push_back({std::string(table.field(split)), std::string(table.field(id)), std::string(table.field(reason))});
  return bad;
}

}  // namespace preceptor
