// All that a kind of device does beyond running kernels: memory, queues, events and graphs. Host memory has one driver,
// for the cpu and the emulated device; the other is in kernels/device/cuda/.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "kernels/device/device.h"

namespace preceptor::kernels {

constexpr std::size_t memory_alignment = 64;  // bytes, of all that a driver allocates

// Streams, events and graphs are handles that only their driver can read. On the host a launch is done when it returns,
// so that there is nothing to wait for: its streams, events and graphs are null. What gives something back is called
// by destructors and does not throw.
class Driver {
 public:
  virtual void* allocate(std::size_t bytes) const = 0;
  virtual void release(void* memory) const = 0;
  // Memory of a Reservation; `name` appears in errors.
  virtual void* reserve(const std::string& name, std::size_t bytes) const = 0;
  virtual void release_reserved(void* memory, std::size_t bytes) const = 0;
  virtual std::size_t default_capacity() const = 0;  // bytes of a Reservation for which none were given
  virtual std::shared_ptr<std::byte> allocate_page_locked(std::size_t bytes) const = 0;
  // Waits, so that no launch of another stream can come in between.
  virtual void fill_with_zeros(void* memory, std::size_t bytes, void* stream) const = 0;
  // Under AddressSanitizer what is not accessible cannot be touched.
  virtual void set_accessible(void* memory, std::size_t bytes, bool accessible) const = 0;

  virtual void* create_stream() const = 0;
  virtual void destroy_stream(void* stream) const = 0;
  virtual void synchronize(void* stream) const = 0;
  virtual double seconds_of(void* stream, const std::function<void()>& launches) const = 0;

  virtual void* create_event() const = 0;
  virtual void destroy_event(void* event) const = 0;
  virtual void record(void* event, void* stream) const = 0;
  virtual void wait_for(void* stream, void* event) const = 0;
  virtual void wait(void* event) const = 0;  // the host

  // Launches between the two on `stream`, and on streams that wait for it, become an executable graph.
  virtual void begin_capture(void* stream) const = 0;
  virtual std::shared_ptr<void> end_capture(void* stream) const = 0;
  virtual void abandon_capture(void* stream) const noexcept = 0;
  virtual void launch_graph(void* graph, void* stream) const = 0;

  // For profilers, and for the messages of calls that fail in between.
  virtual void begin_range(const char* name) const = 0;
  virtual void end_range() const = 0;

 protected:
  ~Driver() = default;  // never called: a driver serves whatever static object is destroyed last
};

const Driver& driver_of(DeviceKind kind);

namespace cuda {
// Only if the build has CUDA.
const Driver& driver();
Device open_first_card();
std::string first_card();  // its product name; empty where not even that can be asked
}  // namespace cuda

}  // namespace preceptor::kernels
