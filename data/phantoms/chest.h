// A synthetic chest X-ray: one patient's anatomy and findings as numbers, and how they are drawn.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "data/random.h"

namespace preceptor::phantom {

const std::vector<std::string>& chest_findings();  // the label names, in label order

// A finding at one place: x is the distance from the middle, `side` is -1 for the lung on the left of the picture (the
// patient's right).
struct ChestSpot {
  bool present;
  float side, x, y, radius, density;
};

// Lengths are in halves of the picture.
struct ChestPatient {
  // Habitus and positioning
  float zoom, rotation, shift_x, shift_y;
  float thorax_width;     // half width inside the ribs
  float diaphragm;        // height of the domes: breathing in lowers them
  float dome_difference;  // the right dome stands higher
  float soft_tissue;      // thickness, against which everything else fades
  float breast;           // 0 where none is seen
  float markings;         // strength of the lung vessels
  float exposure, slope;  // brightness, and its change from left to right
  bool leads;             // cables of a monitor, seen at the bedside
  std::uint64_t texture;  // names the streams of vessels, noise and cables

  // Findings. All severities are drawn whether present or not, so a finding can be switched on its own.
  float heart_ratio;  // heart width over thorax width; cardiomegaly above 0.5
  ChestSpot opacity, nodule;
  struct {
    bool present;
    float side, height, climb;
  } effusion;
  struct {
    bool present;
    float side, depth, apical;
  } pneumothorax;

  std::array<float, 5> labels() const;
};

ChestPatient draw_chest_patient(char site, RandomStream random);

// Writes size x size grey bytes.
void render_chest(const ChestPatient& patient, char site, int size, std::uint8_t* image);

}  // namespace preceptor::phantom
