// Zip archives (data.pkl and data/0, data/1, ...), and the older chain of pickles and storages.
#include "engine/files/torch_container.h"

#include <cstring>
#include <fstream>
#include <map>

#include "engine/files/check.h"
#include "engine/files/file.h"
#include "engine/files/zip_archive.h"

namespace preceptor {
namespace {

using Kind = PickleValue::Kind;

std::optional<ElementFormat> storage_format(std::string name) {
  constexpr std::pair<const char*, const char*> storages[] = {
      {"torch.DoubleStorage", "F64"},    {"torch.FloatStorage", "F32"}, {"torch.HalfStorage", "F16"},
      {"torch.BFloat16Storage", "BF16"}, {"torch.LongStorage", "I64"},  {"torch.IntStorage", "I32"},
      {"torch.ShortStorage", "I16"},     {"torch.CharStorage", "I8"},   {"torch.ByteStorage", "U8"},
      {"torch.BoolStorage", "BOOL"}};
  if (name.starts_with("torch.cuda.")) name.erase(6, 5);
  for (const auto& [storage, element] : storages)
    if (name == storage) return element_format(element);
  return std::nullopt;
}

class ZipContainer : public TorchContainer {
 public:
  explicit ZipContainer(const std::string& path) : zip_(path) {
    constexpr std::string_view pickle_name = "/data.pkl";
    int found = 0;
    for (const std::string& name : zip_.names()) {
      if (!name.ends_with(pickle_name) || name.find('/') != name.size() - pickle_name.size()) continue;
      folder_ = name.substr(0, name.size() - pickle_name.size() + 1);
      ++found;
    }
    require_data(found == 1, path, ": is a zip archive, but none of torch.save: it has ", found,
                 " members FOLDER/data.pkl");
    require_data(!zip_.contains(folder_ + "constants.pkl"), path,
                 ": is a TorchScript program; in Python: torch.save(torch.jit.load(FILE).state_dict(), 'weights.pth')");
    if (zip_.contains(folder_ + "byteorder"))
      require_data(read_small("byteorder", 16) == "little", path, ": was written on a machine of another byte order");
    pickle_ = parse_pickle(read_small("data.pkl", pickle_largest_bytes), path + ": member " + folder_ + "data.pkl");
    file_bytes_ = zip_.file_bytes();
  }

  std::string read(const TorchStorage& storage, const std::string& tensor) const override {
    const std::string member = folder_ + "data/" + storage.key;
    ZipMember file = zip_.open(member, member, true);
    require_data(file.bytes() % storage.format.bytes == 0 && file.bytes() / storage.format.bytes == storage.elements,
                 tensor, ": its storage of ", storage.elements, " elements is not the ", file.bytes(),
                 " bytes of member ", member);
    return read_all(file);
  }

 private:
  static std::string read_all(ZipMember& file) {
    std::string bytes(file.bytes(), '\0');
    file.read(bytes.data(), bytes.size());
    file.expect_end();
    return bytes;
  }
  std::string read_small(const std::string& member, std::uint64_t largest) const {
    ZipMember file = zip_.open(folder_ + member, folder_ + member, true);
    require_data(file.bytes() <= largest, zip_.path(), ": member ", folder_, member, ": ", file.bytes(),
                 " bytes are more than the ", largest, " that are read");
    return read_all(file);
  }

  ZipArchive zip_;
  std::string folder_;  // of all members, with its slash
};

// The pickle of a long number that legacy files begin with.
constexpr std::string_view legacy_magic("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.", 15);

// Five pickles (a magic number, a version, the writer's machine, the object, the keys of the storages in their order),
// then the storages, each with its number of elements before it.
class LegacyContainer : public TorchContainer {
 public:
  explicit LegacyContainer(const std::string& path) : path_(path), file_(read_file(path)) {
    file_bytes_ = file_.size();
    std::string_view rest(file_);
    require_data(rest.starts_with(legacy_magic), path, ": is no file of torch.save");
    rest.remove_prefix(legacy_magic.size());
    take_pickle(rest, "the version");
    const Pickle machine = take_pickle(rest, "the machine");
    const PickleValue* little = machine.find(machine[machine.root], "little_endian");
    require_data(little != nullptr && little->integer == 1, path, ": was written on a machine of another byte order");
    pickle_ = take_pickle(rest, "the object");
    find_storages(take_pickle(rest, "the keys"), rest);
  }

