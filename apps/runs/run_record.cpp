// Reading of run directories, and names of arms.
#include "apps/runs/run_record.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "apps/evaluation/source.h"
#include "apps/runs/run_directory.h"
#include "engine/files/check.h"
#include "engine/files/file.h"

namespace preceptor {
namespace {

namespace files = std::filesystem;

// "student-seed0" without the seed.
std::string without_seed(std::string name) {
  while (!name.empty() && name.back() >= '0' && name.back() <= '9') name.pop_back();
  for (const char* ending : {"-seed", "_seed", "seed", "-", "_"})
    if (name.size() > std::string(ending).size() && name.ends_with(ending)) {
      name.resize(name.size() - std::string(ending).size());
      break;
    }
  return name;
}

}  // namespace

std::string sha256(const std::string& bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1)
    fail(ErrorKind::internal, "sha256 failed");
  std::string text;
  for (unsigned i = 0; i < size; ++i) {
    constexpr const char* digits = "0123456789abcdef";
    text += {digits[digest[i] >> 4], digits[digest[i] & 15]};
  }
  return text;
}

RunRecord read_run(const std::string& directory) {
  RunRecord run;
  static_cast<RunOutcome&>(run) = read_outcome(directory);
  run.path = directory;
  files::path path = files::path(directory).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();
  run.name = path.filename().string();
  const RunDirectory written(directory);
  const CardCheckpoint checkpoint = load_card_checkpoint(written.best_path());
  run.card = checkpoint.card;
  for (const auto& [name, tensor] : checkpoint.tensors)
    if (!name.ends_with(".running_mean") && !name.ends_with(".running_var")) run.parameters += tensor.values.size();
  const std::string bytes = read_file(written.best_path());
  run.checkpoint_digest = sha256(bytes);
  run.checkpoint_bytes = bytes.size();

  for (const auto& [name, table] : {std::pair{"val", &run.validation}, std::pair{"test", &run.test}}) {
    *table = read_run_predictions(directory, name);
    if (run.card.task == Task::ordinal) table->task = Task::ordinal;
    require_data(table->label_names == run.card.labels && table->rows() > 0, table->source,
                 ": has other labels than the run's checkpoint, or no rows");
  }
  return run;
}

std::vector<RunArm> arms_of(std::vector<RunRecord> runs) {
  std::vector<RunArm> arms;
  for (std::vector<RunRecord>& of_arm : by_arm(std::move(runs))) {
    const std::string& first = of_arm.front().name;
    const std::string shorter = without_seed(first);
    arms.push_back({of_arm.size() > 1 && !shorter.empty() ? shorter : first, "", std::move(of_arm)});
  }
  return arms;
}

}  // namespace preceptor
