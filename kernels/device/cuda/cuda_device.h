// The CUDA runtime calls of Device, Stream, Event and memory; included only if the build has CUDA.
#pragma once

#include <cstddef>
#include <functional>

namespace preceptor::kernels::cuda {

void* create_stream();
void destroy_stream(void* stream);
void synchronize(void* stream);

void* create_event();
void destroy_event(void* event);
void record(void* event, void* stream);
void wait_for(void* stream, void* event);
void wait(void* event);  // the host

// Between two events around the launches.
double seconds_of(void* stream, const std::function<void()>& launches);

// Launches between the two on `stream`, and on streams that wait for it, become an executable graph.
void begin_capture(void* stream);
void* end_capture(void* stream);
void abandon_capture(void* stream) noexcept;
void launch_graph(void* graph, void* stream);
void destroy_graph(void* graph);

// For profilers, and for the messages of calls that fail in between.
void begin_range(const char* name);
void end_range();

std::size_t free_bytes();
void* allocate(std::size_t bytes);
void release(void* memory);
void* allocate_page_locked(std::size_t bytes);
void release_page_locked(void* memory);
void fill_with_zeros(void* memory, std::size_t bytes, void* stream);

}  // namespace preceptor::kernels::cuda
