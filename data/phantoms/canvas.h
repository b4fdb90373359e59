// What both phantoms draw with: planes over the square [-1, 1] x [-1, 1], soft edges, strokes, smooth noise.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "data/random.h"

namespace preceptor::phantom {

// Scenes are drawn at twice the size and averaged, so thin strokes fade instead of flickering between pixels.
inline constexpr int supersampling = 2;

// 0 below -1, 1 above 1, smooth between: soft_step(distance / softness).
inline float soft_step(float t) {
  const float s = std::clamp(0.5f + 0.5f * t, 0.0f, 1.0f);
  return s * s * (3 - 2 * s);
}

inline float square(float value) { return value * value; }

// std::hypot guards against overflow that cannot happen here, at ten times the price.
inline float length_of(float x, float y) { return std::sqrt(x * x + y * y); }

// A round bump that is 1 at the center, falls like a Gaussian and ends at 1.5 `radius`; a polynomial, for speed.
inline float bump(float squared_distance, float radius) {
  const float rest = std::max(0.0f, 1 - squared_distance / (2.25f * radius * radius));
  return rest * rest;
}

// One scalar over the square, y pointing down.
struct Plane {
  explicit Plane(int pixels) : size(pixels), values(static_cast<std::size_t>(pixels) * pixels, 0.0f) {}

  float& at(int row, int column) { return values[static_cast<std::size_t>(row) * size + column]; }
  float at(int row, int column) const { return values[static_cast<std::size_t>(row) * size + column]; }
  float coordinate(int pixel) const { return (2.0f * static_cast<float>(pixel) + 1) / static_cast<float>(size) - 1; }

  // A stroke with soft sides; strokes keep the stronger value where they meet. Strokes thinner than a pixel turn paler.
  void stroke(float x0, float y0, float x1, float y1, float half_width, float strength);
  float sample(float x, float y) const;  // bilinear, 0 outside
  void disc(float x, float y, float radius, float strength) { stroke(x, y, x, y, radius, strength); }

  int size;
  std::vector<float> values;
};

// A tree of tapering strokes that starts at (x, y) in a direction, as vessels do.
struct Branch {
  float x, y, angle;   // radians, 0 to the right, growing downwards
  float width;         // half width at the root
  float length;        // of the whole branch
  float bend;          // change of angle along it
  float wander;        // random change of angle per step
  float split_chance;  // of a side branch per step
  int generations;     // of side branches
};
void draw_branch(Plane& plane, RandomStream& random, const Branch& branch, float strength);

// Values in [-1, 1] that vary smoothly, `cells` times across the square.
class SmoothNoise {
 public:
  SmoothNoise(RandomStream random, int cells);
  float at(float x, float y) const;

 private:
  int cells_;
  std::vector<float> lattice_;
};

// Two nearly normal numbers of mean 0 and variance 1 from one draw: sums of four bytes.
struct NoisePair {
  explicit NoisePair(RandomStream& random);
  float first, second;
};

// The 3-tap filter (weight/2, 1-weight, weight/2) along rows and columns; a negative weight sharpens.
void blur(Plane& plane, float weight);

// Means of supersampling x supersampling pixels.
Plane downsample(const Plane& plane);

inline std::uint8_t to_byte(float value) {
  return static_cast<std::uint8_t>(std::clamp(value, 0.0f, 1.0f) * 255 + 0.5f);
}

}  // namespace preceptor::phantom
