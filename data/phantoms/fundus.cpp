// Fundus phantom: retina, disc, macula and vessels in layers, lesions by grade, then the camera of each site.
#include "data/phantoms/fundus.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "data/phantoms/canvas.h"

namespace preceptor::phantom {
namespace {

struct FundusSite {
  float gamma, contrast, saturation;
  float noise, blur;
  float zoom;         // of the retina inside the field
  float field, crop;  // radius of the round field, half height of the picture that is kept
  float haze;         // the mean share of cloudy lenses
  std::array<float, 5> prevalence;
};

// a: a clinic's camera; b: a screening van's, cut above and below, mostly healthy eyes; c: a hand-held one, hazy.
FundusSite fundus_site(char site) {
  if (site == 'b')
    return {1.35f, 1.12f, 1.1f, 0.012f, -0.3f, 1.1f, 1.02f, 0.80f, 0.03f, {0.55f, 0.15f, 0.17f, 0.08f, 0.05f}};
  if (site == 'c')
    return {0.8f, 0.9f, 0.8f, 0.03f, 0.5f, 0.92f, 0.86f, 1.0f, 0.10f, {0.30f, 0.12f, 0.26f, 0.17f, 0.15f}};
  return {1.0f, 1.0f, 1.0f, 0.02f, 0.15f, 1.0f, 0.95f, 1.0f, 0.06f, {0.42f, 0.13f, 0.21f, 0.14f, 0.10f}};
}

struct Color {
  float red, green, blue;
};

void mix(Color& color, const Color& other, float share) {
  color.red += share * (other.red - color.red);
  color.green += share * (other.green - color.green);
  color.blue += share * (other.blue - color.blue);
}

// The retina, with one layer for each color of vessels and lesions.
class FundusScene {
 public:
  FundusScene(const FundusEye& eye, int size)
      : eye_(eye),
        arteries_(size),
        veins_(size),
        blood_(size),
        yellow_(size),
        cotton_(size),
        choroid_(RandomStream(eye.texture, 1), 9),
        shade_(RandomStream(eye.texture, 2), 3) {
    draw_vessels(RandomStream(eye.texture, 3));
    draw_lesions(RandomStream(eye.texture, 4));
    draw_new_vessels(RandomStream(eye.texture, 5));
  }

  // (x, y) has the macula as its origin.
  Color color(float x, float y) const {
    const float macula = x * x + y * y;
    const float pattern = 1 + eye_.pigment * (0.6f * choroid_.at(x, y) + 0.5f * shade_.at(x, y));
    Color color{eye_.red * (0.5f + 0.5f * pattern), eye_.green * pattern, eye_.blue * pattern};
    const float dark = 0.34f * bump(macula, 0.24f);
    color = {color.red * (1 - 0.6f * dark), color.green * (1 - dark), color.blue * (1 - dark)};
    const float disc = length_of(x - eye_.disc_x, 0.92f * (y - eye_.disc_y));
    mix(color, {0.97f, 0.80f, 0.50f}, 0.85f * soft_step((eye_.disc_radius - disc) / 0.03f));
    mix(color, {1.0f, 0.94f, 0.76f}, 0.8f * soft_step((eye_.cup * eye_.disc_radius - disc) / 0.04f));
    mix(color, {0.97f, 0.90f, 0.72f}, 0.75f * cotton_.sample(x, y));
    mix(color, {1.0f, 0.88f, 0.45f}, 0.8f * yellow_.sample(x, y));
    const float over_disc = 1 - 0.35f * soft_step((eye_.disc_radius - disc) / 0.03f);
    mix(color, {0.62f, 0.16f, 0.08f}, 0.55f * over_disc * arteries_.sample(x, y));
    mix(color, {0.42f, 0.07f, 0.05f}, 0.7f * over_disc * veins_.sample(x, y));
    mix(color, {0.40f, 0.05f, 0.03f}, 0.85f * blood_.sample(x, y));
    return color;
  }

 private:
  // Two arcades curve around the macula, two smaller pairs leave on the other side of the disc.
  void draw_vessels(RandomStream random) {
    for (const float up : {-1.0f, 1.0f}) {
      for (const bool vein : {false, true}) {
        const auto jitter = [&](double spread) { return static_cast<float>(random.uniform(-spread, spread)); };
        const float width = eye_.vessel_width * (vein ? 1.25f : 0.9f);
        // Angles are measured from the direction of the macula and mirrored with the eye.
        const float start = 1.32f + (vein ? 0.16f : -0.12f) + jitter(0.1);
        draw_mirrored(vein ? veins_ : arteries_, random, up * start, -up * (1.9f + jitter(0.2)), width, 1.75f, up);
        const float back = 2.4f + (vein ? 0.15f : -0.1f) + jitter(0.25);
        draw_mirrored(vein ? veins_ : arteries_, random, up * back, up * jitter(0.4), 0.7f * width, 0.75f, up);
      }
    }
    for (int i = 0; i < 4; ++i) {
      const auto angle = static_cast<float>(random.uniform(-0.6, 0.6));
      draw_mirrored(arteries_, random, angle, -angle, 0.4f * eye_.vessel_width, 0.35f, 0);
    }
  }

