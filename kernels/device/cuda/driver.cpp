// The first CUDA device through the runtime API; libcuda is never linked, so programs start on
// machines without a driver.
#include <nvtx3/nvToolsExt.h>

#include <charconv>
#include <cstdlib>
#include <cstring>

#include "kernels/device/card.h"
#include "kernels/device/cuda/probe.h"
#include "kernels/device/cuda/status.h"
#include "kernels/device/driver.h"
#include "kernels/device/memory.h"

namespace preceptor::kernels {
namespace {

thread_local const char* family = "";  // being launched

cudaStream_t stream_of(void* native) { return static_cast<cudaStream_t>(native); }
cudaEvent_t event_of(void* native) { return static_cast<cudaEvent_t>(native); }

Card look_at_card() {
  Card card;
  static_cast<void>(cudaRuntimeGetVersion(&card.runtime));
  static_cast<void>(cudaDriverGetVersion(&card.driver));  // 0 where there is no driver
  // Without a driver this leaves its output untouched.
  if (const cudaError_t status = cudaGetDeviceCount(&card.count); status != cudaSuccess && status != cudaErrorNoDevice)
    card.failure = cudaGetErrorString(status);
  if (card.count > 0) {
    card.name = cuda::first_card();
    static_cast<void>(cudaDeviceGetAttribute(&card.major, cudaDevAttrComputeCapabilityMajor, 0));
    static_cast<void>(cudaDeviceGetAttribute(&card.minor, cudaDevAttrComputeCapabilityMinor, 0));
    card.has_kernels = cuda::holds_code_for_this_card();
    card.built_for = cuda::built_for();
  }
  static_cast<void>(cudaGetLastError());
  return card;
}

}  // namespace

void check_cuda(cudaError_t status, const char* call, const char* file, int line) {
  if (status == cudaSuccess) return;
  // A failed launch leaves its status; the next call must not report it again.
  static_cast<void>(cudaGetLastError());
  throw Error(ErrorKind::internal, failed_call(cudaGetErrorString(status), cudaGetErrorName(status), call, file, line,
                                               cuda::first_card(), family));
}

namespace {

class CudaDriver final : public Driver {
 public:
  void* allocate(std::size_t bytes) const override {
    void* memory = nullptr;
    CUDA_CHECK(cudaMalloc(&memory, bytes > 0 ? bytes : 1));
    return memory;
  }
  void release(void* memory) const override { static_cast<void>(cudaFree(memory)); }
  void* reserve(const std::string&, std::size_t bytes) const override { return allocate(bytes); }
  void release_reserved(void* memory, std::size_t) const override { release(memory); }
  std::size_t default_capacity() const override;
  std::shared_ptr<std::byte> allocate_page_locked(std::size_t bytes) const override {
    void* memory = nullptr;
    CUDA_CHECK(cudaMallocHost(&memory, bytes > 0 ? bytes : 1));
    return {static_cast<std::byte*>(memory), [](void* pointer) { static_cast<void>(cudaFreeHost(pointer)); }};
  }
  void fill_with_zeros(void* memory, std::size_t bytes, void* stream) const override {
    CUDA_CHECK(cudaMemsetAsync(memory, 0, bytes, stream_of(stream)));
    CUDA_CHECK(cudaStreamSynchronize(stream_of(stream)));
  }
  void set_accessible(void*, std::size_t, bool) const override {}  // not of this address space

  void* create_stream() const override {
    cudaStream_t stream = nullptr;
    CUDA_CHECK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    return stream;
  }
  void destroy_stream(void* stream) const override { static_cast<void>(cudaStreamDestroy(stream_of(stream))); }
  void synchronize(void* stream) const override { CUDA_CHECK(cudaStreamSynchronize(stream_of(stream))); }
  double seconds_of(void* stream, const std::function<void()>& launches) const override;

