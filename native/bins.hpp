// Bins: the first stage of the tree engine. A feature becomes at most 254 value bins and one code for
// missing values, one byte per cell. Nothing in here knows Python or threads.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace heldout {

class Team;

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

// A matrix in memory: rows and features lie that many elements apart.
template <typename Real> struct StridedMatrix {
  const Real *data = nullptr;
  std::ptrdiff_t row_stride = 0, feature_stride = 0;
  std::size_t n_rows = 0, n_features = 0;

  Strided<Real> column(std::size_t feature, std::size_t first, std::size_t count) const {
    return {data + static_cast<std::ptrdiff_t>(first) * row_stride + static_cast<std::ptrdiff_t>(feature) * feature_stride,
            row_stride, count};
  }
};

// The cut points of all features, by the threads of a team.
template <typename Real>
std::vector<std::vector<double>> find_all_cut_points(const StridedMatrix<Real> &matrix, const Strided<double> *weights, int max_bins,
                                                     Team &team);

// Cut points in the type of the values they are compared with, padded with +inf, which is below nothing, so that a
// search takes the same steps for every value and has no branch to mispredict. For float32 a cut becomes the largest
// float that is not above it: no float32 lies between the two, so the answers are the same.
template <typename Real> class CutSearch {
public:
  explicit CutSearch(const std::vector<double> &cut_points) {
    while (2 * first_step_ <= cut_points.size()) first_step_ *= 2;
    cuts_.reserve(2 * first_step_);
    for (const double cut : cut_points) cuts_.push_back(not_above(cut));
    cuts_.resize(2 * first_step_, std::numeric_limits<Real>::infinity());
  }

  // The number of cut points below the value (its bin), or kMissing for NaN.
  std::uint8_t operator()(Real value) const {
    std::size_t below = 0;
    for (std::size_t step = first_step_; step > 0; step /= 2) below += cuts_[below + step - 1] < value ? step : 0;
    return std::isnan(value) ? kMissing : static_cast<std::uint8_t>(below);
  }

private:
  static Real not_above(double cut) {
    const Real rounded = static_cast<Real>(cut);
    return static_cast<double>(rounded) > cut ? std::nextafter(rounded, -std::numeric_limits<Real>::infinity()) : rounded;
  }

  std::size_t first_step_ = 1; // the smallest power of two with 2 * step > number of cuts
  std::vector<Real> cuts_;
};

// The bins of a column. At most kMaxBins - 1 cut points.
template <typename Real>
void bin_codes(Strided<Real> column, const CutSearch<Real> &search, std::uint8_t *codes);

// The bins of all cells, feature by feature: (n_features, n_rows).
template <typename Real>
void bin_all_codes(const StridedMatrix<Real> &matrix, const std::vector<std::vector<double>> &cut_points, std::uint8_t *codes, Team &team);

} // namespace heldout
