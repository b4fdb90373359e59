// The lines about cards and failed calls.
#include "kernels/device/card.h"

#include <cmath>
#include <cstdint>
#include <cstdio>

#include "kernels/device/driver.h"

namespace preceptor::kernels {
namespace {

std::string version(int number) { return std::to_string(number / 1000) + "." + std::to_string(number % 1000 / 10); }

std::string size_text(std::size_t bytes) {
  char text[32];
  const auto value = static_cast<double>(bytes);
  if (bytes >= (std::size_t{1} << 30))
    std::snprintf(text, sizeof text, "%.2f GiB", value / 0x1p30);
  else
    std::snprintf(text, sizeof text, "%.2f MiB", value / 0x1p20);
  return text;
}

}  // namespace

std::string card_name(const Device& device) {
  if constexpr (built_with_cuda)
    if (device.kind == DeviceKind::cuda) return cuda::first_card();
  return "";
}

std::string why_unusable(const Card& card) {
  if (card.driver == 0)
    return "there is no usable CUDA device: no NVIDIA driver is installed, only the CUDA " + version(card.runtime) +
           " that this program was built with";
  // Minor versions of one major version are compatible.
  if (card.driver / 1000 < card.runtime / 1000)
    return "there is no usable CUDA device: the NVIDIA driver is too old, it knows CUDA " + version(card.driver) +
           " and this program was built with " + version(card.runtime) + "; update the driver";
  if (!card.failure.empty()) return "there is no usable CUDA device: " + card.failure;
  if (card.count == 0)
    return "there is no usable CUDA device: the driver sees no card (is CUDA_VISIBLE_DEVICES empty?)";
  if (!card.has_kernels) {
    const std::string capability = std::to_string(card.major) + "." + std::to_string(card.minor);
    return "there is no usable CUDA device: " + card.name + " has compute capability " + capability +
           ", this program was built for " + card.built_for +
           "; build it with -DCMAKE_CUDA_ARCHITECTURES=" + std::to_string(card.major * 10 + card.minor);
  }
  return "";
}

std::string failed_call(const std::string& words, const std::string& name, const std::string& call, const char* file,
                        int line, const std::string& card, const std::string& family) {
  return "cuda: " + words + " (" + name + ") in " + call + (family.empty() ? "" : ", launching " + family) + ", " +
         file + ":" + std::to_string(line) + (card.empty() ? "" : ", on " + card);
}

std::string too_large_step(std::size_t needed, std::size_t available, int images) {
  const double by_image = static_cast<double>(needed) / images;
  const int fitting = static_cast<int>(std::floor(static_cast<double>(available) / by_image));
  const std::string sizes = "out of device memory: a step of " + std::to_string(images) + " images takes " +
                            size_text(needed) + ", " + size_text(available) + " are free";
  if (fitting == 0) return sizes + "; not even one image fits";
  return sizes + "; the largest batch that fits is about " + std::to_string(fitting);
}

}  // namespace preceptor::kernels
