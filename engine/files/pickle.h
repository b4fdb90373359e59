// Reads Python's pickle format as far as PyTorch's files need it, as a list of values; nothing is ever executed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace preceptor {

// A position in Pickle::values. Values refer to each other by position, so shared and cyclic ones cost nothing.
using PickleRef = std::uint32_t;

struct PickleValue {
  enum class Kind {
    none,
    boolean,     // integer is 0 or 1
    integer,     // integer
    real,        // real
    text,        // text
    bytes,       // text
    tuple,       // items
    list,        // items
    dict,        // items: key, value, key, value, ...
    global,      // text: "module.name", a class or function that is only named
    persistent,  // items: PyTorch's description of a storage
    call,        // items: the global that the file wants called, and the tuple of its arguments
    object,      // items: the class (global or persistent), and the state once it was given
  };
  Kind kind = Kind::none;
  std::int64_t integer = 0;
  double real = 0;
  std::string text;
  std::vector<PickleRef> items;
};

struct Pickle {
  std::vector<PickleValue> values;
  PickleRef root = 0;

  const PickleValue& operator[](PickleRef ref) const { return values[ref]; }
  // The value of a dict's text key; nullptr if the key is absent or `dict` is not a dict.
  const PickleValue* find(const PickleValue& dict, std::string_view key) const;
};

// Largest file of a pickle, in bytes, and most values, entries of the stack and of the memo: a state dict has 30 values
// a tensor.
inline constexpr std::uint64_t pickle_largest_bytes = 32u << 20;
inline constexpr std::size_t pickle_most_values = 1'000'000;

// Reads one pickle, protocols 2 to 5. A collections.OrderedDict, empty or of a list of pairs, becomes a dict; every
// other call stays a value of kind call, for the caller to judge. State that a file sets on calls and dicts beyond
// their items is dropped. Errors: data, "`where`: ...", with the byte and the opcode's name: opcodes that state dicts
// do not need, values of a wrong kind, anything beyond the end or the limits above, bytes after the end.
Pickle parse_pickle(std::string_view bytes, const std::string& where);

// The same for bytes that continue after the pickle; removes the pickle from `bytes`.
Pickle parse_first_pickle(std::string_view& bytes, const std::string& where);

}  // namespace preceptor
