// Files as torch.save writes them, from the opcodes up, for tests to spoil.
#pragma once

#include "tests/support/zip_bytes.h"

namespace preceptor::test {

// Opcodes that push one value each.
inline std::string text(const std::string& value) { return "X" + little_endian(value.size(), 4) + value; }
inline std::string number(std::int64_t value) {  // LONG1
  return "\x8a\x08" + little_endian(static_cast<std::uint64_t>(value), 8);
}
inline std::string global(const std::string& module, const std::string& name) {
  return "c" + module + "\n" + name + "\n";
}
inline std::string joined(const std::vector<std::string>& parts) {
  std::string all;
  for (const std::string& part : parts) all += part;
  return all;
}
inline std::string tuple(const std::vector<std::string>& items) { return "(" + joined(items) + "t"; }
inline std::string dict(const std::vector<std::pair<std::string, std::string>>& items) {
  std::string all = "}(";
  for (const auto& [key, value] : items) all += text(key) + value;
  return all + "u";
}
inline std::string call(const std::string& module, const std::string& name, const std::vector<std::string>& arguments) {
  return global(module, name) + tuple(arguments) + "R";
}
inline std::string numbers(const std::vector<std::int64_t>& values) {
  std::vector<std::string> items;
  for (const std::int64_t value : values) items.push_back(number(value));
  return tuple(items);
}

// A view of the storage data/`key`; sizes and strides in elements.
struct View {
  std::string type = "FloatStorage", key = "0";
  std::int64_t elements = 0, offset = 0;
  std::vector<std::int64_t> sizes, strides;
};
inline std::string storage(const View& view) {
  return tuple({text("storage"), global("torch", view.type), text(view.key), text("cpu"), number(view.elements)}) + "Q";
}
inline std::string tensor(const View& view) {
  return call("torch._utils", "_rebuild_tensor_v2",
              {storage(view), number(view.offset), numbers(view.sizes), numbers(view.strides), "\x89",
               global("collections", "OrderedDict") + ")R"});
}
inline std::string parameter(const View& view) {
  return call("torch._utils", "_rebuild_parameter",
              {tensor(view), "\x88", global("collections", "OrderedDict") + ")R"});
}
// A module of torch.nn: parameters, buffers and modules are the items of its dicts.
using Items = std::vector<std::pair<std::string, std::string>>;
inline std::string module(const std::string& name, const Items& parameters, const Items& buffers,
                          const Items& modules) {
  return global("torch.nn", name) + ")\x81" +
         dict({{"training", "\x89"},
               {"_parameters", dict(parameters)},
               {"_buffers", dict(buffers)},
               {"_modules", dict(modules)}}) +
         "b";
}

inline std::string pickle(const std::string& value) { return "\x80\x02" + value + "."; }

using Storages = std::vector<std::pair<std::string, std::string>>;  // by key

inline Members torch_members(const std::string& data, const Storages& storages) {
  Members members{{"archive/data.pkl", data}, {"archive/byteorder", "little"}};
  for (const auto& [key, bytes] : storages) members.push_back({"archive/data/" + key, bytes});
  members.push_back({"archive/version", "3\n"});
  return members;
}
inline std::string torch_archive(const std::string& data, const Storages& storages) {
  return stored_archive(torch_members(data, storages));
}

// As torch.save before PyTorch 1.6: pickles, then every storage after its number of elements, all `width` bytes wide.
inline const std::string legacy_magic("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.", 15);
inline std::string legacy_torch_file(const std::string& data, const Storages& storages, std::size_t width = 4) {
  std::string keys = "](", values;
  for (const auto& [key, bytes] : storages) {
    keys += text(key);
    values += little_endian(bytes.size() / width, 8) + bytes;
  }
  return legacy_magic + pickle("M\xe9\x03") + pickle(dict({{"little_endian", "\x88"}})) + data + pickle(keys + "e") +
         values;
}

}  // namespace preceptor::test
