// The lines that say why a card cannot be used, and what failed on it.
#include "kernels/device/card.h"

#include <gtest/gtest.h>

namespace preceptor::kernels {
namespace {

Card usable() {
  Card card;
  card.runtime = 13000;
  card.driver = 13010;
  card.count = 1;
  card.name = "NVIDIA H200";
  card.major = 9;
  card.has_kernels = true;
  card.built_for = "8.0, 9.0";
  return card;
}

TEST(CardLines, ACardThatCanBeUsedHasNone) {
  EXPECT_EQ(why_unusable(usable()), "");
  Card older_minor = usable();
  older_minor.driver = 13000;
  older_minor.runtime = 13020;
  EXPECT_EQ(why_unusable(older_minor), "");
}

TEST(CardLines, EachReasonIsToldApart) {
  Card card = usable();
  card.driver = card.count = 0;
  card.failure = "CUDA driver version is insufficient for CUDA runtime version";  // what CUDA says of no driver at all
  EXPECT_EQ(why_unusable(card),
            "there is no usable CUDA device: no NVIDIA driver is installed, only the CUDA 13.0 that this program was "
            "built with");
  card.driver = 12040;
  EXPECT_EQ(
      why_unusable(card),
      "there is no usable CUDA device: the NVIDIA driver is too old, it knows CUDA 12.4 and this program was built "
      "with 13.0; update the driver");
  card.driver = 13000;
  card.failure = "unknown error";
  EXPECT_EQ(why_unusable(card), "there is no usable CUDA device: unknown error");
  card.failure.clear();
  EXPECT_EQ(why_unusable(card),
            "there is no usable CUDA device: the driver sees no card (is CUDA_VISIBLE_DEVICES empty?)");
  card = usable();
  card.name = "Tesla T4";
  card.major = 7;
  card.minor = 5;
  card.has_kernels = false;
  EXPECT_EQ(why_unusable(card),
            "there is no usable CUDA device: Tesla T4 has compute capability 7.5, this program was built for 8.0, 9.0; "
            "build it with -DCMAKE_CUDA_ARCHITECTURES=75");
}

TEST(CardLines, AFailedCallSaysWhatWhereAndOnWhat) {
  EXPECT_EQ(
      failed_call("out of memory", "cudaErrorMemoryAllocation", "cudaMalloc(&memory, bytes)", "memory.cpp", 7,
                  "NVIDIA H200", ""),
      "cuda: out of memory (cudaErrorMemoryAllocation) in cudaMalloc(&memory, bytes), memory.cpp:7, on NVIDIA H200");
  EXPECT_EQ(
      failed_call("an illegal memory access was encountered", "cudaErrorIllegalAddress", "sync", "a.cpp", 1, "",
                  "augment"),
      "cuda: an illegal memory access was encountered (cudaErrorIllegalAddress) in sync, launching augment, a.cpp:1");
}

TEST(CardLines, AStepThatIsTooLargeSaysHowManyImagesFit) {
  constexpr std::size_t mebibyte = 1 << 20;
  EXPECT_EQ(
      too_large_step(3 * 1024 * mebibyte, 1024 * mebibyte, 256),
      "out of device memory: a step of 256 images takes 3.00 GiB, 1.00 GiB are free; the largest batch that fits is "
      "about 85");
  EXPECT_EQ(too_large_step(8 * mebibyte, mebibyte, 4),
            "out of device memory: a step of 4 images takes 8.00 MiB, 1.00 MiB are free; not even one image fits");
}

}  // namespace
}  // namespace preceptor::kernels
