// The cache's name and metadata, the pass that fills it, and its rows in training.
#include "apps/training/teachers/teacher_cache.h"

#include <charconv>
#include <cmath>
#include <filesystem>

#include "data/storage/row_file.h"
#include "engine/files/check.h"
#include "engine/files/file.h"
#include "engine/files/text.h"

namespace preceptor {
namespace {

constexpr const char* tap_prefix = "tap:";

std::string hex(std::uint64_t value) {
  char digits[17] = {};
  std::to_chars(digits, digits + 16, value, 16);
  return digits;
}

std::string megabytes(std::uint64_t bytes) {
  const double count = static_cast<double>(bytes) / 1e6;
  return message(count < 10 ? std::ceil(count * 10) / 10 : std::ceil(count), " MB");
}

// The tensors of a batch in device memory, and how a row of each lies there.
struct Parts {
  std::vector<Tensor> tensors;  // logits, then taps
  std::vector<RowTensor> rows;

  Parts(Context& context, const Teachers& teachers, int outputs, const TeacherCacheOptions& options, int batch) {
    const auto add = [&](const std::string& name, const Shape& shape, std::vector<int> sizes) {
      std::vector<int> whole = shape.sizes();
      whole.insert(whole.begin(), batch);
      tensors.push_back(context.empty(Shape(whole), Lifetime::persistent));
      rows.push_back({name, std::move(sizes)});
    };
    add("logits", {outputs}, {outputs});
    for (const std::string& tap : options.taps) {
      const Shape shape = teachers.only_network()->tap(tap, teachers.height(), teachers.width()).shape;
      if (shape.rank() == 1) {
        add(tap_prefix + tap, shape, {shape[0]});
        continue;
      }
      // A map keeps the device's order, in which all of an image lies together.
      const int block = context.device().channel_block(shape[0]);
      add(tap_prefix + tap, shape, {shape[0] / block, shape[1], shape[2], block});
    }
  }
};

std::vector<std::uint64_t> content_of(const Batch& batch) {
  const std::size_t bytes = batch.images.size() / static_cast<std::size_t>(batch.size);
  std::vector<std::uint64_t> content;
  for (int i = 0; i < batch.size; ++i)
    content.push_back(content_hash({batch.images.data() + static_cast<std::size_t>(i) * bytes, bytes}));
  return content;
}

class CachedRows final : public Teacher {
 public:
  CachedRows(const std::string& path, Parts parts, bool by_step, const std::vector<std::string>& ids,
             const std::vector<bool>& taught)
      : Teacher(taught), path_(path), file_(path), parts_(std::move(parts)), by_step_(by_step), ids_(ids) {}
  const RowFile& file() const { return file_; }

  void stage(const Batch& batch, std::int64_t step, Staging& staging) override {
    const auto row_of = [&](int i) {
      return static_cast<std::uint64_t>(by_step_ ? step * batch.size + i
                                                 : batch.positions[static_cast<std::size_t>(i)]);
    };
    const std::vector<std::uint64_t> content = content_of(batch);
    for (int i = 0; i < batch.size; ++i)
      require_data(file_.content(row_of(i)) == content[static_cast<std::size_t>(i)], path_, ": image ",
                   ids_[static_cast<std::size_t>(batch.positions[static_cast<std::size_t>(i)])],
                   " is not the one that the teacher saw; remove the file, and it is made anew");
    for (std::size_t part = 0; part < parts_.rows.size(); ++part)
      for (int i = 0; i < batch.size; ++i) stage_row(part, i, row_of(i), staging);
  }

  Features features(const TeacherInput&, const Tensor&) const override {
    Features features{parts_.tensors[0], {}};
    for (std::size_t part = 1; part < parts_.rows.size(); ++part)
      features.taps[parts_.rows[part].name.substr(std::string(tap_prefix).size())] = parts_.tensors[part];
    return features;
  }

 private:
  // A row of floats goes as it lies in the file.
  void stage_row(std::size_t part, int place, std::uint64_t row, Staging& staging) {
    const std::size_t values = parts_.rows[part].values();
    float* to = parts_.tensors[part].data() + static_cast<std::size_t>(place) * values;
    if (!file_.layout().rounded) {
      const std::span<const std::uint8_t> from = file_.stored(row, part);
      staging.add(to, from.data(), from.size());
      return;
    }
    staged_.resize(values);
    file_.read(row, part, staged_);
    staging.add(to, staged_);
  }

