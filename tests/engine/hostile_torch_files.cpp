// Files that claim to be of PyTorch and break a rule: of pickles, of archives, of tensors.
#include "tests/engine/hostile_torch_files.h"

#include <cstdint>
#include <utility>

#include "tests/support/torch_writer.h"

namespace preceptor::test {
namespace {

using Table = std::vector<Hostile>;

// The bytes of each entry are a pickle.
Table hostile_calls() {
  return {
      {"posix.system", pickle(call("posix", "system", {text("echo broken > /tmp/broken")})),
       "wants posix.system called"},
      {"builtins.eval within a state dict",
       pickle(dict({{"a", tensor(six_values)}, {"b", call("builtins", "eval", {text("1")})}})), "builtins.eval"},
      {"a call hidden on a dict's state", pickle(dict({{"a", tensor(six_values)}}) + call("os", "remove", {}) + "b"),
       "os.remove"},
      {"a call with a computed callee", pickle(text("os.system") + ")R"), "without a name"},
      {"call without arguments", pickle(global("collections", "OrderedDict") + "R"), "not there"},
      {"call of something twice", pickle(global("os", "system") + "]R"), "without a name"},
  };
}

Table hostile_opcodes() {
  Table table;
  const auto add = [&](const std::string& name, const std::string& data, const std::string& reason) {
    table.push_back({name, data, reason});
  };
  for (const char code : std::string("ILSVFld012gpPio\x8b\x8d\x8e\x8f\x90\x91\x92\x96\x97\x98\x82\x83\x84"))
    add("opcode " + std::to_string(static_cast<unsigned char>(code)),
        pickle(std::string(1, code) + std::string(20, 'x')), "is no instruction that weights need");
  for (const int code : {0, 1, 10, 33, 64, 127, 0x99, 0xff})
    add("unknown opcode " + std::to_string(code), pickle(std::string(1, static_cast<char>(code))),
        "there is no such instruction");
  for (const char code : std::string("QRbsuaeteq.\x81\x85\x86\x87\x93\x94"))
    add("opcode on an empty stack " + std::to_string(static_cast<unsigned char>(code)),
        pickle(std::string(1, code) + std::string(1, '\0')), "pickle byte 2");
  for (const char code : std::string("JKMGXTUBChjqr\x8a\x8c\x95"))
    add("operand cut off " + std::to_string(static_cast<unsigned char>(code)), "\x80\x02" + std::string(1, code),
        "beyond the end");
  return table;
}

Table hostile_instructions() {
  return {
      {"no bytes", "", "beyond the end"},
      {"no STOP", "\x80\x02}", "beyond the end"},
      {"protocol 0", std::string("\x80\0}.", 4), "protocols 2 to 5"},
      {"protocol 6", "\x80\x06}.", "protocols 2 to 5"},
      {"protocol declared late", pickle("\x80\x02}"), "protocols 2 to 5"},
      {"two values", pickle("}}"), "more or less than one value"},
      {"open mark", pickle("(}"), "more or less than one value"},
      {"bytes after the end", pickle("}") + "N", "follow the end"},
      {"text of 4 GiB", "\x80\x02X\xff\xff\xff\xff.", "beyond the end"},
      {"global without an end", pickle("c" + std::string(100'000, 'x')), "a name has no end"},
      {"unknown memo", pickle("h\x05"), "never remembered"},
      {"number of 80 bits", pickle("\x8a\x0a" + std::string(10, '\x01')), "64 bits"},
      {"odd items", pickle("}(" + text("a") + "u"), "a key has no value"},
      {"items of a number", pickle("K\x01" + text("a") + "K\x01s"), "no dict"},
      {"append to a tuple",
       pickle(")K\x01"
              "a"),
       "no list"},
      {"state of a number", pickle("K\x01}b"), "no object"},
      {"state twice", pickle(global("torch.nn", "Module") + ")\x81}b}b"), "twice"},
      {"object of a text", pickle(text("a") + ")\x81"), "no class"},
      {"global of numbers", pickle("K\x01K\x01\x93"), "no text"},
  };
}

Table hostile_state_dicts() {
  return {
      {"the root is a number", pickle("K\x01"), "neither a state dict nor a module"},
      {"the root is a list", pickle("]"), "neither a state dict nor a module"},
      {"the root is a tensor", pickle(tensor(six_values)), "neither a state dict nor a module"},
      {"an empty dict", pickle("}"), "holds no tensors"},
      {"no tensors", pickle(dict({{"a", text("b")}})), "holds no tensors"},
      {"a wrapper of itself", pickle("}q\x01" + text("model") + "h\x01s"), "within themselves"},
      {"a module within itself",
       pickle(global("torch.nn", "M") + ")\x81q\x01" +
              dict({{"_parameters", "}"}, {"_buffers", "}"}, {"_modules", dict({{"x", "h\x01"}})}}) + "b"),
       "within itself"},
      {"a module without state", pickle(global("torch.nn", "M") + ")\x81"), "has no state"},
      {"an object that is no module", pickle(global("argparse", "Namespace") + ")\x81}b"), "none of torch.nn"},
      {"a module of a list", pickle(global("torch.nn", "M") + ")\x81]b"), "none of torch.nn"},
      {"a module without buffers",
       pickle(global("torch.nn", "M") + ")\x81" + dict({{"_modules", "}"}, {"_parameters", "}"}}) + "b"),
       "torch.save(model.state_dict()"},
      {"a parameter of text", pickle(module("M", {{"a", text("b")}}, {}, {})), "something else than tensors"},
      {"a module of text", pickle(module("M", {}, {}, {{"a", text("b")}})), "something else than modules"},
      {"a parameter of a parameter",
       pickle(dict({{"a", call("torch._utils", "_rebuild_parameter", {parameter(six_values), "\x88", "}"})}})),
       "parameter within a parameter"},
      {"a parameter of nothing", pickle(dict({{"a", call("torch._utils", "_rebuild_parameter", {})}})),
       "without a tensor"},
  };
}

Table hostile_tensors() {
  return {
      {"a tensor of nothing", pickle(dict({{"a", call("torch._utils", "_rebuild_tensor_v2", {})}})), "is missing"},
      {"a tensor of text",
       pickle(dict({{"a", call("torch._utils", "_rebuild_tensor_v2", {text("x"), number(0), ")", ")"})}})),
       "storage is none"},
      {"a storage of text",
       pickle(dict({{"a", call("torch._utils", "_rebuild_tensor_v2", {text("x") + "Q", number(0), ")", ")"})}})),
       "five facts"},
      {"a name given twice", pickle(dict({{"a", tensor(six_values)}, {"a", tensor(six_values)}})), "given twice"},
      {"a name that is a number", pickle("}(K\x01" + tensor(six_values) + "u"), "no text"},
      {"a name of 1 MB", pickle(dict({{std::string(1'000'000, 'x'), tensor(six_values)}})), "too long"},
  };
}

struct HostileView {
  std::string name;
  View view;
  std::string reason;
};

// Views of a storage of six floats.
std::vector<HostileView> hostile_views() {
  return {
      {"storage of complex numbers", {"ComplexFloatStorage", "0", 6, 0, {1}, {1}}, "ComplexFloatStorage are not read"},
      {"storage that is a function", {"load", "0", 6, 0, {1}, {1}}, "torch.load are not read"},
      {"storage of another width", {"DoubleStorage", "0", 6, 0, {1}, {1}}, "is not the 24 bytes"},
      {"storage longer than its member", {"FloatStorage", "0", 7, 0, {1}, {1}}, "is not the 24 bytes"},
      {"storage shorter than its member", {"FloatStorage", "0", 5, 0, {1}, {1}}, "is not the 24 bytes"},
      {"storage of 2^62 elements", {"FloatStorage", "0", 1ll << 62, 0, {1}, {1}}, "is not the 24 bytes"},
      {"storage of -1 elements", {"FloatStorage", "0", -1, 0, {1}, {1}}, "wrong kinds"},
      {"member that is not there", {"FloatStorage", "1", 6, 0, {1}, {1}}, "archive/data/1: is missing"},
      {"member above the folder", {"FloatStorage", "../byteorder", 6, 0, {1}, {1}}, "is missing"},
      {"empty key", {"FloatStorage", "", 6, 0, {1}, {1}}, "is missing"},
      {"view too long", with_window(0, {7}, {1}), "beyond its storage"},
      {"view too long by its offset", with_window(1, {2, 3}, {3, 1}), "beyond its storage"},
      {"view too long by its stride", with_window(0, {2, 3}, {4, 1}), "beyond its storage"},
      {"view beyond its storage", with_window(6, {1}, {1}), "begins beyond"},
      {"offset of -1", with_window(-1, {1}, {1}), "no position"},
      {"offset of 2^63 - 1", with_window(INT64_MAX, {2}, {1}), "begins beyond"},
      {"stride of -1", with_window(5, {2}, {-1}), "negative"},
      {"stride of 2^63 - 1", with_window(0, {3}, {INT64_MAX}), "beyond its storage"},
      {"size of -1", with_window(0, {-1}, {1}), "no count"},
      {"size of 2^31", with_window(0, {1ll << 31}, {0}), "no count"},
      {"sizes that multiply to 2^62", with_window(0, {1 << 30, 1 << 30, 4}, {0, 0, 0}), "twice the file's bytes"},
      {"sizes that multiply to 2^64", with_window(0, {1 << 30, 1 << 30, 1 << 4}, {0, 0, 0}), "twice the file's bytes"},
      {"a value repeated 10^9 times", with_window(0, {1'000'000'000}, {0}), "twice the file's bytes"},
      {"nine dimensions", with_window(0, std::vector<std::int64_t>(9, 1), std::vector<std::int64_t>(9, 1)),
       "8 dimensions"},
      {"fewer strides than sizes", with_window(0, {2, 3}, {1}), "8 dimensions"},
  };
}

// Archives that lie about their members.
Table hostile_archives() {
  const std::string data = pickle(dict({{"a", tensor(six_values)}}));
  const Members good = torch_members(data, {{"0", six}});
  Table files;
  const auto add = [&](const std::string& name, Members members, const std::string& reason) {
    files.push_back({name, stored_archive(members), reason});
  };
  const auto replaced = [&](std::size_t index, const std::string& name, const std::string& content) {
    Members members = good;
    members[index] = {name, content};
    return members;
  };
  const auto with_member = [&](const std::string& name, const std::string& content) {
    Members members = good;
    members.push_back({name, content});
    return members;
  };
  add("no data.pkl", replaced(0, "archive/data.txt", data), "has 0 members");
  add("two data.pkl", with_member("other/data.pkl", data), "has 2 members");
  add("data.pkl without a folder", replaced(0, "data.pkl", data), "has 0 members");
  add("data.pkl deeper", replaced(0, "a/b/data.pkl", data), "has 0 members");
  add("another byte order", replaced(1, "archive/byteorder", "big"), "byte order");
  add("a long byte order", replaced(1, "archive/byteorder", std::string(100, 'x')), "more than the 16");
  add("TorchScript", with_member("archive/constants.pkl", data), "TorchScript");
  add("a member twice", with_member("archive/data/0", six), "appears twice");
  add("no storage", {good[0], good[1]}, "archive/data/0: is missing");
  add("a pickle of 33 MiB", replaced(0, "archive/data.pkl", std::string(33u << 20, ')')), "more than the 33554432");
  add("a shorter storage", replaced(2, "archive/data/0", six.substr(1)), "is not the 23 bytes");
  return files;
}

// An archive with bytes of its directory or of a member's header replaced.
Table damaged_archives() {
  const std::string data = pickle(dict({{"a", tensor(six_values)}}));
  Table files;
  const std::string whole = stored_archive(torch_members(data, {{"0", six}}));
  const auto patched = [&](const std::string& name, const std::string& from, std::size_t skip, std::size_t offset,
                           const std::string& bytes, const std::string& reason) {
    std::string file = whole;
    std::size_t at = file.find(from);
    for (; skip > 0; --skip) at = file.find(from, at + 1);
    file.replace(at + offset, bytes.size(), bytes);
    files.push_back({name, file, reason});
  };
  const std::string central = "PK\x01\x02", local = "PK\x03\x04";
  // The third directory entry is data/0: method at 10, checksum at 16, sizes at 20 and 24, place of the member at 42.
  patched("a deflated member", central, 2, 10, little_endian(8, 2), "");
  patched("an encrypted member", central, 2, 8, little_endian(1, 2), "");
  patched("a member packed by lzma", central, 2, 10, little_endian(14, 2), "neither stored nor deflated");
  patched("a wrong checksum", central, 2, 16, little_endian(1, 4), "");
  patched("a member of 4 GB", central, 2, 20, little_endian(0xfffffff0u, 4) + little_endian(0xfffffff0u, 4), "");
  patched("a stored member that grows", central, 2, 24, little_endian(0x7fffffff, 4), "cannot hold");
  patched("a member over another", central, 2, 42, little_endian(0, 4), "");
  patched("a member outside the file", central, 2, 42, little_endian(0x7fffffff, 4), "");
  patched("a member in the directory", central, 2, 42, little_endian(whole.size() - 30, 4), "");
  patched("a directory outside the file", "PK\x05\x06", 0, 16, little_endian(0x7fffffff, 4), "");
  patched("a directory of 65,535 entries", "PK\x05\x06", 0, 8, "\xff\xff\xff\xff", "");
  patched("a member after a long name", local, 2, 26, "\xff\xff", "");
  return files;
}

}  // namespace

std::vector<Hostile> hostile_torch_files() {
  Table files;
  for (const Table& pickles :
       {hostile_calls(), hostile_opcodes(), hostile_instructions(), hostile_state_dicts(), hostile_tensors()})
    for (const Hostile& each : pickles)
      files.push_back({each.name, torch_archive(each.bytes, {{"0", six}}), each.reason});
  for (const HostileView& each : hostile_views()) {
    const std::string data = pickle(dict({{"a", tensor(each.view)}}));
    files.push_back({each.name, torch_archive(data, {{"0", six}}), each.reason});
  }
  for (const Table& archives : {hostile_archives(), damaged_archives()})
    files.insert(files.end(), archives.begin(), archives.end());
  return files;
}

}  // namespace preceptor::test
