// exp and log by one sequence of IEEE 754 operations on every machine and path, to about one unit in the last place.
#pragma once

#include <cstdint>
#include <cstring>

namespace heldout {

// Each unit has its own copy: one compiled for AVX2 must not serve a processor without it.
namespace {

// e^x for x from -700 to 700; beyond, the value at that end. Cody and Waite's reduction to |r| <= ln(2) / 2, then the
// Taylor polynomial of degree 13, whose first term left out is below 2^-57.
[[maybe_unused]] inline double exponential(double x) {
  x = x < -700.0 ? -700.0 : x;
  x = x > 700.0 ? 700.0 : x;
  constexpr double magic = 6755399441055744.0; // 2^52 + 2^51: adding it rounds to an integer in the low bits
  const double shifted = x * 1.4426950408889634074 + magic;
  const double k = shifted - magic;
  const double r = (x - k * 6.93147180369123816490e-01) - k * 1.90821492927058770002e-10;
  double p = 1.0 / 6227020800.0;
  p = p * r + 1.0 / 479001600.0;
  p = p * r + 1.0 / 39916800.0;
  p = p * r + 1.0 / 3628800.0;
  p = p * r + 1.0 / 362880.0;
  p = p * r + 1.0 / 40320.0;
  p = p * r + 1.0 / 5040.0;
  p = p * r + 1.0 / 720.0;
  p = p * r + 1.0 / 120.0;
  p = p * r + 1.0 / 24.0;
  p = p * r + 1.0 / 6.0;
  p = p * r + 0.5;
  p = p * r + 1.0;
  p = p * r + 1.0;
  std::uint64_t bits;
  std::memcpy(&bits, &shifted, sizeof bits);
  bits = (bits << 52) + (std::uint64_t{1023} << 52); // the integer k in the low bits becomes an exponent
  double power;
  std::memcpy(&power, &bits, sizeof power);
  return p * power;
}

// ln x for normal positive x: x = m 2^k with m from sqrt(1/2) to sqrt(2), and with s = (m - 1) / (m + 1), at most 0.172,
// ln m = 2 (s + s^3 / 3 + s^5 / 5 + ...); the first term left out is below 2^-57.
[[maybe_unused]] inline double natural_logarithm(double x) {
  std::uint64_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  const std::uint64_t half_root = 0x3fe6a09e667f3bcdu; // sqrt(1/2)
  const std::uint64_t steps = (bits - half_root) >> 52;
  const std::int64_t k = static_cast<std::int64_t>(steps ^ 0x800) - 0x800; // 12 bits with their sign
  bits -= static_cast<std::uint64_t>(k) << 52;
  double m;
  std::memcpy(&m, &bits, sizeof m);
  const double s = (m - 1.0) / (m + 1.0), t = s * s;
  double p = 1.0 / 21.0;
  p = p * t + 1.0 / 19.0;
  p = p * t + 1.0 / 17.0;
  p = p * t + 1.0 / 15.0;
  p = p * t + 1.0 / 13.0;
  p = p * t + 1.0 / 11.0;
  p = p * t + 1.0 / 9.0;
  p = p * t + 1.0 / 7.0;
  p = p * t + 1.0 / 5.0;
  p = p * t + 1.0 / 3.0;
  const double rest = 2.0 * s * t * p + static_cast<double>(k) * 1.90821492927058770002e-10;
  return static_cast<double>(k) * 6.93147180369123816490e-01 + (2.0 * s + rest);
}

// 1 / (1 + e^-x)
[[maybe_unused]] inline double logistic(double x) {
  const double e = exponential(x < 0.0 ? x : -x);
  return (x < 0.0 ? e : 1.0) / (1.0 + e);
}

} // namespace

} // namespace heldout