  std::string path_;
  RowFile file_;
  Parts parts_;
  bool by_step_;
  const std::vector<std::string>& ids_;
  std::vector<float> staged_;
};

// Lets the teachers see every image, or every step's images, and writes what they say. seen(images) is called after
// every batch.
template <class Seen>
void fill(Context& context, const Teachers& teachers, const Dataset& dataset, const TeacherCacheOptions& options,
          Loader& loader, RowFileWriter& writer, const Seen& seen) {
  const auto before = context.read_step_state();
  const Shape shape{loader.batch_size(), dataset.channels, dataset.height, dataset.width};
  const Buffer staged(context.pool(Lifetime::persistent), shape.elements());
  std::uint64_t row = 0;
  std::vector<float> values;
  const auto write = [&](std::size_t part, int valid, const Tensor& tensor) {
    Tensor whole = tensor;
    if (tensor.shape().rank() == 4) {  // a tap may be a channel range of a wider map
      whole = context.empty(tensor.shape());
      tensor.copy_to(whole);
    }
    values.resize(whole.shape().elements());
    context.copy_and_wait(values.data(), whole.data(), values.size() * sizeof(float));
    const std::size_t of_row = values.size() / static_cast<std::size_t>(whole.shape()[0]);
    writer.write(row, part, {values.data(), of_row * static_cast<std::size_t>(valid)});
  };
  for (int epoch = 0; epoch < (options.changes.empty() ? 1 : options.epochs); ++epoch) {
    loader.start(epoch);
    while (const Batch* batch = loader.next()) {
      const auto step = static_cast<std::int64_t>(row) / batch->size;
      context.write_step_state({.learning_rate = 0, .step = step, .seed = before.seed});
      context.copy(staged.data(), batch->images.data(), batch->images.size());
      std::vector<std::uint64_t> content = content_of(*batch);
      content.resize(static_cast<std::size_t>(batch->valid));
      writer.write_content(row, content);
      const auto* images = static_cast<const std::uint8_t*>(staged.data());
      const Features features = teachers.features({images, shape, options.motions, options.taps}, Tensor());
      write(0, batch->valid, features.logits);
      for (std::size_t tap = 0; tap < options.taps.size(); ++tap)
        write(1 + tap, batch->valid, features.taps.at(options.taps[tap]));
      row += static_cast<std::uint64_t>(batch->valid);
      seen(row);
    }
  }
  context.write_step_state(before);
}

Metadata metadata_of(Context& context, const Teachers& teachers, const Dataset& dataset,
                     const TeacherCacheOptions& options, int batch) {
  std::uint64_t ids = 0;
  for (const std::string& id : dataset.train.ids) ids = hash_of(id, ids);
  return {{"teachers", hex(teachers.fingerprint())},
          {"data", dataset.source},
          {"images", message(dataset.train.count, " of ", dataset.height, "x", dataset.width, "x", dataset.channels)},
          {"ids", hex(ids)},
          {"batch", std::to_string(batch)},
          {"device", to_string(context.device().kind)},
          {"maps", context.map_storage() == Storage::bfloat16 ? "bfloat16"
                   : context.multiplies_tf32()                ? "tf32"
                                                              : "float32"},
          {"changes", options.changes.empty()
                          ? "none"
                          : message(options.changes, ", seed ", options.loader.seed, ", ", options.epochs, " epochs")}};
}

// Notes what will be written, and refuses it where the disk has not the room.
void forecast(const std::string& path, const RowLayout& layout, const Note& note) {
  std::error_code unknown;
  const std::filesystem::space_info space = std::filesystem::space(std::filesystem::path(path).parent_path(), unknown);
  const std::uint64_t bytes = layout.file_bytes();
  note(message("teacher cache ", path, ": ", layout.rows, " rows of ", list(layout.tensors, &RowTensor::name), " take ",
               megabytes(bytes), unknown ? std::string() : " of the " + megabytes(space.available) + " that are free"));
  if (!unknown && bytes > space.available)
    fail(ErrorKind::io, path, ": would take ", megabytes(bytes), ", and ", megabytes(space.available), " are free");
}

}  // namespace

std::unique_ptr<Teacher> open_teacher_cache(
    Context& context, const Teachers& teachers, const Dataset& dataset, const TeacherCacheOptions& options,
    const Note& note, const std::function<void(std::uint64_t seen, std::uint64_t images)>& progress) {
  require(options.taps.empty() || context.map_storage() == Storage::float32,
          "--teacher-cache: keeps the maps that methods read with --precision float or tf32 only");
  const bool by_step = !options.changes.empty();
  LoaderOptions order = options.loader;
  if (!by_step) {
    order.shuffle = false;
    order.weights.clear();
  }
  Loader loader(dataset, dataset.train, order);
  const int batch = loader.batch_size();
  Parts parts(context, teachers, dataset.outputs, options, batch);
  RowLayout layout{
      .rows = static_cast<std::uint64_t>(dataset.train.count), .rounded = options.rounded, .tensors = parts.rows};
  if (by_step) layout.rows = static_cast<std::uint64_t>(options.epochs) * loader.batches_per_epoch() * batch;
  const Metadata metadata = metadata_of(context, teachers, dataset, options, batch);
  std::uint64_t name = layout.rounded;
  for (const auto& [key, value] : metadata) name = hash_of(value, hash_of(key, name));
  for (const RowTensor& tensor : layout.tensors) name = hash_of(tensor.name, name);
  const std::string path = options.folder + "/" + hex(name) + ".teacher.safetensors";
  if (!std::filesystem::exists(path)) {
    make_folder(options.folder);
    forecast(path, layout, note);
    RowFileWriter writer(path, layout, metadata);
    fill(context, teachers, dataset, options, loader, writer, [&](std::uint64_t seen) { progress(seen, layout.rows); });
    writer.finish();
  } else {
    note(message("teacher cache ", path, ": the teachers' answers are read from it"));
  }
  auto rows = std::make_unique<CachedRows>(path, std::move(parts), by_step, dataset.train.ids, teachers.taught());
  require_data(rows->file().layout() == layout && rows->file().metadata() == metadata, path,
               ": does not hold what its name says; remove the file, and it is made anew");
  return rows;
}

}  // namespace preceptor
