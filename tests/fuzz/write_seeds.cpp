// Writes the files that fuzzing starts from: write-seeds FOLDER.
#include <filesystem>
#include <fstream>

#include "engine/files/checkpoint.h"
#include "tests/support/torch_writer.h"

int main(int argc, char** argv) {
  using namespace preceptor::test;
  if (argc != 2) return 64;
  const std::filesystem::path folder(argv[1]);
  const View values{"FloatStorage", "0", 6, 0, {2, 3}, {3, 1}}, strided{"FloatStorage", "0", 6, 0, {3, 2}, {1, 3}},
      count{"LongStorage", "1", 1, 0, {}, {}}, halves{"HalfStorage", "1", 4, 1, {3}, {1}};
  const Items state{{"a", parameter(values)}, {"b", tensor(strided)}, {"n", tensor(count)}, {"h", tensor(halves)}};
  const std::vector<std::string> pickles{
      pickle(dict(state)),
      pickle(dict({{"state_dict", dict(state)}, {"epoch", number(3)}, {"arch", text("resnet18")}})),
      pickle(module("Sequential", state, {}, {{"0", module("Conv2d", {{"weight", parameter(values)}}, {}, {})}}))};
  const auto write = [&](const char* kind, std::size_t number, const std::string& bytes) {
    std::filesystem::create_directories(folder / kind);
    std::ofstream(folder / kind / std::to_string(number), std::ios::binary) << bytes;
  };
  for (std::size_t i = 0; i < pickles.size(); ++i) {
    write("pickle", i, pickles[i]);
    write("torch_file", i, pickles[i]);
    write("zip_archive", i, torch_archive(pickles[i], {{"0", std::string(24, '\1')}, {"1", std::string(8, '\2')}}));
    write("legacy_torch", i,
          legacy_torch_file(pickles[i], {{"0", std::string(24, '\1')}, {"1", std::string(8, '\2')}}));
  }
  std::filesystem::create_directories(folder / "safetensors");
  preceptor::save_safetensors((folder / "safetensors/0").string(), {{"a", {{2}, {1, 2}}}, {"b", {{1, 1}, {3}}}},
                              {{"model", "resnet18"}});
  write("predictions", 0,
        "id,patient,label:a,label:b,probability:a,probability:b\nx,1,0,,0.5,1\ny,\"1\",1,0,0.25,1e-3\n");
  write("predictions", 1, "id,label,probability:a,probability:b\nx,0,0.5,0.5\ny,1,1,0\n");
  write("predictions", 2,
        "image,prob_Mass\nx,0.5\ny,0.25\n\xFFImage Index,Finding Labels\ny,Mass|Edema\nx,No Finding\n");
  return 0;
}
