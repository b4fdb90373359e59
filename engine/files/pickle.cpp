// The stack machine of pickles, without the instructions that run code.
#include "engine/files/pickle.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <iomanip>
#include <unordered_map>
#include <utility>

#include "engine/files/check.h"

namespace preceptor {
namespace {

using Kind = PickleValue::Kind;

class Machine {
 public:
  Machine(std::string_view bytes, const std::string& where)
      : bytes_(bytes.substr(0, pickle_largest_bytes)), where_(where) {}

  Pickle run();
  std::size_t consumed() const { return position_; }

 private:
  [[noreturn]] void refuse(const char* reason) const {
    std::ostringstream code;
    code << "0x" << std::hex << std::setfill('0') << std::setw(2) << static_cast<int>(code_);
    fail(ErrorKind::data, where_, ": pickle byte ", start_, ", opcode ", code.str(), ": ", reason);
  }
  void check(bool good, const char* reason) const {
    if (!good) refuse(reason);
  }

  std::string_view take(std::uint64_t count) {
    check(count <= bytes_.size() - position_, "goes beyond the end of the file");
    const std::string_view piece = bytes_.substr(position_, count);
    position_ += count;
    return piece;
  }
  unsigned char byte() { return static_cast<unsigned char>(take(1)[0]); }
  std::uint64_t number(std::size_t width) {  // little-endian, as this machine
    std::uint64_t value = 0;
    std::memcpy(&value, take(width).data(), width);
    return value;
  }
  std::string line() {
    const std::size_t end = bytes_.find('\n', position_);
    check(end != std::string_view::npos && end - position_ <= 1000, "a name has no end");
    std::string text(take(end - position_));
    ++position_;
    return text;
  }

  void push(PickleRef ref) {
    check(stack_.size() < pickle_most_values, "more than 1,000,000 values wait");
    stack_.push_back(ref);
  }
  void make(PickleValue value) {
    check(pickle_.values.size() < pickle_most_values, "more than 1,000,000 values");
    pickle_.values.push_back(std::move(value));
    push(static_cast<PickleRef>(pickle_.values.size() - 1));
  }
  void make_integer(std::int64_t value, Kind kind = Kind::integer) { make({kind, value, 0, {}, {}}); }
  void make_text(Kind kind, std::uint64_t length) { make({kind, 0, 0, std::string(take(length)), {}}); }
  void make_items(Kind kind, std::vector<PickleRef> items) { make({kind, 0, 0, {}, std::move(items)}); }

  // Values above the last mark are all that an opcode may take.
  std::size_t available() const { return stack_.size() - (marks_.empty() ? 0 : marks_.back()); }
  PickleRef pop() {
    check(available() > 0, "takes a value that is not there");
    const PickleRef ref = stack_.back();
    stack_.pop_back();
    return ref;
  }
  PickleRef top() const {
    check(available() > 0, "takes a value that is not there");
    return stack_.back();
  }
  std::vector<PickleRef> pop_last(std::size_t count) {
    check(available() >= count, "takes a value that is not there");
    const std::vector<PickleRef> items(stack_.end() - static_cast<std::ptrdiff_t>(count), stack_.end());
    stack_.resize(stack_.size() - count);
    return items;
  }
  std::vector<PickleRef> pop_to_mark() {
    check(!marks_.empty(), "takes a mark that is not there");
    std::vector<PickleRef> items = pop_last(available());
    marks_.pop_back();
    return items;
  }

  // Instructions of more than a line.
  void set_protocol() {
    const int protocol = byte();
    check(start_ == 0 && protocol >= 2 && protocol <= 5, "protocols 2 to 5 are read, declared once");
  }

  void mark() {
    check(marks_.size() < pickle_most_values, "more than 1,000,000 marks");
    marks_.push_back(stack_.size());
  }

  void make_real() {
    std::uint64_t pattern = 0;  // big-endian, as nothing else here
    for (const char piece : take(8)) pattern = pattern << 8 | static_cast<unsigned char>(piece);
    make({Kind::real, 0, std::bit_cast<double>(pattern), {}, {}});
  }

  void make_long() {
    const std::size_t width = byte();
    check(width <= 8, "the number is longer than 64 bits");
    if (width == 0) return make_integer(0);
    const int unused = static_cast<int>(64 - 8 * width);  // the highest bit is the sign
    make_integer(static_cast<std::int64_t>(number(width) << unused) >> unused);
  }

  void make_global(const std::string& module, const std::string& name) {
    make({Kind::global, 0, 0, module + "." + name, {}});
  }

  void make_global_from_stack() {
    const std::vector<PickleRef> names = pop_last(2);
    const PickleValue &module = pickle_[names[0]], &name = pickle_[names[1]];
    check(module.kind == Kind::text && name.kind == Kind::text && module.text.size() + name.text.size() <= 2000,
          "a global's name is no text");
    make_global(module.text, name.text);
  }