  void* create_event() const override {
    cudaEvent_t event = nullptr;
    CUDA_CHECK(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
    return event;
  }
  void destroy_event(void* event) const override { static_cast<void>(cudaEventDestroy(event_of(event))); }
  void record(void* event, void* stream) const override {
    CUDA_CHECK(cudaEventRecord(event_of(event), stream_of(stream)));
  }
  void wait_for(void* stream, void* event) const override {
    CUDA_CHECK(cudaStreamWaitEvent(stream_of(stream), event_of(event), 0));
  }
  void wait(void* event) const override { CUDA_CHECK(cudaEventSynchronize(event_of(event))); }

  // Thread-local: threads that decode images may do what they like meanwhile.
  void begin_capture(void* stream) const override {
    CUDA_CHECK(cudaStreamBeginCapture(stream_of(stream), cudaStreamCaptureModeThreadLocal));
  }
  std::shared_ptr<void> end_capture(void* stream) const override;
  void abandon_capture(void* stream) const noexcept override;
  void launch_graph(void* graph, void* stream) const override {
    CUDA_CHECK(cudaGraphLaunch(static_cast<cudaGraphExec_t>(graph), stream_of(stream)));
  }

  void begin_range(const char* name) const override {
    family = name;
    nvtxRangePushA(name);
  }
  void end_range() const override {
    nvtxRangePop();
    family = "";
  }
};

// The rest is for what CUDA itself needs: code, graphs, local memory.
std::size_t CudaDriver::default_capacity() const {
  const char* text = std::getenv("DEVICE_MEMORY_MIB");
  if (text == nullptr) {
    std::size_t free = 0, total = 0;
    CUDA_CHECK(cudaMemGetInfo(&free, &total));
    return free / 10 * 9;
  }
  std::size_t mebibytes = 0;
  const char* const end = text + std::strlen(text);
  const auto [rest, error] = std::from_chars(text, end, mebibytes);
  if (error != std::errc() || rest != end || mebibytes == 0 || mebibytes > (std::size_t{1} << 24))
    throw Error(ErrorKind::usage, std::string("DEVICE_MEMORY_MIB=") + text + ": a number of MiB is expected");
  return mebibytes << 20;
}

// Between two events around the launches.
double CudaDriver::seconds_of(void* stream, const std::function<void()>& launches) const {
  cudaEvent_t begin = nullptr, end = nullptr;
  CUDA_CHECK(cudaEventCreate(&begin));
  CUDA_CHECK(cudaEventCreate(&end));
  CUDA_CHECK(cudaEventRecord(begin, stream_of(stream)));
  launches();
  CUDA_CHECK(cudaEventRecord(end, stream_of(stream)));
  CUDA_CHECK(cudaEventSynchronize(end));
  float milliseconds = 0;
  CUDA_CHECK(cudaEventElapsedTime(&milliseconds, begin, end));
  CUDA_CHECK(cudaEventDestroy(begin));
  CUDA_CHECK(cudaEventDestroy(end));
  return 1e-3 * static_cast<double>(milliseconds);
}

std::shared_ptr<void> CudaDriver::end_capture(void* stream) const {
  cudaGraph_t graph = nullptr;
  CUDA_CHECK(cudaStreamEndCapture(stream_of(stream), &graph));
  cudaGraphExec_t executable = nullptr;
  const cudaError_t status = cudaGraphInstantiate(&executable, graph, 0);
  static_cast<void>(cudaGraphDestroy(graph));
  check_cuda(status, "cudaGraphInstantiate(&executable, graph, 0)", __FILE__, __LINE__);
  // Also what would else be done by the first launch.
  CUDA_CHECK(cudaGraphUpload(executable, stream_of(stream)));
  return {executable, [](cudaGraphExec_t unused) { static_cast<void>(cudaGraphExecDestroy(unused)); }};
}

void CudaDriver::abandon_capture(void* stream) const noexcept {
  cudaGraph_t graph = nullptr;
  static_cast<void>(cudaStreamEndCapture(stream_of(stream), &graph));
  if (graph != nullptr) static_cast<void>(cudaGraphDestroy(graph));
  static_cast<void>(cudaGetLastError());
}

}  // namespace

namespace cuda {

const Driver& driver() {
  static const CudaDriver driver;
  return driver;
}

Device open_first_card() {
  const std::string reason = why_unusable(look_at_card());
  if (!reason.empty()) throw Error(ErrorKind::usage, reason);
  CUDA_CHECK(cudaSetDevice(0));
  return Device{DeviceKind::cuda};
}

std::string first_card() {
  cudaDeviceProp properties{};
  if (cudaGetDeviceProperties(&properties, 0) != cudaSuccess) return "";
  return properties.name;
}

}  // namespace cuda

void run_on(Cuda gpu, const Copy& arguments) {
  CUDA_CHECK(cudaMemcpyAsync(arguments.to, arguments.from, arguments.bytes, cudaMemcpyDefault, stream_of(gpu.stream)));
}

}  // namespace preceptor::kernels
