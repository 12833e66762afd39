// Bins: the first stage of the tree engine. A feature becomes at most 254 value bins and one code for
// missing values, one byte per cell. Nothing in here knows Python or threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace heldout {

constexpr int kMaxBins = 254;          // value bins have the codes 0 .. 253
constexpr std::uint8_t kMissing = 255; // NaN

// Numbers in memory that lie `stride` elements apart (a row or a column of any array; never written).
template <typename Real> struct Strided {
  const Real *data = nullptr;
  std::ptrdiff_t stride = 1;
  std::size_t size = 0;

  Real operator[](std::size_t i) const { return data[static_cast<std::ptrdiff_t>(i) * stride]; }
};

// Strictly increasing cut points; value <= cut goes left. NaN and rows of weight 0 shape no cut, -0.0 is 0.0,
// and infinities are values like others, below and above all finite ones.
//
// With at most `max_bins` distinct values each value gets its own bin. With more, the bins hold equal weight,
// where a value heavier than a bin counts as one full bin and equal values stay together; then there are
// exactly `max_bins` bins. A cut is the midpoint of its two neighbours, rounded to nearest, or the lower
// neighbour where that would round onto the upper one.
//
// All rows are used, and weights are summed as integers, so neither the order of rows nor how equal values
// are spread over rows can change a bit. `weights` is null (all 1) or has as many entries as `column`.
template <typename Real>
std::vector<double> find_cut_points(Strided<Real> column, const Strided<double> *weights, int max_bins);

// The number of cut points below each value (its bin), or kMissing for NaN. At most kMaxBins - 1 cut points.
template <typename Real>
void bin_codes(Strided<Real> column, const std::vector<double> &cut_points, std::uint8_t *codes);

} // namespace heldout
