// The stack machine of pickles, without the instructions that run code.
#include "engine/files/pickle.h"

#include <bit>
#include <cstring>
#include <iomanip>
#include <unordered_map>
#include <utility>

#include "engine/files/check.h"

namespace preceptor {
namespace {

using Kind = PickleValue::Kind;

// The opcodes that are read, under the names of Python's pickletools.
enum Opcode : unsigned char {
  PROTO = 0x80,
  FRAME = 0x95,
  STOP = '.',
  MARK = '(',
  NONE = 'N',
  NEWTRUE = 0x88,
  NEWFALSE = 0x89,
  BININT = 'J',
  BININT1 = 'K',
  BININT2 = 'M',
  LONG1 = 0x8a,
  BINFLOAT = 'G',
  BINUNICODE = 'X',
  SHORT_BINUNICODE = 0x8c,
  BINBYTES = 'B',
  SHORT_BINBYTES = 'C',
  BINSTRING = 'T',
  SHORT_BINSTRING = 'U',
  EMPTY_TUPLE = ')',
  TUPLE = 't',
  TUPLE1 = 0x85,
  TUPLE2 = 0x86,
  TUPLE3 = 0x87,
  EMPTY_LIST = ']',
  APPEND = 'a',
  APPENDS = 'e',
  EMPTY_DICT = '}',
  SETITEM = 's',
  SETITEMS = 'u',
  GLOBAL = 'c',
  STACK_GLOBAL = 0x93,
  BINPERSID = 'Q',
  REDUCE = 'R',
  NEWOBJ = 0x81,
  BUILD = 'b',
  BINPUT = 'q',
  LONG_BINPUT = 'r',
  MEMOIZE = 0x94,
  BINGET = 'h',
  LONG_BINGET = 'j',
};

// The other opcodes of protocols 0 to 5, for the message that refuses them.
struct Refused {
  unsigned char code;
  const char* name;
};
constexpr Refused refused_opcodes[] = {
    {'I', "INT"},          {'L', "LONG"},       {0x8b, "LONG4"},      {'S', "STRING"},       {'V', "UNICODE"},
    {0x8d, "BINUNICODE8"}, {0x8e, "BINBYTES8"}, {0x96, "BYTEARRAY8"}, {0x97, "NEXT_BUFFER"}, {0x98, "READONLY_BUFFER"},
    {'F', "FLOAT"},        {'l', "LIST"},       {'d', "DICT"},        {0x8f, "EMPTY_SET"},   {0x90, "ADDITEMS"},
    {0x91, "FROZENSET"},   {'0', "POP"},        {'1', "POP_MARK"},    {'2', "DUP"},          {'g', "GET"},
    {'p', "PUT"},          {'P', "PERSID"},     {'i', "INST"},        {'o', "OBJ"},          {0x82, "EXT1"},
    {0x83, "EXT2"},        {0x84, "EXT4"},      {0x92, "NEWOBJ_EX"}};

class Machine {
 public:
  Machine(std::string_view bytes, const std::string& where)
      : bytes_(bytes.substr(0, pickle_largest_bytes)), where_(where) {}

  Pickle run() {
    do {
      start_ = position_;
      code_ = byte();
    } while (step());
    check(stack_.size() == 1 && marks_.empty(), "ends with more or less than one value");
    pickle_.root = stack_[0];
    return std::move(pickle_);
  }
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
  std::uint64_t number(std::size_t width) {  // little-endian
    std::uint64_t value = 0;
    const std::string_view piece = take(width);
    for (std::size_t i = width; i-- > 0;) value = value << 8 | static_cast<unsigned char>(piece[i]);
    return value;
  }
  std::string line() {
    const std::size_t end = bytes_.find('\n', position_);
    check(end != std::string_view::npos && end - position_ <= 1000, "a name has no end");
    std::string text(take(end - position_));
    ++position_;
    return text;
  }

  bool push(PickleRef ref) {
    check(stack_.size() < pickle_most_values, "more than 1,000,000 values wait");
    stack_.push_back(ref);
    return true;
  }
  bool make(PickleValue value) {
    check(pickle_.values.size() < pickle_most_values, "more than 1,000,000 values");
    pickle_.values.push_back(std::move(value));
    return push(static_cast<PickleRef>(pickle_.values.size() - 1));
  }
  bool make_integer(std::int64_t value, Kind kind = Kind::integer) { return make({kind, value, 0, {}, {}}); }
  bool make_text(Kind kind, std::uint64_t length) { return make({kind, 0, 0, std::string(take(length)), {}}); }
  bool make_items(Kind kind, std::vector<PickleRef> items) { return make({kind, 0, 0, {}, std::move(items)}); }

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

  // Each does one instruction and returns false at the end: literals, values made of others, the memo.
  bool step();
  bool step_of_structure();
  bool step_of_memo();
  bool make_tuple(std::size_t count) { return make_items(Kind::tuple, pop_last(count)); }
  bool make_long();
  bool make_global(const std::string& module, const std::string& name);
  bool remember(std::uint64_t key);
  bool recall(std::uint64_t key);
  bool extend(const std::vector<PickleRef>& items, Kind kind);
  bool reduce();
  bool build();

