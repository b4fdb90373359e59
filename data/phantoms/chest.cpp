// Chest phantom: attenuation is summed as along a ray, then exposed, blurred and given noise like a film of each site.
#include "data/phantoms/chest.h"

#include <algorithm>
#include <cmath>

#include "data/phantoms/canvas.h"

namespace preceptor::phantom {
namespace {

struct ChestSite {
  float gamma, contrast, black;  // the film curve
  float noise, blur;             // noise at one pixel; weight of the 3-tap filter, negative where sharpened
  float zoom, tilt;              // mean framing, spread of the rotation
  float heart_mean;              // of the heart ratio; bedside pictures magnify it
  float opacity, effusion, nodule, pneumothorax;  // prevalence
  float leads;                                    // share of pictures with the cables of a monitor
};

// a: upright pictures of out-patients; b: processed digital, tightly framed; c: bedside pictures of in-patients.
ChestSite chest_site(char site) {
  if (site == 'b') return {1.5f, 1.2f, 0.04f, 0.018f, -0.35f, 1.12f, 0.03f, 0.450f, 0.24f, 0.16f, 0.30f, 0.12f, 0.05f};
  if (site == 'c') return {0.8f, 0.7f, 0.20f, 0.045f, 0.55f, 0.90f, 0.10f, 0.485f, 0.40f, 0.38f, 0.16f, 0.16f, 0.55f};
  return {1.0f, 1.0f, 0.0f, 0.028f, 0.20f, 1.0f, 0.05f, 0.458f, 0.28f, 0.22f, 0.22f, 0.14f, 0.05f};
}

// The lines that bound a lung at one point of the body.
struct LungPoint {
  float lateral;  // |x|
  float side;     // sign of x
  float wall;     // distance to the chest wall, positive inside
  float dome;     // height of the diaphragm here
  float inside;   // 1 in the lung, 0 outside, soft at the borders
};

constexpr float thorax_middle = 0.2f, thorax_top = 0.98f, thorax_bottom = 1.5f;

float diaphragm_at(const ChestPatient& p, float x) {
  const float lateral = std::abs(x);
  const float level = p.diaphragm + (x > 0 ? p.dome_difference : 0.0f);
  return level + 0.22f * square((lateral - 0.48f * p.thorax_width) / (0.5f * p.thorax_width));
}

LungPoint lung_point(const ChestPatient& p, float x, float y) {
  LungPoint point;
  point.lateral = std::abs(x);
  point.side = x > 0 ? 1.0f : -1.0f;
  const float height = y < thorax_middle ? thorax_top : thorax_bottom;
  const float radius = std::sqrt(square(x / p.thorax_width) + square((y - thorax_middle) / height));
  point.wall = (1 - radius) * p.thorax_width;
  point.dome = diaphragm_at(p, x);
  const float hilum = 0.05f * bump(square(y + 0.08f), 0.16f);
  const float mediastinum = 0.115f + hilum + 0.03f * soft_step((y - 0.2f) / 0.3f);
  point.inside = soft_step(point.wall / 0.025f) * soft_step((point.lateral - mediastinum) / 0.03f) *
                 soft_step((point.dome - y) / 0.02f);
  return point;
}

float heart_at(const ChestPatient& p, float x, float y) {
  const float width = p.heart_ratio * 2 * p.thorax_width;
  const float radius_x = (x > 0.02f ? 0.65f : 0.35f) * width;
  const float middle = p.diaphragm - 0.08f + 0.30f * (x - 0.02f);
  const float radius_y = 0.24f + 0.18f * p.heart_ratio;
  const float distance = 1 - std::sqrt(square((x - 0.02f) / radius_x) + square((y - middle) / radius_y));
  const float aorta = soft_step((0.085f - length_of(x - 0.10f, y + 0.27f)) / 0.025f);
  const float body = soft_step(distance * 0.25f / 0.026f) * (0.72f + 0.28f * std::clamp(distance * 1.6f, 0.0f, 1.0f));
  return std::max(body, 0.55f * aorta);
}

constexpr float turn = 6.2831853f;

float ribs_at(const ChestPatient& p, float y, const LungPoint& point) {
  const float cage = soft_step((point.wall + 0.04f) / 0.03f) * soft_step((0.62f - y) / 0.2f);
  if (cage == 0) return 0;
  constexpr float spacing = 0.165f;
  const float lateral = point.lateral;
  const float back = std::max(0.0f, std::cos(turn * (y + 0.16f * lateral - 0.62f * lateral * lateral) / spacing));
  const float front = std::max(0.0f, std::cos(turn * (y - 0.62f * (p.thorax_width - lateral)) / (1.15f * spacing)));
  return cage * (0.17f * back * back + 0.075f * front * front * soft_step((lateral - 0.3f) / 0.1f));
}

float bones_at(const ChestPatient& p, float x, float y, const LungPoint& point) {
  const float lateral = point.lateral;
  float bones = ribs_at(p, y, point);
  const float spine = bump(x * x, 0.075f);
  if (spine > 0) bones += 0.22f * spine * (0.8f + 0.2f * std::cos(turn * y / 0.13f));
  if (std::abs(y + 0.60f) < 0.22f) {
    const float collar = y + 0.60f + 0.14f * std::sin(3.2f * lateral) - 0.02f * point.side;
    bones += 0.24f * soft_step((0.032f - std::abs(collar)) / 0.018f) * soft_step((lateral - 0.08f) / 0.03f) *
             soft_step((0.82f - lateral) / 0.05f);
  }
  // The inner border of the shoulder blade.
  const float blade = lateral - 0.80f * p.thorax_width - 0.12f * (y + 0.5f);
  bones += 0.05f * soft_step(blade / 0.03f) * soft_step((0.02f - y) / 0.15f) * soft_step((y + 0.62f) / 0.1f);
  return bones;
}

// The body without lungs: 1 through the trunk, 0 in the air beside the neck.
float trunk_at(const ChestPatient& p, float x, float y) {
  const float lateral = std::abs(x);
  const float shoulder = -0.93f + 0.55f * square(std::max(0.0f, lateral - 0.22f));
  const float side = p.thorax_width + 0.16f + 0.5f * p.breast + 0.3f * soft_step((-0.05f - y) / 0.55f);
  const float neck = soft_step((0.20f - lateral) / 0.04f);
  return std::max(neck, soft_step((y - shoulder) / 0.05f)) * soft_step((side - lateral) / 0.05f);
}

float opacity_at(const ChestPatient& p, const SmoothNoise& texture, float x, float y) {
  const ChestSpot& o = p.opacity;
  const float squared = square(x - o.side * o.x) + square(y - o.y);
  if (squared > square(2.2f * o.radius)) return 0;
  const float ragged = 1 + 0.45f * texture.at(x, y);
  return o.density * bump(squared, o.radius * ragged) * (0.85f + 0.3f * texture.at(y, x));
}

// How far fluid fills the lung here: level in the angle, climbing the wall as a meniscus.
float effusion_at(const ChestPatient& p, const LungPoint& point, float y) {
  const float angle = p.diaphragm + 0.2f;
  const float climb = p.effusion.climb * square(std::max(0.0f, 1 - point.wall / 0.3f));
  return soft_step((y - (angle - p.effusion.height - climb)) / 0.05f);
}

// Distance beyond the edge of a collapsed lung: positive in the air around it.
float air_depth(const ChestPatient& p, const LungPoint& point, float y) {
  const float apex = 1 + p.pneumothorax.apical * soft_step((-0.35f - y) / 0.45f) - 0.75f * soft_step((y - 0.2f) / 0.4f);
  return p.pneumothorax.depth * apex - point.wall;
}

// Attenuation of the whole body at one point.
class ChestScene {
 public:
  ChestScene(const ChestPatient& patient, int size)
      : p_(patient),
        vessels_(size),
        leads_(size),
        texture_(RandomStream(patient.texture, 1), 7),
        tissue_(RandomStream(patient.texture, 2), 4) {
    RandomStream random(patient.texture, 3);
    for (const float side : {-1.0f, 1.0f}) {
      for (int i = 0; i < 8; ++i) {
        const auto lean = static_cast<float>(-1.35 + 0.37 * i + random.uniform(-0.15, 0.15));
        const float angle = side > 0 ? lean : 3.14159265f - lean;
        const auto length = static_cast<float>(random.uniform(0.4, 0.62));
        draw_branch(vessels_, random,
                    {side * 0.14f, -0.06f, angle, static_cast<float>(random.uniform(0.016, 0.026)), length,
                     -0.5f * side * lean, 0.22f, 0.35f, 2},
                    1.0f);
      }
    }
    if (patient.leads) draw_leads(RandomStream(patient.texture, 4));
  }

