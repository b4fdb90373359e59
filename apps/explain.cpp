// preceptor-explain: where networks look, as pictures beside the image, and how often they point at the finding.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>

#include "apps/command_line/command_line.h"
#include "apps/command_line/progress.h"
#include "apps/explanation/heat_map.h"
#include "apps/explanation/pointing.h"
#include "apps/inference/card_and_data.h"
#include "data/formats/open_dataset.h"
#include "data/images/png_writer.h"
#include "data/phantoms/phantom.h"
#include "data/tables/table.h"
#include "engine/files/check.h"
#include "engine/files/file.h"
#include "engine/files/numbers.h"
#include "engine/files/text.h"

namespace preceptor {
namespace {

struct ExplainOptions {
  std::string checkpoint, teacher, data, split = "test", out, boxes, device = "cpu";
  std::vector<std::string> images, labels;
  int count = 8, side = 224, box_size = 0, threads = 0;
  bool json = false, quiet = false;
};

bool parse(ExplainOptions& options, int argc, char** argv) {
  OptionTable table;
  table(options.checkpoint, "--checkpoint", "FILE", "best.safetensors or last.safetensors of a run",
        {.required = true});
  table(options.teacher, "--teacher", "FILE", "Another checkpoint, shown next to it");
  table(options.data, "--data", "FORMAT:PATH", "Images and labels, as for preceptor-train", {.required = true});
  table(options.split, "--split", "NAME", "test, val or train", {.one_of = {"test", "val", "train"}});
  table(options.out, "--out", "DIR", "Folder of the pictures; by default none are made");
  table(options.images, "--images", "ID", "Ids of images, for example test/17,test/3; by default --count of them");
  table(options.count, "--count", "COUNT",
        "How many images: those on which checkpoint and teacher disagree most, or without a teacher those whose\n"
        "probabilities are farthest from the truth",
        {.at_least = 1, .at_most = 10'000});
  table(options.labels, "--labels", "NAME", "Labels to explain; by default the one that each image was chosen for");
  table(options.side, "--side", "PIXELS", "Longer edge of the pictures", {.at_least = 16, .at_most = 4096});
  table(options.boxes, "--boxes", "FILE", "CSV file of boxes around findings, for the pointing game");
  table(options.box_size, "--box-size", "PIXELS", "Edge of the images that the boxes refer to; 0: the size of the data",
        {.at_least = 0, .at_most = 100'000});
  table(options.json, "--json", "Print one JSON object instead of a table");
  add_quiet(table, options.quiet);
  add_device(table, options.device);
  add_threads(table, options.threads);
  return parse_command_line(
      {"preceptor-explain", "Shows where a network looks, alone or next to its teacher, and plays the pointing game.",
       "Examples:\n"
       "  preceptor-explain --checkpoint runs/student/best.safetensors --teacher runs/teacher/best.safetensors\n"
       "                    --data 'phantom:chest?site=b&size=64' --out explained\n"
       "  preceptor-explain --checkpoint runs/cxr/best.safetensors --data chestxray14:nih --boxes boxes.csv --json\n\n"
       "A picture shows the image, then Grad-CAM and the attention map of the checkpoint, then those of the teacher.\n"
       "explanations.csv lists them. The boxes of chest phantoms are known; for other data --boxes names a CSV file\n"
       "with the columns id, label, left, top, width, height."},
      table, argc, argv);
}

// A network with what it said about every image of the split: maps are kept for the findings of the pointing game and
// the chosen images alone.
struct Viewer {
  std::string name;  // "student", "teacher"
  LoadedModel model;
  std::vector<float> probabilities;  // [count, outputs]
};

class Explanation {
 public:
  explicit Explanation(const ExplainOptions& options)
      : options_(options), context_(open_context(options.device, options.threads, 0)) {
    data_ = open_dataset(options_.data);
    split_ = &split_named(data_, options_.split, options_.data);
    add_viewer("student", options_.checkpoint);
    if (!options_.teacher.empty()) add_viewer("teacher", options_.teacher);
  }

  void run() {
    const std::vector<BoxedFinding> findings = boxed_findings();
    require(!options_.out.empty() || !findings.empty(), "nothing to do: neither --out nor boxes around findings");
    if (!options_.out.empty()) write_pictures();
    if (!findings.empty()) print(play(findings));
  }

 private:
  // An image with the label it is shown for.
  struct Choice {
    int image = 0, label = 0;
  };

  void add_viewer(const std::string& name, const std::string& path) {
    const CardCheckpoint checkpoint = load_card_checkpoint(path);
    require_fits(checkpoint, data_);
    require_data(!checkpoint.card.cumulative, path,
                 ": was trained with --ordinal: its outputs, of which maps are made, are not those of single grades");
    require_data(checkpoint.card.height == data_.height && checkpoint.card.width == data_.width, path,
                 ": was trained on images of ", checkpoint.card.height, "x", checkpoint.card.width, ", these have ",
                 data_.height, "x", data_.width);
    viewers_.push_back({name, load_model(*context_, checkpoint), {}});
    Viewer& viewer = viewers_.back();
    constexpr int batch = 64;
    ImageProgress progress(static_cast<std::size_t>(split_->count), options_.quiet);
    std::vector<std::uint8_t> pixels;
    for (int first = 0; first < split_->count; first += batch) {
      const int count = std::min(batch, split_->count - first);
      pixels.resize(static_cast<std::size_t>(count) * data_.image_bytes());
      for (int i = 0; i < count; ++i)
        split_->images->read(first + i, std::span(pixels).subspan(i * data_.image_bytes(), data_.image_bytes()));
      const std::vector<float> some = viewer.model.probabilities(pixels);
      viewer.probabilities.insert(viewer.probabilities.end(), some.begin(), some.end());
      progress(static_cast<std::size_t>(first + count));
    }
  }

  float probability(const Viewer& viewer, int image, int label) const {
    return viewer.probabilities[static_cast<std::size_t>(image) * data_.outputs + label];
  }

  // 1, 0, or NaN where it is unknown.
  float truth(int image, int label) const {
    if (data_.task == Task::multi_label) return split_->labels[static_cast<std::size_t>(image) * data_.outputs + label];
    return class_of(*split_, image) == label ? 1.0f : 0.0f;
  }

  int position_of(const std::string& id) const {
    const auto found = std::ranges::find(split_->ids, id);
    require(found != split_->ids.end(), "--images ", id, ": ", options_.data, " has no such image in ", options_.split,
            "; its first is ", split_->ids.front());
    return static_cast<int>(found - split_->ids.begin());
  }

  int label_of(const std::string& name) const {
    const auto found = std::ranges::find(data_.label_names, name);
    require(found != data_.label_names.end(), "--labels ", name, ": not one of ", list(data_.label_names));
    return static_cast<int>(found - data_.label_names.begin());
  }

  // How far the teacher is from the student, or the student from the truth.
  float surprise(int image, int label) const {
    const float other = viewers_.size() > 1 ? probability(viewers_[1], image, label) : truth(image, label);
    const float distance = std::abs(probability(viewers_[0], image, label) - other);
    return std::isnan(distance) ? -1 : distance;
  }

  // The images, each with the label it was chosen for, or with every label that was asked for.
  std::vector<Choice> choose() const {
    std::vector<int> labels;
    for (const std::string& name : options_.labels.empty() ? data_.label_names : options_.labels)
      labels.push_back(label_of(name));
    const auto choice = [&](int image) {
      return Choice{image, *std::max_element(labels.begin(), labels.end(),
                                             [&](int a, int b) { return surprise(image, a) < surprise(image, b); })};
    };
    std::vector<Choice> images;
    for (const std::string& id : options_.images) images.push_back(choice(position_of(id)));
    if (options_.images.empty()) {
      for (int image = 0; image < split_->count; ++image) images.push_back(choice(image));
      std::stable_sort(images.begin(), images.end(), [&](const Choice& a, const Choice& b) {
        return surprise(a.image, a.label) > surprise(b.image, b.label);
      });
      images.resize(std::min(images.size(), static_cast<std::size_t>(options_.count)));
    }
    if (options_.labels.empty()) return images;
    std::vector<Choice> all;
    for (const Choice& chosen : images)
      for (const int label : labels) all.push_back({chosen.image, label});
    return all;
  }

  Image picture(const Choice& choice) const {
    const Image image = image_at(data_, *split_, choice.image);
    std::vector<Image> parts = {enlarged(image, options_.side)};
    for (const Viewer& viewer : viewers_) {
      const ImageMaps maps = ClassMaps(viewer.model)(image.pixels).front();
      parts.push_back(heat_map(image, shown(maps.classes[static_cast<std::size_t>(choice.label)]), options_.side));
      parts.push_back(heat_map(image, shown(maps.attention), options_.side));
    }
    return image_grid(parts, static_cast<int>(parts.size()));
  }

  void write_pictures() const {
    const std::vector<Choice> choices = choose();
    make_folder(options_.out);
    std::string table = "file,id,label,truth";
    for (const Viewer& viewer : viewers_) table += "," + viewer.name;
    table += "\n";
    int number = 0;
    for (const Choice& choice : choices) {
      char file[32];
      std::snprintf(file, sizeof file, "%03d.png", ++number);
      write_file_atomically(options_.out + "/" + file, png_bytes(picture(choice)));
      const float known = truth(choice.image, choice.label);
      table += message(file, ",", csv_field(split_->ids[static_cast<std::size_t>(choice.image)]), ",",
                       csv_field(data_.label_names[static_cast<std::size_t>(choice.label)]), ",",
                       std::isnan(known) ? ""
                       : known > 0.5f    ? "1"
                                         : "0");
      for (const Viewer& viewer : viewers_) table += "," + number_text(probability(viewer, choice.image, choice.label));
      table += "\n";
    }
    write_file_atomically(options_.out + "/explanations.csv", table);
  }

  // Read from the file; for chest phantoms, taken from their anatomy.
  std::vector<BoxedFinding> boxed_findings() const {
    if (!options_.boxes.empty())
      return read_boxes(options_.boxes, split_->ids, data_.label_names, data_.height, data_.width, options_.box_size);
    const DatasetSpec spec = parse_dataset_spec(options_.data);
    std::vector<BoxedFinding> all;
    if (spec.format != "phantom" || spec.path != "chest") return all;
    const PhantomOptions phantom = phantom_options(spec);
    const PhantomPart part = options_.split == "test"  ? PhantomPart::test
                             : options_.split == "val" ? PhantomPart::val
                                                       : PhantomPart::train;
    for (int image = 0; image < split_->count; ++image)
      for (int label = 0; label < data_.outputs; ++label)
        if (truth(image, label) > 0.5f)
          if (const std::optional<Box> box = phantom_box(phantom, part, image, label))
            all.push_back({image, label, {*box}});
    return all;
  }

  // [viewers][labels]
  std::vector<std::vector<PointingScore>> play(const std::vector<BoxedFinding>& findings) const {
    std::vector<std::vector<PointingScore>> scores;
    for (const Viewer& viewer : viewers_) {
      const ClassMaps maps(viewer.model);
      scores.emplace_back(static_cast<std::size_t>(data_.outputs));
      int mapped = -1;
      ImageMaps of_image;
      for (const BoxedFinding& finding : findings) {
        if (finding.image != mapped) of_image = maps(read_pixels(*split_->images, finding.image)).front();
        mapped = finding.image;
        const auto label = static_cast<std::size_t>(finding.label);
        scores.back()[label].count(finding, highest_point(of_image.classes[label], data_.height, data_.width),
                                   data_.height, data_.width);
      }
    }
    return scores;
  }

  void print(const std::vector<std::vector<PointingScore>>& scores) const {
    nlohmann::ordered_json json = nlohmann::ordered_json::object();
    if (!options_.json)
      std::printf("%-24s %8s %8s   %s\n", "pointing game", "findings", "chance", "hits (95 % interval)");
    for (int label = 0; label < data_.outputs; ++label) {
      const PointingScore& first = scores.front()[static_cast<std::size_t>(label)];
      const std::string& name = data_.label_names[static_cast<std::size_t>(label)];
      if (first.findings == 0) continue;
      if (!options_.json)
        std::printf("%-24s %8llu %8.3f", name.c_str(), static_cast<unsigned long long>(first.findings), first.chance);
      json[name] = {{"findings", first.findings}, {"chance", first.chance}};
      for (std::size_t i = 0; i < viewers_.size(); ++i) {
        const Interval rate = scores[i][static_cast<std::size_t>(label)].rate();
        json[name][viewers_[i].name] = {{"hits", rate.value}, {"low", rate.low}, {"high", rate.high}};
        if (!options_.json)
          std::printf("   %s %.3f (%.3f to %.3f)", viewers_[i].name.c_str(), rate.value, rate.low, rate.high);
      }
      if (!options_.json) std::printf("\n");
    }
    if (options_.json) std::printf("%s\n", json.dump(1).c_str());
  }

  ExplainOptions options_;
  std::unique_ptr<Context> context_;
  Dataset data_;
  const Split* split_ = nullptr;
  std::vector<Viewer> viewers_;
};

int run_explain(int argc, char** argv) {
  ExplainOptions options;
  if (!parse(options, argc, argv)) return 0;
  Explanation(options).run();
  return 0;
}

}  // namespace
}  // namespace preceptor

int main(int argc, char** argv) { return preceptor::run_app(argc, argv, preceptor::run_explain); }
