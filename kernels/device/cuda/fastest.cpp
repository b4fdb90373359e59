// Timing of candidates on a stream.
#include "kernels/device/cuda/fastest.h"

#include <limits>

#include "kernels/device/cuda/status.h"
#include "kernels/device/driver.h"
#include "kernels/device/tuning.h"

namespace preceptor::kernels::cuda {
namespace {

bool capturing(Cuda gpu) {
  cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
  CUDA_CHECK(cudaStreamIsCapturing(static_cast<cudaStream_t>(gpu.stream), &status));
  return status != cudaStreamCaptureStatusNone;
}

}  // namespace

int fastest(Cuda gpu, const std::string& what, const std::vector<std::string>& candidates,
            const std::function<bool(int candidate)>& run) {
  if (const std::optional<int> before = tuning().chosen(what, candidates)) return *before;
  if (candidates.size() == 1 || capturing(gpu)) return 0;
  return tuning().choose(what, candidates, [&](int candidate) {
    bool ran = false;
    const double seconds = driver().seconds_of(gpu.stream, [&] { ran = run(candidate); });
    return ran ? seconds : std::numeric_limits<double>::infinity();
  });
}

}  // namespace preceptor::kernels::cuda
