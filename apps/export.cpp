// preceptor-export: a checkpoint as an ONNX file.
#include <cstdio>

#include "apps/command_line/command_line.h"
#include "apps/command_line/run_app.h"
#include "engine/files/file.h"
#include "models/onnx.h"

namespace preceptor {
namespace {

int run_export(int argc, char** argv) {
  CLI::App app("Writes a checkpoint as an ONNX file for other runtimes.", "preceptor-export");
  app.footer(
      "Example:\n"
      "  preceptor-export runs/student/best.safetensors --out student.onnx --fold --probabilities\n\n"
      "The file's input is normalized: (pixel / 255 - mean) / deviation, channels first. mean, deviation, labels, "
      "task\n"
      "and size stand in its metadata.");
  std::string checkpoint, out;
  OnnxOptions options;
  app.add_option("checkpoint", checkpoint, "best.safetensors or last.safetensors of a run")
      ->type_name("FILE")
      ->required();
  app.add_option("--out", out, "The ONNX file to write")->type_name("FILE")->required();
  app.add_flag("--fold", options.fold, "Make batch norms part of the convolutions before them: fewer nodes, faster");
  app.add_flag("--probabilities", options.probabilities, "Add an output `probabilities` beside `logits`");
  add_config_flag(app);
  if (!parse_command_line(app, argc, argv)) return 0;
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
