#include "quantise.hpp"

#include "parallel.hpp"
#include "simd.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace heldout {
namespace {

constexpr std::size_t kSmallestChunk = 2048;
constexpr int kBitsOfMean = 7, kLeastFlushedBits = 8;

// Sums of magnitudes are taken at a power of two that leaves room for n rows of the largest one.
struct Magnitude {
  float largest = 0.0f;
  double sum = 0.0; // an upper bound of the sum of |value| * count, the same for any order
};

int bits_of(std::size_t n) {
  int bits = 0;
  while (n >> bits) ++bits;
  return bits;
}

std::int64_t rounded(double value) { return static_cast<std::int64_t>(std::nearbyint(value)); }

// The bits of a value where its row counts, else 0: masked and not branched on, since bags are as good as random.
template <bool Count> std::uint32_t bits_if_counted(const float *values, const std::uint8_t *count, std::size_t row) {
  std::uint32_t bits;
  std::memcpy(&bits, values + row, sizeof bits);
  return Count ? bits & (0u - static_cast<std::uint32_t>(count[row] != 0)) : bits;
}

float from_bits(std::uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

// Magnitudes of floats are ordered as their bits are, and a maximum of integers is vector code.
template <bool Count> float largest_of(const float *values, const std::uint8_t *count, std::size_t first, std::size_t last) {
  std::uint32_t top = 0;
  for (std::size_t row = first; row < last; ++row)
    top = std::max(top, bits_if_counted<Count>(values, count, row) & 0x7fffffffu);
  return from_bits(top);
}

template <bool Count>
std::int64_t truncated_sum(const float *values, const std::uint8_t *count, double factor, std::size_t first, std::size_t last) {
  std::int64_t sum = 0;
  for (std::size_t row = first; row < last; ++row) {
    const double magnitude = static_cast<double>(from_bits(bits_if_counted<Count>(values, count, row) & 0x7fffffffu));
    sum += static_cast<std::int64_t>(magnitude * factor) * (Count ? count[row] : 1);
  }
  return sum;
}

// A row that counts w times gives what w rows give: scales must not tell them apart.
Magnitude measure(const float *values, const Derivatives &rows, std::int64_t all_counts, Team &team) {
  Magnitude out;
  std::vector<float> largest(static_cast<std::size_t>(team.size()), 0.0f);
  team.chunks(rows.n_rows, kSmallestChunk, [&](std::size_t first, std::size_t last, int part) {
    largest[static_cast<std::size_t>(part)] =
        rows.count ? largest_of<true>(values, rows.count, first, last) : largest_of<false>(values, nullptr, first, last);
  });
  out.largest = *std::max_element(largest.begin(), largest.end());
  if (!(out.largest > 0.0f)) return out;
  int exponent = 0;
  std::frexp(out.largest, &exponent); // largest < 2^exponent
  const int shift = 62 - exponent - bits_of(static_cast<std::size_t>(all_counts));
  const double factor = std::ldexp(1.0, shift);
  std::vector<std::int64_t> sums(largest.size(), 0);
  team.chunks(rows.n_rows, kSmallestChunk, [&](std::size_t first, std::size_t last, int part) {
    sums[static_cast<std::size_t>(part)] = rows.count ? truncated_sum<true>(values, rows.count, factor, first, last)
                                                      : truncated_sum<false>(values, nullptr, factor, first, last);
  });
  std::int64_t sum = all_counts; // what truncation has lost is below 1 a row
  for (const std::int64_t part : sums) sum += part;
  out.sum = std::ldexp(static_cast<double>(sum), -shift);
  return out;
}

// The largest e with sum * 2^e + slack <= limit, less a millionth for what is rounded on the way.
int exponent_below(double sum, double limit, double slack) {
  if (!(sum > 0.0)) return 0;
  int exponent = 0;
  std::frexp((limit * (1 - 1e-6) - slack) / sum, &exponent); // 2^(exponent - 1) <= quotient < 2^exponent
  return exponent - 1;
}

struct Measured {
  Magnitude gradient, hessian;
  std::int64_t count = 0;
  std::uint8_t largest_count = 1;
};

Measured measure(const Derivatives &rows, Team &team) {
  Measured found;
  found.count = static_cast<std::int64_t>(rows.n_rows);
  if (rows.count) {
    found.count = 0;
    for (std::size_t row = 0; row < rows.n_rows; ++row) {
      found.count += rows.count[row];
      found.largest_count = std::max(found.largest_count, rows.count[row]);
    }
  }
  found.gradient = measure(rows.gradient, rows, found.count, team);
  found.hessian = rows.hessian ? measure(rows.hessian, rows, found.count, team) : Magnitude{1.0f, static_cast<double>(found.count)};
  return found;
}

Scale unit_scale(const Measured &m) {
  Scale scale;
  scale.format = Format::unit;
  scale.gradient_exponent = exponent_below(m.gradient.sum, std::ldexp(1.0, 39) - 1, static_cast<double>(m.count));
  return scale;
}

Scale wide_scale(const Measured &m) {
  Scale scale;
  scale.format = Format::wide;
  scale.count_bits = std::max(kUnitCountBits, bits_of(static_cast<std::size_t>(m.count)));
  const auto slack = static_cast<double>(m.count);
  scale.gradient_exponent = exponent_below(m.gradient.sum, std::ldexp(1.0, 47), slack);
  scale.hessian_exponent = exponent_below(m.hessian.sum, std::ldexp(1.0, std::min(39, 63 - scale.count_bits)), slack);
  return scale;
}

Scale narrow_scale(const Measured &m) {
  Scale scale;
  scale.format = Format::narrow;
  const auto slack = static_cast<double>(m.count);
  scale.gradient_exponent = exponent_below(m.gradient.sum, std::ldexp(1.0, 23) - 1, slack);
  scale.hessian_exponent = exponent_below(m.hessian.sum, std::ldexp(1.0, kNarrowHessianBits) - 1, slack);
  return scale;
}

// As many bits for the largest value of a row as make the mean one 7 bits long: fewer mean fewer flushes, and an error of
// rounding of less than 1 % of a mean row is nothing beside the rows' own spread.
int flushed_bits(const Magnitude &value, std::int64_t count) {
  const double ratio = value.largest * static_cast<double>(count) / value.sum;
  return value.sum > 0.0 ? static_cast<int>(std::ceil(std::log2(ratio))) + kBitsOfMean : kLeastFlushedBits;
}

Scale flushed_scale(const Measured &m, const FormatRule &rule) {
  const int wanted = std::max(flushed_bits(m.gradient, m.count), flushed_bits(m.hessian, m.count));
  const int bits = std::clamp(wanted, kLeastFlushedBits, rule.most_flushed_bits);
  Scale scale;
  scale.format = Format::flushed;
  scale.count_bits = std::max(kUnitCountBits, bits_of(static_cast<std::size_t>(m.count)));
  const double limit = std::ldexp(1.0, bits);
  scale.gradient_exponent = exponent_below(m.gradient.largest, limit, 1); // 1 for rounding
  scale.hessian_exponent = exponent_below(m.hessian.largest, limit, 1);
  const std::size_t by_value = (std::size_t{1} << 23) - 1, by_count = (std::size_t{1} << kNarrowCountBits) - 1;
  scale.rows_per_flush = std::min(by_value >> bits, by_count) / m.largest_count;
  return scale;
}

// Whether a mean row still counts some tens of units: below, most rows would round to little or nothing.
bool flushed_resolves(const Measured &m, const FormatRule &rule) {
  const int most = rule.most_flushed_bits + 2;
  return flushed_bits(m.gradient, m.count) <= most && flushed_bits(m.hessian, m.count) <= most;
}

Scale choose(const Measured &m, bool unit_hessian, const FormatRule &rule) {
  const auto count = static_cast<std::size_t>(m.count);
  const bool one_word_holds_count = count < (std::size_t{1} << kUnitCountBits);
  switch (rule.forced) {
  case static_cast<int>(Format::narrow):
    return narrow_scale(m);
  case static_cast<int>(Format::flushed):
    return flushed_scale(m, rule);
  case static_cast<int>(Format::wide):
    return wide_scale(m);
  default:
    break;
  }
  if (unit_hessian && one_word_holds_count) return unit_scale(m);
  if (count <= rule.narrow_limit) return narrow_scale(m);
  return flushed_resolves(m, rule) ? flushed_scale(m, rule) : wide_scale(m);
}

template <bool Unit, bool Hessian, bool Count>
void pack_rows(const Derivatives &rows, const Scale &scale, std::size_t first, std::size_t last, std::int64_t *words, Packed &packed) {
  const double of_gradient = std::ldexp(1.0, scale.gradient_exponent);
  const double of_hessian = std::ldexp(1.0, scale.hessian_exponent);
  const std::int64_t one = Hessian ? 0 : rounded(of_hessian); // of weights, a power of two can be beyond an integer
  for (std::size_t row = first; row < last; ++row) {
    const std::int64_t count = Count ? rows.count[row] : 1;
    const float gradient = from_bits(bits_if_counted<Count>(rows.gradient, rows.count, row));
    const std::int64_t of_one = rounded(static_cast<double>(gradient) * of_gradient), g = of_one * count;
    packed.lost += count * static_cast<std::int64_t>((of_one == 0) & (gradient != 0.0f));
    if (Unit) packed.small += count * static_cast<std::int64_t>((of_one != 0) & (of_one < kSmallGradient) & (of_one > -kSmallGradient));
    packed.total.gradient += g;
    packed.total.count += count;
    if (Unit) packed.total.hessian += count;
    if (Unit) {
      words[row] = static_cast<std::int64_t>(static_cast<std::uint64_t>(g) << kUnitCountBits) + count;
      continue;
    }
    const std::int64_t h = (Hessian ? rounded(static_cast<double>(from_bits(bits_if_counted<Count>(rows.hessian, rows.count, row))) * of_hessian) : one) * count;
    packed.total.hessian += h;
    if (scale.format == Format::wide) {
      words[2 * row] = g;
      words[2 * row + 1] = (h << scale.count_bits) + count;
    } else {
      words[row] = static_cast<std::int64_t>(static_cast<std::uint64_t>(g) << kNarrowGradientShift) +
                   (h << kNarrowCountBits) + count;
    }
  }
}

Packed pack(const Derivatives &rows, const Scale &scale, Team &team, LargeVector<std::int64_t> &words) {
  words.resize(rows.n_rows * static_cast<std::size_t>(scale.words_per_row()));
  std::vector<Packed> parts(static_cast<std::size_t>(team.size()));
  team.chunks(rows.n_rows, kSmallestChunk, [&](std::size_t first, std::size_t last, int thread) {
    const bool unit = scale.format == Format::unit;
    auto *function = unit ? (rows.count ? &pack_rows<true, false, true> : &pack_rows<true, false, false>)
                     : rows.hessian ? (rows.count ? &pack_rows<false, true, true> : &pack_rows<false, true, false>)
                                    : (rows.count ? &pack_rows<false, false, true> : &pack_rows<false, false, false>);
    Packed &part = parts[static_cast<std::size_t>(thread)];
#ifdef HELDOUT_AVX2
    if (scale.format != Format::wide && use_avx2()) first = pack_rows_avx2(rows, scale, first, last, words.data(), part);
#endif
    function(rows, scale, first, last, words.data(), part);
  });
  Packed all;
  for (const Packed &part : parts) {
    all.total.gradient += part.total.gradient;
    all.total.hessian += part.total.hessian;
    all.total.count += part.total.count;
    all.lost += part.lost;
    all.small += part.small;
  }
  return all;
}

} // namespace

void quantise(const Derivatives &rows, const FormatRule &rule, Team &team, Quantised &out) {
  const Measured measured = measure(rows, team);
  out.scale = choose(measured, rows.hessian == nullptr, rule);
  Packed packed = pack(rows, out.scale, team, out.words);
  // One huge gradient can leave nothing of all others: then the fields are too short, whatever their average says.
  if (rule.forced < 0 && out.scale.format != Format::wide && packed.lost * 8 > measured.count) {
    out.scale = wide_scale(measured);
    packed = pack(rows, out.scale, team, out.words);
  }
  out.scale.all_bits = 8 * packed.small > measured.count;
  out.total = packed.total;
  const double slack = static_cast<double>(measured.count), limit = std::ldexp(1.0, 62);
  out.fine_gradient_exponent = exponent_below(measured.gradient.sum, limit, slack);
  out.fine_hessian_exponent = exponent_below(measured.hessian.sum, limit, slack);
}

Sums unpack(const Scale &scale, const std::int64_t *words, std::size_t plane_stride) {
  Sums sums;
  const std::int64_t word = words[0];
  if (scale.format == Format::unit) {
    sums.gradient = word >> kUnitCountBits;
    sums.count = sums.hessian = word & ((std::int64_t{1} << kUnitCountBits) - 1);
  } else if (scale.format == Format::narrow) {
    sums.gradient = word >> kNarrowGradientShift;
    sums.hessian = (word >> kNarrowCountBits) & ((std::int64_t{1} << kNarrowHessianBits) - 1);
    sums.count = word & ((std::int64_t{1} << kNarrowCountBits) - 1);
  } else {
    sums.gradient = word;
    const auto rest = static_cast<std::uint64_t>(words[plane_stride]);
    sums.hessian = static_cast<std::int64_t>(rest >> scale.count_bits);
    sums.count = static_cast<std::int64_t>(rest & ((std::uint64_t{1} << scale.count_bits) - 1));
  }
  return sums;
}

Sums sums_of_row(const Quantised &derivatives, std::size_t row) {
  Scale scale = derivatives.scale;
  if (scale.format == Format::wide) return unpack(scale, derivatives.words.data() + 2 * row, 1);
  if (scale.format == Format::flushed) scale.format = Format::narrow;
  return unpack(scale, derivatives.words.data() + row, 1);
}

} // namespace heldout