  float attenuation(int row, int column, float x, float y) const {
    const float trunk = trunk_at(p_, x, y);
    if (trunk == 0) return leads_.at(row, column);
    const LungPoint point = lung_point(p_, x, y);
    const float heart = heart_at(p_, x, y);
    const float belly = soft_step((y - point.dome) / 0.04f) * soft_step((point.wall + 0.12f) / 0.1f);
    float tissue = p_.soft_tissue * (1.0f - 0.16f * x * x) + 0.24f * belly + 0.06f * tissue_.at(x, y);
    tissue += bones_at(p_, x, y, point);
    if (p_.breast > 0) {
      const float outline = 1 - length_of((point.lateral - 0.42f) / 0.36f, (y - 0.22f) / 0.34f);
      tissue += p_.breast * soft_step(outline / 0.07f);
    }
    tissue -= 0.16f * bump(x * x, 0.035f) * soft_step((-0.2f - y) / 0.06f);
    return trunk * (tissue + organs(x, y, point, heart)) + leads_.at(row, column);
  }

 private:
  // Attenuation that lungs, heart and findings add to soft tissue (negative for air).
  float organs(float x, float y, const LungPoint& point, float heart) const {
    const float lung = point.inside * (1 - std::min(1.0f, 1.25f * heart));
    if (lung == 0) return 0.20f * heart;
    // Thick patients have deep chests.
    float air = lung * (0.42f + 0.56f * p_.soft_tissue) * (0.70f + 0.12f * soft_step((point.wall - 0.08f) / 0.15f));
    float marks = 0.20f * p_.markings * vessels_.sample(x, y) * lung + 0.03f * texture_.at(x, y) * lung;
    float extra = 0;
    if (p_.pneumothorax.present && point.side == p_.pneumothorax.side) {
      const float beyond = air_depth(p_, point, y);
      const float rim = soft_step(beyond / 0.02f);
      marks *= 1 - rim;
      air += lung * (0.12f * rim - (1 - rim) * 0.45f * p_.pneumothorax.depth);
      extra += 0.14f * lung * bump(beyond * beyond, 0.018f) * soft_step((point.wall - 0.02f) / 0.02f);
    }
    if (p_.opacity.present) air *= 1 - std::min(1.0f, opacity_at(p_, texture_, x, y));
    if (p_.effusion.present && point.side == p_.effusion.side) {
      const float fluid = effusion_at(p_, point, y);
      air *= 1 - 0.95f * fluid;
      marks *= 1 - fluid;
    }
    if (p_.nodule.present) {
      const ChestSpot& n = p_.nodule;
      const float distance = length_of(x - n.side * n.x, y - n.y);
      extra += n.density * lung * soft_step((n.radius - distance) / (0.4f * n.radius));
    }
    return 0.20f * heart - air + marks + extra;
  }

