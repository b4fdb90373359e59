// The first CUDA device through the runtime API; libcuda is never linked, so programs start on machines without a
// driver.
#include "kernels/device/cuda/cuda_device.h"

#include "kernels/device/cuda/status.h"
#include "kernels/device/device.h"
#include "kernels/device/memory.h"

namespace preceptor::kernels {

void check_cuda(cudaError_t status, const char* call, const char* file, int line) {
  if (status == cudaSuccess) return;
  // A failed launch leaves its status behind; the next call must not report it again.
  static_cast<void>(cudaGetLastError());
  throw Error(ErrorKind::internal, std::string("cuda: ") + cudaGetErrorString(status) + " (" +
                                       cudaGetErrorName(status) + ") in " + call + ", " + file + ":" +
                                       std::to_string(line));
}

Device cuda_device() {
  int count = 0;  // stays untouched where there is no driver
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status != cudaSuccess || count == 0)
    throw Error(ErrorKind::usage, std::string("this machine has no usable CUDA device: ") +
                                      (status != cudaSuccess ? cudaGetErrorString(status) : "none is there"));
  CUDA_CHECK(cudaSetDevice(0));
  return Device{DeviceKind::cuda};
}

namespace cuda {

void* create_stream() {
  cudaStream_t stream = nullptr;
  CUDA_CHECK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  return stream;
}
// Called from destructors, which do not throw.
void destroy_stream(void* stream) { static_cast<void>(cudaStreamDestroy(static_cast<cudaStream_t>(stream))); }
void synchronize(void* stream) { CUDA_CHECK(cudaStreamSynchronize(static_cast<cudaStream_t>(stream))); }

double seconds_of(void* stream, const std::function<void()>& launches) {
  cudaEvent_t begin = nullptr, end = nullptr;
  CUDA_CHECK(cudaEventCreate(&begin));
  CUDA_CHECK(cudaEventCreate(&end));
  CUDA_CHECK(cudaEventRecord(begin, static_cast<cudaStream_t>(stream)));
  launches();
  CUDA_CHECK(cudaEventRecord(end, static_cast<cudaStream_t>(stream)));
  CUDA_CHECK(cudaEventSynchronize(end));
  float milliseconds = 0;
  CUDA_CHECK(cudaEventElapsedTime(&milliseconds, begin, end));
  CUDA_CHECK(cudaEventDestroy(begin));
  CUDA_CHECK(cudaEventDestroy(end));
  return 1e-3 * static_cast<double>(milliseconds);
}

std::size_t free_bytes() {
  std::size_t free = 0, total = 0;
  CUDA_CHECK(cudaMemGetInfo(&free, &total));
  return free;
}

void* allocate(std::size_t bytes) {
  void* memory = nullptr;
  CUDA_CHECK(cudaMalloc(&memory, bytes > 0 ? bytes : 1));
  return memory;
}
void release(void* memory) { static_cast<void>(cudaFree(memory)); }

}  // namespace cuda

void run_on(Cuda gpu, const Copy& arguments) {
  CUDA_CHECK(cudaMemcpyAsync(arguments.to, arguments.from, arguments.bytes, cudaMemcpyDefault,
                             static_cast<cudaStream_t>(gpu.stream)));
}

}  // namespace preceptor::kernels
