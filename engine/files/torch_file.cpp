// Finds the tensors in a pickle of torch.save, and reads their values from its storages.
#include "engine/files/torch_file.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/files/check.h"
#include "engine/files/torch_container.h"

namespace preceptor {
namespace {

using Kind = PickleValue::Kind;

constexpr std::size_t most_names = 100'000;  // of tensors and of modules
constexpr int deepest_module = 64;

// The functions that PyTorch's tensors are rebuilt by, which are read as data.
constexpr const char* rebuild_tensor[] = {"torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor"};
constexpr const char* rebuild_parameter[] = {"torch._utils._rebuild_parameter",
                                             "torch._utils._rebuild_parameter_with_state"};
// Calls that occur beside weights (epochs, scores, options) and do nothing but make a value. They are passed over; any
// other call is a reason to distrust the whole file.
constexpr const char* harmless[] = {"collections.OrderedDict",
                                    "collections.defaultdict",
                                    "collections.Counter",
                                    "__builtin__.set",
                                    "builtins.set",
                                    "__builtin__.frozenset",
                                    "builtins.frozenset",
                                    "torch.Size",
                                    "torch.device",
                                    "torch.torch_version.TorchVersion",
                                    "_codecs.encode",
                                    "numpy.dtype",
                                    "numpy.core.multiarray.scalar",
                                    "numpy._core.multiarray.scalar",
                                    "numpy.core.multiarray._reconstruct",
                                    "numpy._core.multiarray._reconstruct",
                                    "pathlib.PosixPath",
                                    "torch.nn.backends.thnn._get_thnn_function_backend"};

template <std::size_t count>
bool is_one_of(const std::string& name, const char* const (&names)[count]) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

// A view of a storage under a name.
struct View {
  std::string name;
  TorchStorage storage;
  std::uint64_t offset = 0;  // in elements
  std::vector<int> sizes;
  std::vector<std::uint64_t> strides;  // in elements

  bool contiguous() const {
    std::uint64_t expected = 1;
    for (std::size_t d = sizes.size(); d-- > 0; expected *= static_cast<std::uint64_t>(sizes[d]))
      if (sizes[d] != 1 && strides[d] != expected) return false;
    return true;
  }
};

class TorchReader {
 public:
  explicit TorchReader(const std::string& path)
      : path_(path), container_(open_torch_container(path)), pickle_(container_->pickle()) {
    check_calls();
    find_tensors();
    read_values();
  }
  TorchFile take() { return std::move(result_); }

 private:
  template <class... Parts>
  void check(bool good, const Parts&... parts) const {
    require_data(good, path_, ": ", parts...);
  }
  bool is_call(const PickleValue& value) const { return value.kind == Kind::call; }
  const std::string& callee(const PickleValue& call) const { return pickle_[call.items[0]].text; }
  bool is_tensor(const PickleValue& value) const {
    return is_call(value) && (is_one_of(callee(value), rebuild_tensor) || is_one_of(callee(value), rebuild_parameter));
  }

  void check_calls() const {
    for (const PickleValue& value : pickle_.values)
      check(!is_call(value) || is_tensor(value) || is_one_of(callee(value), harmless), "wants ",
            is_call(value) ? callee(value).substr(0, 200) : "", " called, which no weights need; nothing was executed");
  }

  void find_tensors() {
    constexpr const char* wrappers[] = {"state_dict", "model_state_dict", "model"};
    PickleRef current = pickle_.root;
    for (int depth = 0;; ++depth) {
      const PickleValue& value = pickle_[current];
      if (value.kind == Kind::object) {
        result_.place += (result_.place.empty() ? "" : ", ") + ("a module of class " + class_name(value));
        return collect_module(value, "", 0);
      }
      check(value.kind == Kind::dict, "holds no tensors by name: neither a state dict nor a module");
      // Beside the weights of a wrapper other tensors may stand, for example the best score.
      const PickleValue* inner = nullptr;
      for (const char* wrapper : wrappers) {
        const PickleValue* candidate = pickle_.find(value, wrapper);
        if (inner || !candidate || (candidate->kind != Kind::dict && candidate->kind != Kind::object)) continue;
        inner = candidate;
        result_.place += (result_.place.empty() ? "" : ".") + std::string(wrapper);
      }
      collect_metadata(value);
      if (inner == nullptr) return collect_dict(value);
      check(depth < 3, "has state dicts within state dicts, or within themselves");
      current = static_cast<PickleRef>(inner - pickle_.values.data());
    }
  }

  void collect_dict(const PickleValue& dict) {
    for (std::size_t i = 0; i + 1 < dict.items.size(); i += 2) {
      const PickleValue &key = pickle_[dict.items[i]], &value = pickle_[dict.items[i + 1]];
      if (is_tensor(value)) {
        check(key.kind == Kind::text, "a tensor's name is no text");
        add(key.text, value);
      }
    }
    check(!views_.empty(), "holds no tensors by name, also not in state_dict, model_state_dict or model");
  }

