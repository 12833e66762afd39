// Gradients as integers: exact sums, whatever the order, and one addition per row and feature in a histogram.
#pragma once

#include "memory.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace heldout {

class Team;

// How gradient g, hessian h and count c of a row, or of a bin, lie in 64-bit words.
//
//   unit     one word  | g 40 | c 24 |          h = c: squared loss without weights
//   narrow   one word  | g 24 | h 23 | c 17 |   the sums of all rows fit the fields
//   flushed  rows as narrow, bins as wide: a scratch table is added to the bins before a field can overflow
//   wide     two words | g 64 | h 40 | c 24 |   for tails that narrow fields cannot hold
//
// g is signed and lies on top, so the fields below it never borrow from it.
enum class Format { unit, narrow, flushed, wide };

constexpr int kUnitCountBits = 24;
constexpr int kNarrowCountBits = 17, kNarrowHessianBits = 23;
constexpr int kNarrowGradientShift = kNarrowCountBits + kNarrowHessianBits;

struct Scale {
  Format format = Format::unit;
  int gradient_exponent = 0; // integer gradient = round(g * 2^gradient_exponent)
  int hessian_exponent = 0;
  int count_bits = kUnitCountBits;   // of the wide word
  std::size_t rows_per_flush = 0;    // flushed only

  // unit: whether a scan looks at all 40 bits of a gradient. It does not where that could not be told from rounding: where
  // the 8 lowest bits are next to nothing of most single rows' gradients already.
  bool all_bits = false;

  bool two_words() const { return format == Format::flushed || format == Format::wide; }
  int words_per_row() const { return format == Format::wide ? 2 : 1; }
};

struct Sums {
  std::int64_t gradient = 0, hessian = 0, count = 0;
};

// The rows that count in a tree. `count` is null where each counts once; 0 leaves a row out.
struct Derivatives {
  const float *gradient = nullptr;
  const float *hessian = nullptr; // null: 1 for each row
  const std::uint8_t *count = nullptr;
  std::size_t n_rows = 0;
};

// What tests force; the defaults are what a fit uses.
struct FormatRule {
  std::size_t narrow_limit = (std::size_t{1} << kNarrowCountBits) - 1; // more weight than this is never narrow
  int most_flushed_bits = 12; // the largest |g| of a flushed row is below 2 to the power of at most this
  int forced = -1;                  // a Format, or -1
};

struct Quantised {
  Scale scale;
  Sums total;
  LargeVector<std::int64_t> words; // one per row, or two where wide

  // What the same sums can be taken at outside of histograms, for the values of leaves.
  int fine_gradient_exponent = 0, fine_hessian_exponent = 0;
};

// Order-free: exponents come from maxima and integer sums, rounding is to nearest (ties to even) row by row.
void quantise(const Derivatives &rows, const FormatRule &rule, Team &team, Quantised &out);

struct Packed {
  Sums total;
  std::int64_t lost = 0;  // count of rows whose gradient is not 0 but rounds to it
  std::int64_t small = 0; // unit: count of rows whose gradient is not 0 but below kSmallGradient
};

constexpr std::int64_t kSmallGradient = 4096; // its 8 lowest bits are 6 % of it

#ifdef HELDOUT_AVX2
// Packs rows from `first` on into one word each, four at a time, and returns where it stopped; not for wide words.
std::size_t pack_rows_avx2(const Derivatives &rows, const Scale &scale, std::size_t first, std::size_t last, std::int64_t *words,
                           Packed &packed);
#endif

// The sums of a packed word (or of two).
Sums unpack(const Scale &scale, const std::int64_t *words, std::size_t plane_stride);

// The sums of one row.
Sums sums_of_row(const Quantised &derivatives, std::size_t row);

} // namespace heldout
