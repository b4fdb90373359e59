// Properties of the first CUDA device, and error messages about it or about a failed call: plain text made
// here, so that every line is tested on machines without a card.
#pragma once

#include <cstddef>
#include <string>

#include "kernels/device/device.h"

namespace preceptor::kernels {

// As the CUDA runtime answers; versions are 1000 * major + 10 * minor.
struct Card {
  int runtime = 0;           // CUDA version that this program was built with
  int driver = 0;            // newest CUDA version that the installed driver knows; 0: no driver is installed
  int count = 0;             // cards that the driver sees
  std::string failure;       // the runtime's words where it could not even count them
  std::string name;          // name of the first device
  int major = 0, minor = 0;  // its compute capability
  bool has_kernels = false;  // whether this program holds code that it can run
  std::string built_for;     // "8.0, 9.0": what this program was compiled for
};

// The product name of a cuda device; empty for others.
std::string card_name(const Device& device);

// One line that says why the card cannot be used and what would help; empty where it can.
std::string why_unusable(const Card& card);

// One line for a CUDA call that failed: CUDA's words and name for it, what was called where, on which card, and which
// kernel family was being launched (empty: none).
std::string failed_call(const std::string& words, const std::string& name, const std::string& call, const char* file,
                        int line, const std::string& card, const std::string& family);

// One line for a step that did not fit: bytes that it takes for `images` images and bytes that there are. Its bytes by
// image tell how many would fit, about: what a step takes for no image at all is counted as if it grew with them.
std::string too_large_step(std::size_t needed, std::size_t available, int images);

}  // namespace preceptor::kernels