  void draw_mirrored(Plane& plane, RandomStream& random, float angle, float bend, float width, float length, float up) {
    const bool mirrored = eye_.nasal > 0;
    const float toward = mirrored ? 3.14159265f - angle : angle;
    draw_branch(
        plane, random,
        {eye_.disc_x, eye_.disc_y + 0.03f * up, toward, width, length, mirrored ? -bend : bend, 0.10f, 0.45f, 2}, 1.0f);
  }

  // A place on the retina, off the disc.
  void place(RandomStream& random, float reach, float& x, float& y) const {
    do {
      const auto radius = static_cast<float>(reach * std::sqrt(random.uniform()));
      const auto angle = static_cast<float>(random.uniform(0, 6.2831853));
      x = radius * std::cos(angle);
      y = radius * std::sin(angle);
    } while (length_of(x - eye_.disc_x, y - eye_.disc_y) < eye_.disc_radius + 0.08f);
  }

  void draw_lesions(RandomStream random) {
    const auto between = [&](double low, double high) { return static_cast<float>(random.uniform(low, high)); };
    float x = 0, y = 0;
    for (int i = 0; i < eye_.aneurysms; ++i) {
      place(random, 0.75f, x, y);
      blood_.disc(x, y, between(0.016, 0.026), between(0.7, 1.0));
    }
    for (int i = 0; i < eye_.haemorrhages; ++i) {
      place(random, 0.85f, x, y);
      const float angle = between(0, 6.28f), length = between(0.0, 0.07);
      blood_.stroke(x, y, x + length * std::cos(angle), y + length * std::sin(angle), between(0.022, 0.05),
                    between(0.5, 0.9));
    }
    float cluster_x = 0, cluster_y = 0;
    for (int i = 0; i < eye_.exudates; ++i) {
      // Exudates stand in groups, often in an arc beside the macula.
      if (i % 7 == 0) place(random, 0.55f, cluster_x, cluster_y);
      yellow_.disc(cluster_x + between(-0.13, 0.13), cluster_y + between(-0.13, 0.13), between(0.014, 0.032),
                   between(0.6, 1.0));
    }
    for (int i = 0; i < eye_.cotton_spots; ++i) {
      place(random, 0.7f, x, y);
      cotton_.stroke(x, y, x + between(-0.05, 0.05), y + between(-0.04, 0.04), between(0.035, 0.06), between(0.5, 0.8));
    }
    for (int i = 0; i < eye_.drusen; ++i) {
      place(random, 0.45f, x, y);
      yellow_.disc(x, y, between(0.014, 0.024), between(0.2, 0.45));
    }
    if (eye_.preretinal_bleeding) {
      place(random, 0.5f, x, y);
      const float length = between(0.08, 0.18);
      blood_.stroke(x - length, y, x + length, y, between(0.07, 0.12), 0.95f);
    }
  }

  // Fine tangles that start at the disc or at a vessel and lead nowhere.
  void draw_new_vessels(RandomStream random) {
    for (int i = 0; i < eye_.new_vessels; ++i) {
      float x = eye_.disc_x, y = eye_.disc_y;
      if (random.chance(0.5)) place(random, 0.6f, x, y);
      for (int loop = 0; loop < 7; ++loop) {
        const auto angle = static_cast<float>(random.uniform(0, 6.2831853));
        const auto length = static_cast<float>(random.uniform(0.16, 0.34));
        const auto bend = static_cast<float>(random.uniform(-4.5, 4.5));
        draw_branch(veins_, random, {x, y, angle, 0.011f, length, bend, 0.5f, 0.35f, 1}, 0.85f);
      }
    }
  }

