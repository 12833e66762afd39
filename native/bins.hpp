// Bins: the first stage of the tree engine. A feature becomes at most 254 value bins and one code for
// missing values, one byte per cell. Nothing in here knows Python or threads.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

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

// Cut points in the type of the values they are compared with. For float32 a cut becomes the largest float that is not
// above it: no float32 lies between the two, so the answers are the same.
//
// Two looks at 16 numbers each, the last of every 16 cuts and then the 16 where the value lies, take the same time for
// every value and leave no branch to mispredict.
template <typename Real> class CutSearch {
public:
  explicit CutSearch(const std::vector<double> &cut_points) : cuts_(kWidth * kWidth, std::numeric_limits<Real>::infinity()) {
    for (std::size_t i = 0; i < cut_points.size(); ++i) cuts_[i] = not_above(cut_points[i]);
    for (std::size_t i = 0; i < kWidth; ++i) last_[i] = cuts_[i * kWidth + kWidth - 1];
  }

  // The number of cut points below the value (its bin), or kMissing for NaN.
  std::uint8_t operator()(Real value) const {
    const int group = n_below(last_, value);
    const int below = group * kWidth + n_below(cuts_.data() + group * kWidth, value);
    return std::isnan(value) ? kMissing : static_cast<std::uint8_t>(below);
  }

private:
  static constexpr int kWidth = 16; // squared: room for 256 cuts, of which the last is always infinity

  // Counted as the sum of masks of -1. Compilers unroll the plain loop into 16 scalar comparisons, four times as slow.
  static int n_below(const Real *sorted, Real value) {
#ifdef __SSE2__
    __m128i sum = _mm_setzero_si128();
    if constexpr (sizeof(Real) == sizeof(float)) {
      const __m128 wanted = _mm_set1_ps(value);
      for (int i = 0; i < kWidth; i += 4) sum = _mm_add_epi32(sum, _mm_castps_si128(_mm_cmplt_ps(_mm_loadu_ps(sorted + i), wanted)));
      sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0xB1));
    } else {
      const __m128d wanted = _mm_set1_pd(value);
      for (int i = 0; i < kWidth; i += 2) sum = _mm_add_epi64(sum, _mm_castpd_si128(_mm_cmplt_pd(_mm_loadu_pd(sorted + i), wanted)));
    }
    return -_mm_cvtsi128_si32(_mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0x4E)));
#else
    int n = 0;
    for (int i = 0; i < kWidth; ++i) n += sorted[i] < value;
    return n;
#endif
  }

  static Real not_above(double cut) {
    const Real rounded = static_cast<Real>(cut);
    return static_cast<double>(rounded) > cut ? std::nextafter(rounded, -std::numeric_limits<Real>::infinity()) : rounded;
  }

  std::vector<Real> cuts_;
  Real last_[kWidth];
};

// The bins of a column. At most kMaxBins - 1 cut points.
template <typename Real>
void bin_codes(Strided<Real> column, const CutSearch<Real> &search, std::uint8_t *codes);

// The bins of all cells, feature by feature: (n_features, n_rows).
template <typename Real>
void bin_all_codes(const StridedMatrix<Real> &matrix, const std::vector<std::vector<double>> &cut_points, std::uint8_t *codes, Team &team);

} // namespace heldout
