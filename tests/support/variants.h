// What the devices of a test differ in: storage types, thread orders, speed.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <string>
#include <type_traits>
#include <vector>

#include "kernels/device/bfloat16.h"
#include "kernels/device/emulator/counters.h"
#include "kernels/device/tf32.h"
#include "tests/support/compare.h"
#include "tests/support/devices.h"
#include "tests/support/shapes.h"

namespace preceptor::test {

template <class T>
std::string name_of_storage() {
  return sizeof(T) == sizeof(float) ? "float" : "bfloat16";
}

// Calls body with a value of each storage type that the device has.
template <class Body>
void for_storage_types(const kernels::Device& device, const Body& body) {
  const auto call = [&](auto type) {
    Digests::of_this_run().set_storage(name_of_storage<decltype(type)>());
    body(type);
    Digests::of_this_run().set_storage("");
  };
  call(float{});
  if (device.kind != kernels::DeviceKind::cpu) call(kernels::bfloat16{});
}

// The same for the types of operands that products are made of: tf32 are those of floats.
template <class Operand>
std::string name_of_operand() {
  return std::is_same_v<Operand, kernels::tf32> ? "tf32" : name_of_storage<Operand>();
}
template <class Body>
void for_operand_types(const kernels::Device& device, const Body& body) {
  for_storage_types(device, body);
  if (device.kind == kernels::DeviceKind::cpu) return;
  Digests::of_this_run().set_storage("tf32");
  body(kernels::tf32{});
  Digests::of_this_run().set_storage("");
}

// Values as storage holds them, and what it holds as double.
template <class T>
std::vector<T> stored(const std::vector<float>& values) {
  std::vector<T> result;
  for (float value : values) result.push_back(static_cast<T>(value));
  return result;
}
template <class T>
std::vector<double> widened(const std::vector<T>& values) {
  std::vector<double> result;
  for (T value : values) result.push_back(static_cast<double>(static_cast<float>(value)));
  return result;
}

// How far a result may be off once it is stored, if it may be `error` off as a float. bfloat16 has 8 significant bits,
// so rounding to nearest moves a value by up to 2^-8 of it, and by 2^-134 where it is below the smallest normal number.
template <class T>
double with_storage(double error, double value) {
  return sizeof(T) == sizeof(float) ? error : error + 0x1p-8 * (std::abs(value) + error) + 0x1p-134;
}

// allowed() for a sum of n products of operands of this type. A card's tensor cores cut addends and sums off at a
// float's last place where others round: up to 2^-23 of the sum for each of n terms, all with one sign, so that they
// add up. The emulated device rounds every sum, as multiply-adds do.
template <class Operand>
double allowed_of_products(const kernels::Device& device, double n, double sum_of_terms, double c = 4) {
  const bool cut_off = device.kind == kernels::DeviceKind::cuda && !std::is_same_v<Operand, float>;
  const double of_factors = std::is_same_v<Operand, kernels::tf32> ? 2 * 0x1p-10 : 0;
  return allowed(n, sum_of_terms, c) + (cut_off ? (2 * float_roundoff * n + of_factors) * sum_of_terms : 0);
}

// The device with five orders of blocks, warps and lanes on the emulated device; cpus with different threads; elsewhere
// five times the same.
inline std::vector<kernels::Device> five_variants(const kernels::Device& device) {
  using kernels::ThreadOrder;
  if (device.kind == kernels::DeviceKind::emulated)
    return {kernels::emulated_device(2, ThreadOrder::forward), kernels::emulated_device(1, ThreadOrder::reverse),
            kernels::emulated_device(2, ThreadOrder::shuffled, 1),
            kernels::emulated_device(2, ThreadOrder::shuffled, 2),
            kernels::emulated_device(1, ThreadOrder::shuffled, seed())};
  std::vector<kernels::Device> devices(5, device);
  if (device.kind == kernels::DeviceKind::cpu)
    for (std::size_t i = 0; i < devices.size(); ++i) devices[i].threads = static_cast<int>(1 + i % 3);
  return devices;
}

// execute() with the threads that a cpu device asks for.
template <class Arguments>
void execute_on(const Arguments& arguments, const kernels::Device& device) {
  if (device.kind == kernels::DeviceKind::cpu)
    execute(arguments, device.threads);
  else
    execute(arguments, device);
}

// execute() with a workspace of exactly the size asked for, full of NaN: what is read must have been written.
template <class Arguments>
void execute_with_workspace(Arguments arguments, const kernels::Device& device) {
  const std::size_t bytes = workspace_bytes(arguments, device);
  if (bytes == 0) return execute_on(arguments, device);
  const DeviceBuffer<std::uint8_t> workspace(device, std::vector<std::uint8_t>(bytes, 0xff));
  arguments.workspace = workspace.data();
  execute_on(arguments, device);
}

// On the emulated device where it counts: what warps move is what cost() says, and no access to shared memory takes
// longer than it must. cost() leaves out what is read and written beside the large arrays: at most 5 percent of them.
template <class Arguments>
void expect_moves_what_cost_says(const Arguments& arguments, const kernels::Device& device, const std::string& what) {
  kernels::emulator::start_counting();
  if constexpr (requires { arguments.workspace; })
    execute_with_workspace(arguments, device);
  else
    execute_on(arguments, device);
  const kernels::emulator::Counters counters = kernels::emulator::stop_counting();
  const double least = cost(arguments).bytes / 32, moved = static_cast<double>(counters.sectors());
  std::printf("[ counters ] %-50s sectors / cost %.3f, bank conflicts %lld\n", what.c_str(), moved / least,
              static_cast<long long>(counters.bank_conflicts));
  EXPECT_LE(moved, 1.05 * least) << what;
  EXPECT_GE(moved, least) << what;
  EXPECT_EQ(counters.bank_conflicts, 0) << what;
}

// Sanitizers and the watcher make the emulated device 5 to 25 times slower: fewer repeats there.
inline bool watched(const kernels::Device& device) {
#if defined(__SANITIZE_ADDRESS__)
  constexpr bool sanitized = true;
#else
  constexpr bool sanitized = false;
#endif
  return device.kind == kernels::DeviceKind::emulated && (sanitized || kernels::emulator::counters_available());
}

}  // namespace preceptor::test
