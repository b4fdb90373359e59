// preceptor-predict: a checkpoint over images, folders or a data set, as a CSV file of probabilities.
#include <unistd.h>

#include <bit>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <future>
#include <iostream>

#include "apps/command_line/command_line.h"
#include "apps/command_line/progress.h"
#include "apps/inference/card_and_data.h"
#include "apps/inference/operating_point.h"
#include "data/formats/open_dataset.h"
#include "data/images/image.h"
#include "data/parallel.h"
#include "data/storage/image_files.h"
#include "data/tables/table.h"
#include "models/loaded_model.h"

namespace preceptor {
namespace {

constexpr int batch_auto = -1;

struct PredictOptions {
  std::string checkpoint, out, split = "test", device = "cpu";
  Precision precision = Precision::float32;
  std::vector<std::string> inputs;
  int batch = batch_auto, threads = 0;
  bool logits = false, calibrated = false, decisions = false, quiet = false;
};

bool parse(PredictOptions& options, int argc, char** argv) {
  OptionTable table;
  table(options.inputs, "input", "INPUT", "Images, folders, or FORMAT:PATH as for preceptor-train", {.required = true});
  table(options.checkpoint, "--checkpoint", "FILE", "best.safetensors or last.safetensors of a run",
        {.required = true});
  table(options.out, "--out", "FILE", "CSV file to write; by default stdout");
  table(options.split, "--split", "NAME", "Split of FORMAT:PATH: test, val or train",
        {.one_of = {"test", "val", "train"}});
  table(options.logits, "--logits", "Write logits instead of probabilities");
  table(options.calibrated, "--calibrated",
        "Write probabilities after the scaling that the run fitted on its validation images");
  table(options.decisions, "--decisions",
        "Add a column decision:LABEL, 1 if the probability reaches the threshold that the run chose on its validation "
        "images");
  table(options.batch, "--batch", "COUNT",
        "Images per batch; auto: a power of two up to 64, with at most 2^19 pixels in all",
        {.at_least = 1, .at_most = 1 << 16, .words = {{"auto", std::to_string(batch_auto)}}});
  add_device(table, options.device);
  add_threads(table, options.threads);
  add_precision(table, options.precision);
  add_quiet(table, options.quiet);
  const CommandHelp help = {
      "preceptor-predict", "Writes the probability of every label for every image, as CSV.",
      "Examples:\n"
      "  preceptor-predict --checkpoint runs/student/best.safetensors x-rays/ --out predictions.csv\n"
      "  preceptor-predict --checkpoint runs/student/best.safetensors 'phantom:chest?site=b' --split val\n\n"
      "A folder stands for the images in and below it, in the order of their names. An image that cannot be read is\n"
      "named on stderr and left out; the exit code is then 65, and the file holds all others."};
  if (!parse_command_line(help, table, argc, argv)) return false;
  require(!options.logits || !options.calibrated, "--logits and --calibrated exclude each other");
  return true;
}

std::size_t batch_size(int batch, const ModelCard& card) {
  if (batch != batch_auto) return static_cast<std::size_t>(batch);
  const std::size_t pixels = static_cast<std::size_t>(card.height) * static_cast<std::size_t>(card.width);
  // Measured at 224 pixels: ResNet-18 gains up to 8 and stays there, DenseNet-121 loses beyond.
  return std::clamp<std::size_t>(std::bit_floor((1u << 19) / pixels), 1, 64);
}

// An image by the name that stands in the table, read when it is its turn.
struct Source {
  std::string name;
  std::function<Image(const ModelCard&)> read;  // as the network takes it
};

void add_file(const std::filesystem::path& path, std::vector<Source>& sources) {
  sources.push_back({path.string(), [name = path.string()](const ModelCard& card) {
                       return read_image(name, card.network.in_channels, card.height, card.width);
                     }});
}

void add_folder(const std::string& folder, std::vector<Source>& sources) {
  const std::vector<std::string> files = image_files_below(folder);
  require_data(!files.empty(), folder, ": holds no images");
  for (const std::string& file : files) add_file(std::filesystem::path(folder) / file, sources);
}

void add_dataset(const std::string& spec, const std::string& split_name, std::vector<Source>& sources) {
  const auto data = std::make_shared<const Dataset>(open_dataset(spec));
  const Split& split = split_named(*data, split_name, spec);
  for (int i = 0; i < split.count; ++i)
    sources.push_back({split.ids[static_cast<std::size_t>(i)], [data, &split, i](const ModelCard& card) {
                         const Image image = with_channels(image_at(*data, split, i), card.network.in_channels);
                         return resized(image, card.height, card.width);
                       }});
}

std::vector<Source> find_sources(const PredictOptions& options) {
  std::vector<Source> sources;
  for (const std::string& input : options.inputs) {
    if (std::filesystem::is_directory(input))
      add_folder(input, sources);
    else if (std::filesystem::exists(input))
      add_file(input, sources);
    else if (input.find(':') != std::string::npos)
      add_dataset(input, options.split, sources);
    else
      fail(ErrorKind::missing_input, input, ": is not there");
  }
  return sources;
}

// An image as the network takes it, or why it could not be read.
struct ReadImage {
  std::vector<std::uint8_t> pixels;
  std::string error;
};

// Reads the images [begin, end).
std::vector<ReadImage> read_batch(const std::vector<Source>& sources, std::size_t begin, std::size_t end,
                                  const ModelCard& card, int threads) {
  std::vector<ReadImage> images(end - begin);
  parallel_for(static_cast<int>(images.size()), threads, [&](int i) {
    try {
      images[i].pixels = sources[begin + i].read(card).pixels;
    } catch (const Error& error) {
      images[i].error = error.what();
    }
  });
  return images;
}

// The cells of a batch: numbers [images, outputs], and decisions [images, thresholds] if they are asked for.
struct Cells {
  std::vector<float> scores;
  std::vector<std::string> decisions;  // "1", "0", or nothing where no threshold could be chosen
};

Cells cells_of(const PredictOptions& options, const LoadedModel& model, const std::vector<std::uint8_t>& pixels) {
  if (options.logits && !options.decisions) return {model.logits(pixels), {}};
  const ModelCard& card = model.card;
  const std::size_t outputs = card.labels.size();
  const std::vector<float> probabilities = model.probabilities(pixels);
  Cells cells{options.logits ? model.logits(pixels) : probabilities, {}};
  if (options.decisions) {
    const std::vector<double>& thresholds = card.operating_point->thresholds;
    // Two classes have one threshold, that of the second.
    const std::size_t first = outputs - thresholds.size();
    for (std::size_t i = 0; i < probabilities.size(); i += outputs)
      for (std::size_t j = 0; j < thresholds.size(); ++j)
        cells.decisions.push_back(std::isnan(thresholds[j])                       ? ""
                                  : probabilities[i + first + j] >= thresholds[j] ? "1"
                                                                                  : "0");
  }
  if (options.calibrated) {
    const std::vector<double> scaled = calibrated(*card.operating_point, card.task, static_cast<int>(outputs),
                                                  {probabilities.begin(), probabilities.end()});
    for (std::size_t i = 0; i < scaled.size(); ++i) cells.scores[i] = static_cast<float>(scaled[i]);
  }
  return cells;
}

void write_header(std::ostream& csv, const PredictOptions& options, const ModelCard& card) {
  csv << "path";
  for (const std::string& label : card.labels) csv << ',' << csv_field(label);
  if (options.decisions)
    for (std::size_t j = card.labels.size() - card.operating_point->thresholds.size(); j < card.labels.size(); ++j)
      csv << ',' << csv_field("decision:" + card.labels[j]);
  csv << '\n';
}

void write_rows(std::ostream& csv, const std::vector<Source>& sources, const std::vector<std::size_t>& images,
                const Cells& cells) {
  const std::vector<float>& scores = cells.scores;
  const std::size_t outputs = scores.size() / images.size(), decisions = cells.decisions.size() / images.size();
  for (std::size_t i = 0; i < images.size(); ++i) {
    csv << csv_field(sources[images[i]].name);
    for (std::size_t j = 0; j < outputs; ++j) {
      char text[32];
      const auto number = std::to_chars(text, text + sizeof text, scores[i * outputs + j]);
      csv << ',' << std::string_view(text, number.ptr);
    }
    for (std::size_t j = 0; j < decisions; ++j) csv << ',' << cells.decisions[i * decisions + j];
    csv << '\n';
  }
}

// Writes the table; returns how many images could not be read. While the network computes, the next batch is read.
std::size_t predict(const PredictOptions& options, const LoadedModel& model, const std::vector<Source>& sources,
                    std::ostream& csv) {
  write_header(csv, options, model.card);
  // No bar between the rows of a table that is shown on the same terminal.
  const bool show_progress = !options.out.empty() || ::isatty(STDOUT_FILENO) == 0;
  ImageProgress progress(sources.size(), options.quiet);
  const std::size_t size = batch_size(options.batch, model.card);
  const auto read = [&](std::size_t begin) {
    return std::async(std::launch::async, [&, begin] {
      return read_batch(sources, begin, std::min(begin + size, sources.size()), model.card, options.threads);
    });
  };
  std::size_t unreadable = 0;
  std::future<std::vector<ReadImage>> next = read(0);
  for (std::size_t begin = 0; begin < sources.size(); begin += size) {
    const std::vector<ReadImage> batch = next.get();
    if (begin + size < sources.size()) next = read(begin + size);
    std::vector<std::uint8_t> pixels;
    std::vector<std::size_t> rows;
    for (std::size_t i = 0; i < batch.size(); ++i) {
      pixels.insert(pixels.end(), batch[i].pixels.begin(), batch[i].pixels.end());
      if (batch[i].error.empty())
        rows.push_back(begin + i);
      else
        progress.note("preceptor-predict: " + batch[i].error);
    }
    unreadable += batch.size() - rows.size();
    if (!rows.empty()) write_rows(csv, sources, rows, cells_of(options, model, pixels));
    if (show_progress) progress(std::min(begin + size, sources.size()));
  }
  const std::size_t done = sources.size() - unreadable;
  if (options.quiet) return unreadable;
  progress.note(message(done, " images in ", std::round(progress.seconds() * 100) / 100, " s, ",
                        std::lround(static_cast<double>(done) / progress.seconds()), " images/s, ", size,
                        " at a time"));
  return unreadable;
}

void require_written(const std::ostream& csv, const std::string& name) {
  if (!csv) fail(ErrorKind::io, name, " cannot be written");
}

int run_predict(int argc, char** argv) {
  PredictOptions options;
  if (!parse(options, argc, argv)) return 0;
  const auto context = open_context(options.device, options.threads, 0, options.precision);
  const LoadedModel model = load_model(*context, load_card_checkpoint(options.checkpoint));
  require_data(
      model.card.operating_point || !(options.calibrated || options.decisions), options.checkpoint,
      ": holds no operating point for --calibrated and --decisions; a run writes one into best.safetensors when "
      "it finishes");
  require_data(!options.logits || !model.card.cumulative, options.checkpoint,
               ": --logits: the network was trained with --ordinal, and its outputs are not those of single grades");
  const std::vector<Source> sources = find_sources(options);
  std::size_t unreadable = 0;
  if (options.out.empty()) {
    unreadable = predict(options, model, sources, std::cout);
    require_written(std::cout.flush(), "stdout");
  } else {
    // The table appears whole or not at all.
    const std::string temporary = options.out + ".tmp";
    std::ofstream csv(temporary);
    require_written(csv, temporary);
    unreadable = predict(options, model, sources, csv);
    csv.close();
    require_written(csv, temporary);
    std::filesystem::rename(temporary, options.out);
  }
  require_data(unreadable == 0, unreadable, " of ", sources.size(), " images could not be read");
  return 0;
}

}  // namespace
}  // namespace preceptor

int main(int argc, char** argv) { return preceptor::run_app(argc, argv, preceptor::run_predict); }