  void make_object() {
    const std::vector<PickleRef> parts = pop_last(2);
    const Kind type = pickle_[parts[0]].kind;
    check((type == Kind::global || type == Kind::persistent) && pickle_[parts[1]].kind == Kind::tuple,
          "makes an object of no class");
    make_items(Kind::object, {parts[0]});
  }

  void remember(std::uint64_t key) {
    check(memo_.size() < pickle_most_values, "more than 1,000,000 values are remembered");
    memo_[key] = top();
  }

  void recall(std::uint64_t key) {
    const auto found = memo_.find(key);
    check(found != memo_.end(), "recalls a value that was never remembered");
    push(found->second);
  }

  void extend(const std::vector<PickleRef>& items, Kind kind) {
    PickleValue& target = pickle_.values[top()];
    check(kind != Kind::dict || items.size() % 2 == 0, "a key has no value");
    if (target.kind == Kind::call) return;
    check(target.kind == kind, kind == Kind::dict ? "sets items of no dict" : "appends to no list");
    target.items.insert(target.items.end(), items.begin(), items.end());
  }

  void reduce() {
    std::vector<PickleRef> parts = pop_last(2);
    const PickleValue &callee = pickle_[parts[0]], &arguments = pickle_[parts[1]];
    check(callee.kind == Kind::global && arguments.kind == Kind::tuple, "calls something without a name");
    if (callee.text != "collections.OrderedDict") return make_items(Kind::call, std::move(parts));
    std::vector<PickleRef> entries;  // Python 2 gave them as a list of pairs, Python 3 sets them afterwards
    if (!arguments.items.empty())
      // The list is used up: one that is given again and again must not grow into many dicts.
      for (const PickleRef pair : std::exchange(pickle_.values[arguments.items[0]].items, {})) {
        const std::vector<PickleRef>& entry = pickle_[pair].items;
        check(entry.size() == 2, "an OrderedDict of something else than pairs");
        entries.insert(entries.end(), entry.begin(), entry.end());
      }
    make_items(Kind::dict, std::move(entries));
  }

  void build() {
    const PickleRef state = pop();
    PickleValue& target = pickle_.values[top()];
    check(target.kind == Kind::object || target.kind == Kind::dict || target.kind == Kind::call,
          "gives a state to no object");
    if (target.kind == Kind::object) {
      check(target.items.size() == 1, "gives an object its state twice");
      target.items.push_back(state);
    }
  }

  struct Instruction;
  static const Instruction instructions[];

