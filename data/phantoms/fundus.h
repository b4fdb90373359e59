// A synthetic fundus photograph: one eye and its retinopathy as numbers, and how they are drawn.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/random.h"

namespace preceptor::phantom {

const std::vector<std::string>& fundus_grades();  // the label names, grade 0 first

// Lengths are in halves of the picture; `nasal` is the sign of x on the side of the optic disc.
struct FundusEye {
  float zoom, rotation, shift_x, shift_y;
  float nasal;
  float disc_x, disc_y, disc_radius, cup;  // in the frame where the macula is the origin
  float red, green, blue;                  // of the bare retina
  float light, light_x, light_y;           // brightness and the center of the flash
  float haze;                              // a cloudy lens
  float pigment;                           // strength of the choroid's pattern
  float vessel_width;
  int drusen;             // pale specks that are no retinopathy
  std::uint64_t texture;  // names the streams of vessels, lesions and noise

  // Retinopathy. The counts follow the grade with overlap, as the international scale allows.
  int grade;  // 0 none, 1 mild, 2 moderate, 3 severe, 4 proliferative
  int aneurysms, haemorrhages, exudates, cotton_spots, new_vessels;
  bool preretinal_bleeding;
};

FundusEye draw_fundus_eye(char site, RandomStream random);

// Writes size x size x 3 bytes (RGB).
void render_fundus(const FundusEye& eye, char site, int size, std::uint8_t* image);

}  // namespace preceptor::phantom