  std::string read(const TorchStorage& storage, const std::string& tensor) const override {
    const auto found = places_.find(storage.key);
    require_data(found != places_.end(), tensor, ": its storage ", storage.key, " is missing");
    const auto& [begin, bytes] = found->second;
    require_data(bytes % storage.format.bytes == 0 && bytes / storage.format.bytes == storage.elements, tensor,
                 ": its storage of ", storage.elements, " elements is not the ", bytes, " bytes of the file");
    return file_.substr(begin, bytes);
  }

 private:
  Pickle take_pickle(std::string_view& rest, const char* what) const {
    return parse_first_pickle(rest, path_ + ": " + what + " before the storages");
  }

  void find_storages(const Pickle& keys, std::string_view rest) {
    // Only the object says how wide a storage's elements are.
    std::map<std::string, std::size_t> widths;
    for (const PickleValue& value : pickle_.values) {
      if (value.kind != Kind::persistent || is_class(value)) continue;
      const TorchStorage storage = storage_from(pickle_, value, path_ + ": a tensor");
      widths[storage.key] = storage.format.bytes;
    }
    require_data(keys[keys.root].kind == Kind::list, path_, ": the keys of the storages are no list");
    for (const PickleRef ref : keys[keys.root].items) {
      const std::string& key = keys[ref].text;
      const auto width = widths.find(key);
      require_data(keys[ref].kind == Kind::text && width != widths.end(), path_, ": storage ", key.substr(0, 200),
                   " belongs to no tensor");
      std::uint64_t elements = 0;
      require_data(rest.size() >= sizeof elements, path_, ": ends before storage ", key);
      std::memcpy(&elements, rest.data(), sizeof elements);
      rest.remove_prefix(sizeof elements);
      require_data(elements <= rest.size() / width->second, path_, ": storage ", key, " of ", elements,
                   " elements goes beyond the end of the file");
      const std::uint64_t bytes = elements * width->second;
      require_data(places_.emplace(key, std::pair(file_.size() - rest.size(), bytes)).second, path_, ": storage ", key,
                   " is given twice");
      rest.remove_prefix(bytes);
    }
    require_data(rest.empty(), path_, ": has ", rest.size(), " bytes after the last storage");
  }

  // Classes of modules are stored in the same way as storages, with their source text, which is not read.
  bool is_class(const PickleValue& persistent) const {
    const PickleValue& id = pickle_[persistent.items[0]];
    return id.kind == Kind::tuple && !id.items.empty() && pickle_[id.items[0]].text == "module";
  }

  const std::string path_;
  const std::string file_;
  std::map<std::string, std::pair<std::uint64_t, std::uint64_t>> places_;  // begin and bytes within the file
};

}  // namespace

TorchStorage storage_from(const Pickle& pickle, const PickleValue& persistent, const std::string& tensor) {
  require_data(persistent.kind == Kind::persistent, tensor, ": its storage is none");
  const PickleValue& id = pickle[persistent.items[0]];
  // Five facts; the older container adds a sixth, None unless the storage is part of another.
  require_data(id.kind == Kind::tuple &&
                   (id.items.size() == 5 || (id.items.size() == 6 && pickle[id.items[5]].kind == Kind::none)),
               tensor, ": its storage has not five facts");
  const PickleValue &word = pickle[id.items[0]], &type = pickle[id.items[1]], &key = pickle[id.items[2]],
                    &count = pickle[id.items[4]];
  require_data(word.kind == Kind::text && word.text == "storage" && type.kind == Kind::global &&
                   key.kind == Kind::text && key.text.size() <= 200 && count.kind == Kind::integer &&
                   count.integer >= 0,
               tensor, ": the facts of its storage are of wrong kinds");
  const auto format = storage_format(type.text);
  require_data(format.has_value(), tensor, ": storages of type ", type.text.substr(0, 200), " are not read");
  return {key.text, *format, static_cast<std::uint64_t>(count.integer)};
}

bool begins_like_legacy_torch(const std::string& begin) { return begin.starts_with(legacy_magic); }

std::unique_ptr<TorchContainer> open_torch_container(const std::string& path) {
  std::string begin(legacy_magic.size(), '\0');
  std::ifstream(path, std::ios::binary).read(begin.data(), static_cast<std::streamsize>(begin.size()));
  if (begins_like_legacy_torch(begin)) return std::make_unique<LegacyContainer>(path);
  return std::make_unique<ZipContainer>(path);
}

}  // namespace preceptor
