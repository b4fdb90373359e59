// preceptor-export: a checkpoint as an ONNX file.
#include <cstdio>

#include "apps/command_line/command_line.h"
#include "engine/files/file.h"
#include "models/onnx.h"

namespace preceptor {
namespace {

int run_export(int argc, char** argv) {
  std::string checkpoint, out;
  OnnxOptions options;
  OptionTable table;
  table(checkpoint, "checkpoint", "FILE", "best.safetensors or last.safetensors of a run", {.required = true});
  table(out, "--out", "FILE", "ONNX file to write", {.required = true});
  table(options.fold, "--fold", "Fold batch norms into the convolutions before them: fewer nodes, faster");
  table(options.probabilities, "--probabilities", "Add an output `probabilities` next to `logits`");
  const CommandHelp help = {
      "preceptor-export", "Writes a checkpoint as an ONNX file for other runtimes.",
      "Example:\n"
      "  preceptor-export runs/student/best.safetensors --out student.onnx --fold --probabilities\n\n"
      "The file's input is normalized: (pixel / 255 - mean) / deviation, channels first. Its metadata hold the mean,\n"
      "the deviation, the labels, the task and the size."};
  if (!parse_command_line(help, table, argc, argv)) return 0;
  const auto context = Context::on_cpu(0, 0);
  const LoadedModel model = load_model(*context, load_card_checkpoint(checkpoint));
  const std::string bytes = onnx_model(model, options);
  write_file_atomically(out, bytes);
  std::printf("%s: %s, input [batch, %d, %d, %d], %d outputs, %.1f MiB\n", out.c_str(), model.card.network.name.c_str(),
              model.card.network.in_channels, model.card.height, model.card.width, model.card.network.outputs,
              static_cast<double>(bytes.size()) / 0x1p20);
  return 0;
}

}  // namespace
}  // namespace preceptor

int main(int argc, char** argv) { return preceptor::run_app(argc, argv, preceptor::run_export); }