  void draw_leads(RandomStream random) {
    const int cables = 2 + static_cast<int>(random.below(2));
    for (int i = 0; i < cables; ++i) {
      const auto x = static_cast<float>(random.uniform(-0.7, 0.7)), y = static_cast<float>(random.uniform(-0.5, 0.4));
      const auto angle = static_cast<float>(random.uniform(0.3, 2.8));
      leads_.disc(x, y, 0.03f, 0.55f);
      draw_branch(leads_, random, {x, y, angle, 0.012f, 1.4f, static_cast<float>(random.uniform(-1, 1)), 0.1f, 0, 0},
                  0.5f);
    }
  }

  const ChestPatient& p_;
  Plane vessels_, leads_;
  SmoothNoise texture_, tissue_;
};

// A place inside a lung, away from its borders.
void place_in_lung(const ChestPatient& p, RandomStream& random, ChestSpot& spot) {
  spot.side = random.chance(0.5) ? 1.0f : -1.0f;
  spot.y = static_cast<float>(random.uniform(-0.5, p.diaphragm - 0.05));
  const float reach = p.thorax_width * std::sqrt(std::max(0.05f, 1 - square((spot.y - thorax_middle) / thorax_top)));
  const float inner = spot.side > 0 && spot.y > 0.1f ? 0.34f : 0.22f;
  spot.x = inner + (std::max(reach - 0.1f, inner + 0.02f) - inner) * static_cast<float>(random.uniform());
}

}  // namespace

const std::vector<std::string>& chest_findings() {
  static const std::vector<std::string> names = {"opacity", "effusion", "cardiomegaly", "nodule", "pneumothorax"};
  return names;
}

std::array<float, 5> ChestPatient::labels() const {
  return {opacity.present ? 1.0f : 0.0f, effusion.present ? 1.0f : 0.0f, heart_ratio > 0.5f ? 1.0f : 0.0f,
          nodule.present ? 1.0f : 0.0f, pneumothorax.present ? 1.0f : 0.0f};
}

ChestPatient draw_chest_patient(char site, RandomStream random) {
  const ChestSite s = chest_site(site);
  const auto between = [&](double low, double high) { return static_cast<float>(random.uniform(low, high)); };
  const auto normal = [&](float mean, float spread) { return mean + spread * static_cast<float>(random.normal()); };
  ChestPatient p{};
  p.zoom = s.zoom * between(0.92, 1.08);
  p.rotation = normal(0, s.tilt);
  p.shift_x = normal(0, 0.035f);
  p.shift_y = normal(0, 0.04f);
  p.thorax_width = between(0.66, 0.80);
  p.diaphragm = between(0.36, 0.58);
  p.dome_difference = between(0.0, 0.09);
  p.soft_tissue = between(0.85, 1.25);
  p.breast = random.chance(0.5) ? between(0.05, 0.2) : 0;
  p.markings = between(0.5, 1.25);
  p.exposure = between(0.9, 1.1);
  p.slope = normal(0, 0.04f);
  p.leads = random.chance(s.leads);
  p.texture = random.bits();
  // Hearts fail together with lungs: one hidden severity shifts both.
  const float frailty = normal(0, 1);
  p.heart_ratio = std::clamp(normal(s.heart_mean + 0.02f * frailty, 0.05f), 0.34f, 0.66f);
  const double effusion_odds = std::clamp(s.effusion * (1 + 0.5 * frailty), 0.02, 0.9);
  p.opacity.present = random.chance(std::clamp(s.opacity * (1 + 0.3 * frailty), 0.02, 0.9));
  place_in_lung(p, random, p.opacity);
  p.opacity.radius = between(0.10, 0.26);
  p.opacity.density = between(0.22, 0.75);
  p.effusion.present = random.chance(effusion_odds);
  p.effusion.side = random.chance(0.5) ? 1.0f : -1.0f;
  p.effusion.height = 0.01f + 0.42f * square(between(0, 1));
  p.effusion.climb = between(0.05, 0.2);
  p.nodule.present = random.chance(s.nodule);
  place_in_lung(p, random, p.nodule);
  p.nodule.radius = between(0.045, 0.095);
  p.nodule.density = between(0.16, 0.42);
  p.pneumothorax.present = random.chance(s.pneumothorax);
  p.pneumothorax.side = random.chance(0.5) ? 1.0f : -1.0f;
  p.pneumothorax.depth = 0.03f + 0.22f * square(between(0, 1));
  p.pneumothorax.apical = between(0.3, 1.2);
  return p;
}

void render_chest(const ChestPatient& patient, char site, int size, std::uint8_t* image) {
  const ChestSite s = chest_site(site);
  Plane film(size * supersampling);
  const ChestScene scene(patient, film.size);
  const float cosine = std::cos(patient.rotation) / patient.zoom, sine = std::sin(patient.rotation) / patient.zoom;
  for (int row = 0; row < film.size; ++row) {
    const float v = film.coordinate(row) - patient.shift_y;
    for (int column = 0; column < film.size; ++column) {
      const float u = film.coordinate(column) - patient.shift_x;
      const float x = cosine * u + sine * v, y = cosine * v - sine * u;
      const float attenuation = scene.attenuation(row, column, x, y);
      const float shade = 1 - std::exp(-1.1f * patient.exposure * std::max(0.0f, attenuation));
      film.at(row, column) = shade * (1 + patient.slope * u);
    }
  }
  blur(film, s.blur);
  const Plane picture = downsample(film);
  RandomStream random(patient.texture, 5);
  for (std::size_t i = 0; i < picture.values.size(); i += 2) {
    const NoisePair noise(random);
    for (std::size_t k = i; k < std::min(i + 2, picture.values.size()); ++k) {
      // The window from 0.12 to 0.90 of the shade is what a display would show.
      const float shade = std::clamp((picture.values[k] - 0.12f) / 0.78f, 0.0f, 1.0f);
      const float exposed = s.black + s.contrast * (s.gamma == 1 ? shade : std::pow(shade, s.gamma));
      image[k] = to_byte(exposed + s.noise * (k == i ? noise.first : noise.second));
    }
  }
}

}  // namespace preceptor::phantom
