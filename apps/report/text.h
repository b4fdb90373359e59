// Numbers and names as words.
#pragma once

#include <concepts>
#include <string>
#include <vector>

#include "data/metrics/interval.h"

namespace preceptor {

// Text as HTML and SVG want it.
std::string escape_html(const std::string& text);

// The value with so many decimals, "n/a" for NaN; `sign` adds a plus.
std::string fixed(double value, int decimals, bool sign = false);

// "0.812 to 0.846", empty where a bound is NaN.
std::string bounds(const Interval& interval, bool sign = false);
// "0.829 (0.812 to 0.846)", with words around the bounds; the value alone where a bound is NaN.
std::string with_bounds(const Interval& interval, const std::string& before = "", const std::string& after = "");

// "p = 0.012", "p < 0.001".
std::string p_words(double p);

// "A", "A and B", "A, B and C".
std::string listed(const std::vector<std::string>& parts);

// A name within a sentence: "From scratch" becomes "from scratch".
std::string lower_start(std::string name);

// "3 images", "1 image".
std::string counted(long long count, const std::string& noun);

// 1234567 as "1,234,567".
std::string grouped(long long count);
template <std::integral Count>
std::string grouped(Count count) {
  return grouped(static_cast<long long>(count));
}

// "12.3 MB"; powers of 1000.
std::string byte_count(double bytes);

}  // namespace preceptor