  std::string_view bytes_;
  const std::string& where_;
  std::size_t position_ = 0, start_ = 0;  // of the next byte; of the opcode
  unsigned char code_ = 0;
  Pickle pickle_;
  std::vector<PickleRef> stack_;
  std::vector<std::size_t> marks_;  // sizes of the stack
  std::unordered_map<std::uint64_t, PickleRef> memo_;
};

bool Machine::step() {
  switch (code_) {
    case PROTO: {
      const int protocol = byte();
      check(start_ == 0 && protocol >= 2 && protocol <= 5, "protocols 2 to 5 are read, declared once");
      return true;
    }
    case FRAME:
      number(8);
      return true;  // only a hint for reading ahead
    case STOP:
      return false;
    case MARK:
      check(marks_.size() < pickle_most_values, "more than 1,000,000 marks");
      marks_.push_back(stack_.size());
      return true;
    case NONE:
      return make({});
    case NEWTRUE:
      return make_integer(1, Kind::boolean);
    case NEWFALSE:
      return make_integer(0, Kind::boolean);
    case BININT:
      return make_integer(static_cast<std::int32_t>(static_cast<std::uint32_t>(number(4))));
    case BININT1:
      return make_integer(byte());
    case BININT2:
      return make_integer(static_cast<std::int64_t>(number(2)));
    case LONG1:
      return make_long();
    case BINFLOAT: {
      std::uint64_t pattern = 0;  // big-endian, as nothing else here
      for (const char piece : take(8)) pattern = pattern << 8 | static_cast<unsigned char>(piece);
      return make({Kind::real, 0, std::bit_cast<double>(pattern), {}, {}});
    }
    case BINUNICODE:
      return make_text(Kind::text, number(4));
    case SHORT_BINUNICODE:
      return make_text(Kind::text, byte());
    case BINSTRING:
      return make_text(Kind::text, number(4));
    case SHORT_BINSTRING:
      return make_text(Kind::text, byte());
    case BINBYTES:
      return make_text(Kind::bytes, number(4));
    case SHORT_BINBYTES:
      return make_text(Kind::bytes, byte());
    default:
      return step_of_structure();
  }
}

bool Machine::step_of_structure() {
  switch (code_) {
    case EMPTY_TUPLE:
      return make_tuple(0);
    case TUPLE1:
      return make_tuple(1);
    case TUPLE2:
      return make_tuple(2);
    case TUPLE3:
      return make_tuple(3);
    case TUPLE:
      return make_items(Kind::tuple, pop_to_mark());
    case EMPTY_LIST:
      return make_items(Kind::list, {});
    case EMPTY_DICT:
      return make_items(Kind::dict, {});
    case APPEND:
      return extend(pop_last(1), Kind::list);
    case APPENDS:
      return extend(pop_to_mark(), Kind::list);
    case SETITEM:
      return extend(pop_last(2), Kind::dict);
    case SETITEMS:
      return extend(pop_to_mark(), Kind::dict);
    case GLOBAL: {
      const std::string module = line();
      return make_global(module, line());
    }
    case STACK_GLOBAL: {
      const std::vector<PickleRef> names = pop_last(2);
      const PickleValue &module = pickle_[names[0]], &name = pickle_[names[1]];
      check(module.kind == Kind::text && name.kind == Kind::text && module.text.size() + name.text.size() <= 2000,
            "a global's name is no text");
      return make_global(module.text, name.text);
    }
    case BINPERSID:
      return make_items(Kind::persistent, {pop()});
    case REDUCE:
      return reduce();
    case NEWOBJ: {
      std::vector<PickleRef> parts = pop_last(2);
      const Kind type = pickle_[parts[0]].kind;
      check((type == Kind::global || type == Kind::persistent) && pickle_[parts[1]].kind == Kind::tuple,
            "makes an object of no class");
      return make_items(Kind::object, {parts[0]});
    }
    case BUILD:
      return build();
    default:
      return step_of_memo();
  }
}

bool Machine::step_of_memo() {
  switch (code_) {
    case BINPUT:
      return remember(byte());
    case LONG_BINPUT:
      return remember(number(4));
    case MEMOIZE:
      return remember(memo_.size());
    case BINGET:
      return recall(byte());
    case LONG_BINGET:
      return recall(number(4));
    default:
      break;
  }
  for (const Refused& refused : refused_opcodes)
    if (refused.code == code_) refuse(message(refused.name, " is no instruction that weights need").c_str());
  refuse("there is no such instruction");
}

bool Machine::make_long() {
  const std::size_t width = byte();
  check(width <= 8, "the number is longer than 64 bits");
  if (width == 0) return make_integer(0);
  const int unused = static_cast<int>(64 - 8 * width);  // the highest bit is the sign
  return make_integer(static_cast<std::int64_t>(number(width) << unused) >> unused);
}

bool Machine::make_global(const std::string& module, const std::string& name) {
  return make({Kind::global, 0, 0, module + "." + name, {}});
}

bool Machine::remember(std::uint64_t key) {
  check(memo_.size() < pickle_most_values, "more than 1,000,000 values are remembered");
  memo_[key] = top();
  return true;
}

bool Machine::recall(std::uint64_t key) {
  const auto found = memo_.find(key);
  check(found != memo_.end(), "recalls a value that was never remembered");
  return push(found->second);
}

bool Machine::extend(const std::vector<PickleRef>& items, Kind kind) {
  PickleValue& target = pickle_.values[top()];
  check(kind != Kind::dict || items.size() % 2 == 0, "a key has no value");
  if (target.kind == Kind::call) return true;
  check(target.kind == kind, kind == Kind::dict ? "sets items of no dict" : "appends to no list");
  target.items.insert(target.items.end(), items.begin(), items.end());
  return true;
}

bool Machine::reduce() {
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
  return make_items(Kind::dict, std::move(entries));
}

bool Machine::build() {
  const PickleRef state = pop();
  PickleValue& target = pickle_.values[top()];
  check(target.kind == Kind::object || target.kind == Kind::dict || target.kind == Kind::call,
        "gives a state to no object");
  if (target.kind == Kind::object) {
    check(target.items.size() == 1, "gives an object its state twice");
    target.items.push_back(state);
  }
  return true;
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
