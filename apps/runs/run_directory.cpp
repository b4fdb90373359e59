// Commit and recovery of run directories.
#include "apps/runs/run_directory.h"

#include <cmath>
#include <filesystem>
#include <system_error>

#include "apps/runs/results.h"
#include "engine/files/check.h"
#include "engine/files/file.h"
#include "engine/files/numbers.h"

namespace preceptor {
namespace {

namespace files = std::filesystem;
constexpr const char* state_format = "preceptor-state-1";

// visit(key, member, lowest value of a whole number) for all that the metadata hold.
template <class State, class Visit>
void visit_numbers(State& state, const Visit& visit) {
  visit("epoch", state.epoch, 1);
  visit("step", state.step, 1);
  visit("schedule_best", state.schedule.best, 0);
  visit("schedule_waited", state.schedule.waited, -1);
  visit("schedule_scale", state.schedule.scale, 0);
  visit("best_epoch", state.best_epoch, 1);
  visit("best_val_auc", state.best_val_auc, 0);
  visit("best_val_loss", state.best_val_loss, 0);
  visit("balanced", state.balanced, 0);
}

Metadata state_metadata(const RunState& state) {
  Metadata metadata = {{"format", state_format}};
  visit_numbers(state, [&](const char* key, auto value, int) {
    if constexpr (std::is_integral_v<decltype(value)>)
      metadata[key] = std::to_string(value);
    else
      metadata[key] = number_text(value);
  });
  return metadata;
}

RunState state_from(Checkpoint checkpoint, const std::string& path) {
  require_data(checkpoint.metadata["format"] == state_format, path, ": not the state of a run of this version");
  RunState state;
  visit_numbers(state, [&]<class T>(const std::string& key, T& member, int low) {
    const auto found = checkpoint.metadata.find(key);
    // States of earlier versions do not have it.
    if (found == checkpoint.metadata.end() && key == "balanced") return;
    const std::optional<double> value = found == checkpoint.metadata.end() ? std::nullopt : parse_number(found->second);
    require_data(value.has_value(), path, ": the metadata's ", key, " is missing or no number");
    const bool counts = *value >= low && *value <= 9e15 && *value == std::floor(*value);
    require_data(counts || !std::is_integral_v<T>, path, ": the metadata's ", key, " is ", *value);
    member = static_cast<T>(*value);
  });
  require_data(state.balanced >= 0 && state.balanced < 1e9, path, ": the metadata's balanced is ", state.balanced);
  state.tensors = std::move(checkpoint.tensors);
  return state;
}

void rename_file(const std::string& from, const std::string& to) {
  std::error_code error;
  files::rename(from, to, error);
  if (error) fail(ErrorKind::io, to, ": cannot be renamed to: ", error.message());
}

}  // namespace

bool RunDirectory::holds_run() const {
  std::error_code ignored;
  return files::exists(config_path(), ignored);
}

void RunDirectory::create(const std::string& config, const std::string& split, const std::string& bad_images) const {
  make_folder(path_);
  write_file_atomically(split_path(), split);
  if (!bad_images.empty()) write_file_atomically(bad_images_path(), bad_images);
  write_file_atomically(config_path(), config);
}

std::optional<RunDirectory::Committed> RunDirectory::last(std::optional<int> of_first) const {
  if (of_first && files::exists(next_state_path())) {
    if (state_from(load_safetensors(next_state_path()), next_state_path()).epoch == *of_first)
      rename_file(next_state_path(), state_path());
    else
      files::remove(next_state_path());
  }
  if (!files::exists(state_path())) {
    require_data(of_first.value_or(0) == 0, state_path(), ": is not there, but the first peer's is of epoch ",
                 of_first.value_or(0));
    return std::nullopt;
  }
  Committed committed;
  committed.state = state_from(load_safetensors(state_path()), state_path());
  const int epoch = committed.state.epoch;
  require_data(epoch == of_first.value_or(epoch), state_path(), ": is of epoch ", epoch,
               ", but the first peer's of epoch ", of_first.value_or(epoch));
  if (files::exists(next_path())) {
    if (load_card_checkpoint(next_path()).card.epoch == epoch)
      rename_file(next_path(), last_path());
    else
      files::remove(next_path());
  }
  committed.weights = load_card_checkpoint(last_path());
  require_data(committed.weights.card.epoch == epoch, last_path(), ": is of epoch ", committed.weights.card.epoch,
               ", but ", state_path(), " of epoch ", epoch);
  committed.rows = read_metrics(metrics_path());
  require_data(committed.rows.size() >= static_cast<std::size_t>(epoch), metrics_path(), ": has ",
               committed.rows.size(), " epochs, but ", state_path(), " is of epoch ", epoch);
  committed.rows.resize(static_cast<std::size_t>(epoch));
  return committed;
}

void RunDirectory::prepare(const RunState& state, const ModelCard& card, const StateDict& weights,
                           const StateDict* best) const {
  const Metadata metadata = to_metadata(card);
  if (best != nullptr) save_safetensors(best_path(), *best, metadata);
  save_safetensors(next_path(), weights, metadata);
  save_safetensors(next_state_path(), state.tensors, state_metadata(state));
}

void RunDirectory::commit() const {
  rename_file(next_state_path(), state_path());
  rename_file(next_path(), last_path());
}

}  // namespace preceptor
