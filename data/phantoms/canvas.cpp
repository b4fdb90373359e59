// Strokes, trees, noise and filters of the phantoms.
#include "data/phantoms/canvas.h"

namespace preceptor::phantom {

void Plane::stroke(float x0, float y0, float x1, float y1, float half_width, float strength) {
  const float pixel = 2.0f / static_cast<float>(size);
  const float softness = std::max(0.6f * pixel, 0.35f * half_width);
  const float drawn = std::max(half_width, 0.5f * pixel);
  strength *= half_width / drawn;
  const float reach = drawn + softness;
  const auto last = static_cast<float>(size - 1);
  const auto to_pixel = [&](float v) { return static_cast<int>(std::clamp((v + 1) / pixel, 0.0f, last)); };
  const int top = to_pixel(std::min(y0, y1) - reach), bottom = to_pixel(std::max(y0, y1) + reach);
  const int left = to_pixel(std::min(x0, x1) - reach), right = to_pixel(std::max(x0, x1) + reach);
  const float dx = x1 - x0, dy = y1 - y0;
  const float inverse = 1 / std::max(dx * dx + dy * dy, 1e-12f);
  for (int row = top; row <= bottom; ++row) {
    for (int column = left; column <= right; ++column) {
      const float px = coordinate(column) - x0, py = coordinate(row) - y0;
      const float along = std::clamp((px * dx + py * dy) * inverse, 0.0f, 1.0f);
      const float squared = square(px - along * dx) + square(py - along * dy);
      if (squared > reach * reach) continue;
      float& value = at(row, column);
      value = std::max(value, strength * soft_step((drawn - std::sqrt(squared)) / softness));
    }
  }
}

float Plane::sample(float x, float y) const {
  const float half = 0.5f * static_cast<float>(size);
  const float column = (x + 1) * half - 0.5f, row = (y + 1) * half - 0.5f;
  const auto last = static_cast<float>(size - 1);
  if (!(column >= 0 && row >= 0 && column < last && row < last)) return 0;
  const int c = static_cast<int>(column), r = static_cast<int>(row);
  const float u = column - static_cast<float>(c), v = row - static_cast<float>(r);
  const float above = at(r, c) + u * (at(r, c + 1) - at(r, c));
  const float below = at(r + 1, c) + u * (at(r + 1, c + 1) - at(r + 1, c));
  return above + v * (below - above);
}

void draw_branch(Plane& plane, RandomStream& random, const Branch& branch, float strength) {
  constexpr int steps = 9;
  const float step = branch.length / steps;
  float x = branch.x, y = branch.y, angle = branch.angle;
  for (int i = 0; i < steps; ++i) {
    const float rest = 1 - static_cast<float>(i) / steps;
    const float width = branch.width * (0.35f + 0.65f * rest);
    angle += branch.bend / steps + branch.wander * static_cast<float>(random.uniform(-1, 1));
    const float next_x = x + step * std::cos(angle), next_y = y + step * std::sin(angle);
    plane.stroke(x, y, next_x, next_y, width, strength);
    x = next_x;
    y = next_y;
    if (branch.generations == 0 || !random.chance(branch.split_chance)) continue;
    const float side = random.chance(0.5) ? 1.0f : -1.0f;
    Branch child = branch;
    child.x = x;
    child.y = y;
    child.angle = angle + side * static_cast<float>(random.uniform(0.4, 0.9));
    child.width = 0.7f * width;
    child.length = branch.length * (0.25f + 0.45f * rest);
    child.bend = -side * 0.5f;
    child.generations = branch.generations - 1;
    draw_branch(plane, random, child, strength * 0.92f);
  }
}

SmoothNoise::SmoothNoise(RandomStream random, int cells)
    : cells_(cells), lattice_(static_cast<std::size_t>(cells + 1) * (cells + 1)) {
  for (float& value : lattice_) value = static_cast<float>(random.uniform(-1, 1));
}

float SmoothNoise::at(float x, float y) const {
  const auto cells = static_cast<float>(cells_);
  const float column = std::clamp((x + 1) * 0.5f, 0.0f, 0.9999f) * cells;
  const float row = std::clamp((y + 1) * 0.5f, 0.0f, 0.9999f) * cells;
  const int c = static_cast<int>(column), r = static_cast<int>(row);
  const float u = soft_step(2 * (column - static_cast<float>(c)) - 1);
  const float v = soft_step(2 * (row - static_cast<float>(r)) - 1);
  const float* corner = lattice_.data() + static_cast<std::size_t>(r) * (cells_ + 1) + c;
  const float above = corner[0] + u * (corner[1] - corner[0]);
  const float below = corner[cells_ + 1] + u * (corner[cells_ + 2] - corner[cells_ + 1]);
  return above + v * (below - above);
}

NoisePair::NoisePair(RandomStream& random) {
  const std::uint64_t bits = random.bits();
  const auto sum_of_bytes = [](std::uint32_t word) {
    const std::uint32_t pairs = (word & 0x00FF00FFu) + ((word >> 8) & 0x00FF00FFu);
    return static_cast<float>((pairs & 0xFFFFu) + (pairs >> 16));
  };
  // Four bytes: mean 510, variance 4 (256^2 - 1) / 12 = 147.8^2.
  first = (sum_of_bytes(static_cast<std::uint32_t>(bits)) - 510) / 147.8f;
  second = (sum_of_bytes(static_cast<std::uint32_t>(bits >> 32)) - 510) / 147.8f;
}

void blur(Plane& plane, float weight) {
  if (weight == 0) return;
  const int last = plane.size - 1;
  for (const int down : {0, 1}) {
    const int right = 1 - down;
    const Plane source = plane;
    for (int row = 0; row <= last; ++row)
      for (int column = 0; column <= last; ++column) {
        const float sides = source.at(std::max(row - down, 0), std::max(column - right, 0)) +
                            source.at(std::min(row + down, last), std::min(column + right, last));
        plane.at(row, column) = (1 - weight) * source.at(row, column) + 0.5f * weight * sides;
      }
  }
}

Plane downsample(const Plane& plane) {
  Plane result(plane.size / supersampling);
  for (int row = 0; row < result.size; ++row) {
    for (int column = 0; column < result.size; ++column) {
      float sum = 0;
      for (int i = 0; i < supersampling; ++i)
        for (int j = 0; j < supersampling; ++j) sum += plane.at(row * supersampling + i, column * supersampling + j);
      result.at(row, column) = sum / (supersampling * supersampling);
    }
  }
  return result;
}

}  // namespace preceptor::phantom