  // Before PyTorch 1.6 a class stood as ("module", class, file, source).
  std::string class_name(const PickleValue& object) const {
    const PickleValue* type = &pickle_[object.items[0]];
    if (type->kind == Kind::persistent && pickle_[type->items[0]].items.size() > 1)
      type = &pickle_[pickle_[type->items[0]].items[1]];
    return type->kind == Kind::global ? type->text.substr(0, 200) : "without a name";
  }

  void collect_module(const PickleValue& object, const std::string& prefix, int depth) {
    check(depth <= deepest_module, "module ", prefix.substr(0, 200), " lies deeper than ", deepest_module,
          " others, or within itself");
    check(++modules_ <= most_names, "more than ", most_names, " modules");
    const std::string name = class_name(object);
    const auto refuse = [&](const char* reason) {
      check(false, "module ", (prefix + " of class " + name).substr(0, 300), reason,
            "; in Python, save its state: torch.save(model.state_dict(), 'weights.pth')");
    };
    if (object.items.size() < 2) refuse(" has no state");
    const PickleValue& state = pickle_[object.items[1]];
    const PickleValue* modules = pickle_.find(state, "_modules");
    if (modules == nullptr || modules->kind != Kind::dict) refuse(" is none of torch.nn");
    if (depth == 0) collect_metadata(state);
    for (const char* group : {"_parameters", "_buffers"}) {
      const PickleValue* dict = pickle_.find(state, group);
      if (dict == nullptr || dict->kind != Kind::dict) refuse(" keeps its tensors in an unknown way");
      for (std::size_t i = 0; i + 1 < dict->items.size(); i += 2) {
        const PickleValue &key = pickle_[dict->items[i]], &value = pickle_[dict->items[i + 1]];
        if (value.kind == Kind::none) continue;  // a bias that is not there
        if (key.kind != Kind::text || !is_tensor(value)) refuse(" holds something else than tensors");
        add(prefix + key.text, value);
      }
    }
    for (std::size_t i = 0; i + 1 < modules->items.size(); i += 2) {
      const PickleValue &key = pickle_[modules->items[i]], &value = pickle_[modules->items[i + 1]];
      if (value.kind == Kind::none) continue;
      if (key.kind != Kind::text || value.kind != Kind::object) refuse(" has something else than modules inside");
      check(prefix.size() + key.text.size() <= 1000, "module ", prefix.substr(0, 200), ": a name is too long");
      collect_module(value, prefix + key.text + ".", depth + 1);
    }
  }

  void collect_metadata(const PickleValue& dict) {
    Metadata& metadata = result_.checkpoint.metadata;
    for (std::size_t i = 0; i + 1 < dict.items.size() && metadata.size() < 100; i += 2) {
      const PickleValue &key = pickle_[dict.items[i]], &value = pickle_[dict.items[i + 1]];
      if (key.kind != Kind::text || key.text.size() > 200 || key.text.starts_with('_')) continue;
      if (value.kind == Kind::integer || value.kind == Kind::boolean)
        metadata[key.text] = std::to_string(value.integer);
      if (value.kind == Kind::real) metadata[key.text] = nlohmann::json(value.real).dump();
      if (value.kind == Kind::text && value.text.size() <= 1000) metadata[key.text] = value.text;
      const bool texts = value.kind == Kind::list && !value.items.empty() && value.items.size() <= 100 &&
                         std::all_of(value.items.begin(), value.items.end(), [&](PickleRef item) {
                           return pickle_[item].kind == Kind::text && pickle_[item].text.size() <= 200;
                         });
      if (!texts) continue;
      nlohmann::json list = nlohmann::json::array();
      for (const PickleRef item : value.items) list.push_back(pickle_[item].text);
      metadata[key.text] = list.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    }
  }

  void add(const std::string& name, const PickleValue& tensor) {
    View view;
    view.name = name;
    check(name.size() <= 1000, "tensor ", name.substr(0, 200), "...: the name is too long");
    check(views_.size() < most_names, "more than ", most_names, " tensors");
    const PickleValue* call = &tensor;
    if (is_one_of(callee(*call), rebuild_parameter)) {
      const PickleValue& arguments = pickle_[call->items[1]];
      check(!arguments.items.empty() && is_tensor(pickle_[arguments.items[0]]), "tensor ", name,
            ": a parameter without a tensor");
      call = &pickle_[arguments.items[0]];
    }
    check(is_one_of(callee(*call), rebuild_tensor), "tensor ", name, ": a parameter within a parameter");
    const std::vector<PickleRef>& arguments = pickle_[call->items[1]].items;
    check(arguments.size() >= 4, "tensor ", name, ": storage, offset, size or stride is missing");
    view.storage = storage_from(pickle_, pickle_[arguments[0]], path_ + ": tensor " + name);
    describe_window(arguments, view);
    views_.push_back(std::move(view));
  }