  std::string_view bytes_;
  const std::string& where_;
  std::size_t position_ = 0, start_ = 0;  // of the next byte; of the opcode
  unsigned char code_ = 0;
  Pickle pickle_;
  std::vector<PickleRef> stack_;
  std::vector<std::size_t> marks_;  // sizes of the stack
  std::unordered_map<std::uint64_t, PickleRef> memo_;
};

// The opcodes of protocols 0 to 5 under the names of Python's pickletools.
struct Machine::Instruction {
  unsigned char code;
  const char* name;
  void (*run)(Machine& m) = nullptr;  // nullptr: none that weights need
};
constexpr unsigned char stop = '.';

const Machine::Instruction Machine::instructions[] = {
    {0x80, "PROTO", [](Machine& m) { m.set_protocol(); }},
    {0x95, "FRAME", [](Machine& m) { m.number(8); }},  // only a hint for reading ahead
    {stop, "STOP", [](Machine&) {}},
    {'(', "MARK", [](Machine& m) { m.mark(); }},
    {'N', "NONE", [](Machine& m) { m.make({}); }},
    {0x88, "NEWTRUE", [](Machine& m) { m.make_integer(1, Kind::boolean); }},
    {0x89, "NEWFALSE", [](Machine& m) { m.make_integer(0, Kind::boolean); }},
    {'J', "BININT", [](Machine& m) { m.make_integer(static_cast<std::int32_t>(m.number(4))); }},
    {'K', "BININT1", [](Machine& m) { m.make_integer(m.byte()); }},
    {'M', "BININT2", [](Machine& m) { m.make_integer(static_cast<std::int64_t>(m.number(2))); }},
    {0x8a, "LONG1", [](Machine& m) { m.make_long(); }},
    {'G', "BINFLOAT", [](Machine& m) { m.make_real(); }},
    {'X', "BINUNICODE", [](Machine& m) { m.make_text(Kind::text, m.number(4)); }},
    {0x8c, "SHORT_BINUNICODE", [](Machine& m) { m.make_text(Kind::text, m.byte()); }},
    {'T', "BINSTRING", [](Machine& m) { m.make_text(Kind::text, m.number(4)); }},
    {'U', "SHORT_BINSTRING", [](Machine& m) { m.make_text(Kind::text, m.byte()); }},
    {'B', "BINBYTES", [](Machine& m) { m.make_text(Kind::bytes, m.number(4)); }},
    {'C', "SHORT_BINBYTES", [](Machine& m) { m.make_text(Kind::bytes, m.byte()); }},
    {')', "EMPTY_TUPLE", [](Machine& m) { m.make_items(Kind::tuple, {}); }},
    {0x85, "TUPLE1", [](Machine& m) { m.make_items(Kind::tuple, m.pop_last(1)); }},
    {0x86, "TUPLE2", [](Machine& m) { m.make_items(Kind::tuple, m.pop_last(2)); }},
    {0x87, "TUPLE3", [](Machine& m) { m.make_items(Kind::tuple, m.pop_last(3)); }},
    {'t', "TUPLE", [](Machine& m) { m.make_items(Kind::tuple, m.pop_to_mark()); }},
    {']', "EMPTY_LIST", [](Machine& m) { m.make_items(Kind::list, {}); }},
    {'}', "EMPTY_DICT", [](Machine& m) { m.make_items(Kind::dict, {}); }},
    {'a', "APPEND", [](Machine& m) { m.extend(m.pop_last(1), Kind::list); }},
    {'e', "APPENDS", [](Machine& m) { m.extend(m.pop_to_mark(), Kind::list); }},
    {'s', "SETITEM", [](Machine& m) { m.extend(m.pop_last(2), Kind::dict); }},
    {'u', "SETITEMS", [](Machine& m) { m.extend(m.pop_to_mark(), Kind::dict); }},
    {'c', "GLOBAL",
     [](Machine& m) {
       const std::string module = m.line();
       m.make_global(module, m.line());
     }},
    {0x93, "STACK_GLOBAL", [](Machine& m) { m.make_global_from_stack(); }},
    {'Q', "BINPERSID", [](Machine& m) { m.make_items(Kind::persistent, {m.pop()}); }},
    {'R', "REDUCE", [](Machine& m) { m.reduce(); }},
    {0x81, "NEWOBJ", [](Machine& m) { m.make_object(); }},
    {'b', "BUILD", [](Machine& m) { m.build(); }},
    {'q', "BINPUT", [](Machine& m) { m.remember(m.byte()); }},
    {'r', "LONG_BINPUT", [](Machine& m) { m.remember(m.number(4)); }},
    {0x94, "MEMOIZE", [](Machine& m) { m.remember(m.memo_.size()); }},
    {'h', "BINGET", [](Machine& m) { m.recall(m.byte()); }},
    {'j', "LONG_BINGET", [](Machine& m) { m.recall(m.number(4)); }},
    {'I', "INT"}, {'L', "LONG"}, {0x8b, "LONG4"}, {'S', "STRING"}, {'V', "UNICODE"}, {0x8d, "BINUNICODE8"},
    {0x8e, "BINBYTES8"}, {0x96, "BYTEARRAY8"}, {0x97, "NEXT_BUFFER"}, {0x98, "READONLY_BUFFER"}, {'F', "FLOAT"},
    {'l', "LIST"}, {'d', "DICT"}, {0x8f, "EMPTY_SET"}, {0x90, "ADDITEMS"}, {0x91, "FROZENSET"}, {'0', "POP"},
    {'1', "POP_MARK"}, {'2', "DUP"}, {'g', "GET"}, {'p', "PUT"}, {'P', "PERSID"}, {'i', "INST"}, {'o', "OBJ"},
    {0x82, "EXT1"}, {0x83, "EXT2"}, {0x84, "EXT4"}, {0x92, "NEWOBJ_EX"}};

Pickle Machine::run() {
  do {
    start_ = position_;
    code_ = byte();
    const auto known = std::ranges::find(instructions, code_, &Instruction::code);
    check(known != std::end(instructions), "there is no such instruction");
    if (known->run == nullptr) refuse(message(known->name, " is no instruction that weights need").c_str());
    known->run(*this);
  } while (code_ != stop);
  check(stack_.size() == 1 && marks_.empty(), "ends with more or less than one value");
  pickle_.root = stack_[0];
  return std::move(pickle_);
}

}  // namespace

const PickleValue* Pickle::find(const PickleValue& dict, std::string_view key) const {
  if (dict.kind != Kind::dict) return nullptr;
  for (std::size_t i = 0; i + 1 < dict.items.size(); i += 2) {
    const PickleValue& candidate = values[dict.items[i]];
    if (candidate.kind == Kind::text && candidate.text == key) return &values[dict.items[i + 1]];
  }
  return nullptr;
}

Pickle parse_pickle(std::string_view bytes, const std::string& where) {
  Pickle pickle = parse_first_pickle(bytes, where);
  require_data(bytes.empty(), where, ": bytes follow the end of the pickle");
  return pickle;
}

Pickle parse_first_pickle(std::string_view& bytes, const std::string& where) {
  Machine machine(bytes, where);
  Pickle pickle = machine.run();
  bytes.remove_prefix(machine.consumed());
  return pickle;
}

}  // namespace preceptor