  const FundusEye& eye_;
  Plane arteries_, veins_, blood_, yellow_, cotton_;
  SmoothNoise choroid_, shade_;
};

// Fewest and most lesions of each kind that a grade shows; ranges of neighboring grades overlap.
struct Lesions {
  struct Range {
    int low, high;
  };
  Range aneurysms = {}, haemorrhages = {}, exudates = {}, cotton_spots = {}, new_vessels = {};
};
constexpr Lesions lesions_by_grade[] = {{},
                                        {{2, 9}},
                                        {{4, 16}, {1, 9}, {3, 20}, {0, 2}},
                                        {{8, 26}, {9, 26}, {4, 32}, {1, 6}},
                                        {{4, 22}, {2, 18}, {0, 25}, {0, 4}, {1, 3}}};

void draw_retinopathy(FundusEye& eye, RandomStream random) {
  const auto number = [&](const Lesions::Range& range) {
    return range.low + static_cast<int>(random.below(static_cast<std::uint32_t>(range.high - range.low + 1)));
  };
  const bool exudative = random.chance(0.6), spots = random.chance(0.5), bled = random.chance(0.3);
  const Lesions& lesions = lesions_by_grade[eye.grade];
  eye.aneurysms = number(lesions.aneurysms);
  eye.haemorrhages = number(lesions.haemorrhages);
  eye.exudates = exudative ? number(lesions.exudates) : 0;
  eye.cotton_spots = spots ? number(lesions.cotton_spots) : 0;
  eye.new_vessels = number(lesions.new_vessels);
  eye.preretinal_bleeding = bled && eye.grade == 4;
}

}  // namespace

const std::vector<std::string>& fundus_grades() {
  static const std::vector<std::string> names = {"grade 0", "grade 1", "grade 2", "grade 3", "grade 4"};
  return names;
}

FundusEye draw_fundus_eye(char site, RandomStream random) {
  const FundusSite s = fundus_site(site);
  const auto between = [&](double low, double high) { return static_cast<float>(random.uniform(low, high)); };
  const auto normal = [&](float mean, float spread) { return mean + spread * static_cast<float>(random.normal()); };
  FundusEye eye{};
  eye.zoom = s.zoom * between(0.93, 1.07);
  eye.rotation = normal(0, 0.08f);
  eye.nasal = random.chance(0.5) ? 1.0f : -1.0f;
  eye.shift_x = eye.nasal * -0.12f + normal(0, 0.06f);
  eye.shift_y = normal(0, 0.05f);
  eye.disc_x = eye.nasal * between(0.56, 0.66);
  eye.disc_y = between(-0.10, 0.02);
  eye.disc_radius = between(0.125, 0.165);
  eye.cup = between(0.3, 0.6);
  const float brown = between(0, 1);
  eye.red = 0.86f - 0.22f * brown;
  eye.green = 0.46f - 0.17f * brown + normal(0, 0.02f);
  eye.blue = 0.20f - 0.09f * brown + normal(0, 0.015f);
  eye.light = between(0.85, 1.1);
  eye.light_x = normal(0, 0.3f);
  eye.light_y = normal(0, 0.3f);
  eye.haze = std::clamp(normal(s.haze, 0.05f), 0.0f, 0.4f);
  eye.pigment = between(0.05, 0.22);
  eye.vessel_width = between(0.017, 0.025);
  eye.drusen = random.chance(0.2) ? 2 + static_cast<int>(random.below(7)) : 0;
  eye.texture = random.bits();
  float draw = between(0, 1);
  while (eye.grade < 4 && draw >= s.prevalence[eye.grade]) draw -= s.prevalence[eye.grade++];
  draw_retinopathy(eye, random);
  return eye;
}

void render_fundus(const FundusEye& eye, char site, int size, std::uint8_t* image) {
  const FundusSite s = fundus_site(site);
  const FundusScene scene(eye, size * supersampling);
  std::array<Plane, 3> film{Plane(size * supersampling), Plane(size * supersampling), Plane(size * supersampling)};
  const float cosine = std::cos(eye.rotation) / eye.zoom, sine = std::sin(eye.rotation) / eye.zoom;
  for (int row = 0; row < film[0].size; ++row) {
    for (int column = 0; column < film[0].size; ++column) {
      const float u = film[0].coordinate(column), v = film[0].coordinate(row);
      const float field = soft_step((s.field - length_of(u, v)) / 0.02f) * soft_step((s.crop - std::abs(v)) / 0.01f);
      if (field == 0) continue;
      const float x = cosine * (u - eye.shift_x) + sine * (v - eye.shift_y);
      const float y = cosine * (v - eye.shift_y) - sine * (u - eye.shift_x);
      Color color = scene.color(x, y);
      mix(color, {0.72f, 0.58f, 0.45f}, eye.haze);
      const float flash = square(u - eye.light_x) + square(v - eye.light_y);
      const float light = field * eye.light * (1 - 0.2f * std::min(flash, 2.0f));
      film[0].at(row, column) = light * color.red;
      film[1].at(row, column) = light * color.green;
      film[2].at(row, column) = light * color.blue;
    }
  }
  for (Plane& plane : film) {
    blur(plane, s.blur);
    plane = downsample(plane);
  }
  RandomStream random(eye.texture, 6);
  for (std::size_t i = 0; i < film[0].values.size(); ++i) {
    const float grey = (film[0].values[i] + film[1].values[i] + film[2].values[i]) / 3;
    const NoisePair noise(random), other(random);
    const float grain[3] = {noise.first, noise.second, other.first};
    for (std::size_t c = 0; c < 3; ++c) {
      const float value = std::max(0.0f, grey + s.saturation * (film[c].values[i] - grey));
      const float exposed = s.contrast * (s.gamma == 1 ? value : std::pow(value, s.gamma));
      // Outside the field the sensor is dark and quiet.
      image[3 * i + c] = to_byte(exposed + s.noise * std::min(1.0f, 4 * grey) * grain[c]);
    }
  }
}

}  // namespace preceptor::phantom