  void describe_window(const std::vector<PickleRef>& arguments, View& view) {
    const auto good = [&](bool condition, const char* reason) { check(condition, "tensor ", view.name, ": ", reason); };
    const PickleValue &offset = pickle_[arguments[1]], &sizes = pickle_[arguments[2]], &strides = pickle_[arguments[3]];
    good(offset.kind == Kind::integer && offset.integer >= 0, "its offset is no position");
    good(sizes.kind == Kind::tuple && strides.kind == Kind::tuple && sizes.items.size() == strides.items.size() &&
             sizes.items.size() <= 8,
         "size and stride are not lists of the same at most 8 dimensions");
    view.offset = static_cast<std::uint64_t>(offset.integer);
    bool empty = false;
    for (std::size_t d = 0; d < sizes.items.size(); ++d) {
      const PickleValue &size = pickle_[sizes.items[d]], &stride = pickle_[strides.items[d]];
      good(size.kind == Kind::integer && size.integer >= 0 && size.integer <= 0x7fffffff, "a size is no count");
      good(stride.kind == Kind::integer && stride.integer >= 0, "a stride is negative");
      view.sizes.push_back(static_cast<int>(size.integer));
      view.strides.push_back(static_cast<std::uint64_t>(stride.integer));
      empty |= size.integer == 0;
    }
    if (empty) return;
    good(view.offset < view.storage.elements, "it begins beyond its storage");
    std::uint64_t reached = view.offset, elements = 1;
    for (std::size_t d = 0; d < view.sizes.size(); ++d) {
      const auto steps = static_cast<std::uint64_t>(view.sizes[d] - 1);
      const std::uint64_t room = view.storage.elements - 1 - reached;
      good(view.strides[d] == 0 || steps <= room / view.strides[d], "it goes beyond its storage");
      reached += steps * view.strides[d];
      // elements stays below 2^63: it was at most twice the file's bytes before this multiplication by less than 2^31.
      elements *= steps + 1;
      good(elements <= 2 * container_->file_bytes() - elements_,
           "the tensors hold more values than twice the file's bytes");
    }
    elements_ += elements;
  }

  void read_values() {
    std::map<std::string, std::vector<const View*>> by_storage;  // each storage is read once
    for (const View& view : views_) {
      if (view.storage.format.type == ElementType::whole_number)
        result_.checkpoint.skipped.push_back(view.name);
      else
        by_storage[view.storage.key].push_back(&view);
    }
    for (const auto& [key, views] : by_storage) {
      const TorchStorage& storage = views.front()->storage;
      const std::string bytes = container_->read(storage, path_ + ": tensor " + views.front()->name);
      for (const View* view : views)
        check(view->storage.format.bytes == storage.format.bytes && view->storage.elements == storage.elements,
              "tensor ", view->name, ": says of storage ", key, " something else than tensor ", views.front()->name);
      for (const View* view : views)
        check(result_.checkpoint.tensors.emplace(view->name, gather(*view, bytes)).second, "tensor ", view->name,
              ": the name is given twice");
    }
  }

  PlainTensor gather(const View& view, const std::string& bytes) const {
    PlainTensor tensor{Shape(view.sizes), {}};
    tensor.values.resize(tensor.shape.elements());
    const std::size_t width = view.storage.format.bytes;
    if (tensor.values.empty()) return tensor;
    if (view.contiguous()) {
      to_floats(view.storage.format.type, bytes.data() + view.offset * width, tensor.values.size(),
                tensor.values.data());
      return tensor;
    }
    std::vector<int> index(view.sizes.size(), 0);
    std::uint64_t position = view.offset;
    for (float& value : tensor.values) {
      to_floats(view.storage.format.type, bytes.data() + position * width, 1, &value);
      for (std::size_t d = index.size(); d-- > 0;) {
        position += view.strides[d];
        if (++index[d] < view.sizes[d]) break;
        position -= static_cast<std::uint64_t>(view.sizes[d]) * view.strides[d];
        index[d] = 0;
      }
    }
    return tensor;
  }

  const std::string& path_;
  std::unique_ptr<TorchContainer> container_;
  const Pickle& pickle_;
  std::vector<View> views_;
  std::size_t modules_ = 0;
  std::uint64_t elements_ = 0;
  TorchFile result_;
};

}  // namespace

TorchFile load_torch_file(const std::string& path) { return TorchReader(path).take(); }

}  // namespace preceptor
