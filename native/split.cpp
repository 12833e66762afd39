#include "split.hpp"

#include "simd.hpp"

namespace heldout {
namespace {

constexpr std::int64_t kUnitCountMask = (std::int64_t{1} << kUnitCountBits) - 1;
constexpr std::int64_t kNarrowCountMask = (std::int64_t{1} << kNarrowCountBits) - 1;
constexpr std::int64_t kNarrowHessianMask = (std::int64_t{1} << kNarrowHessianBits) - 1;

struct Cell {
  std::int64_t first = 0, second = 0;
};

// The score of a cut that leaves `left` on the left, or 0 where a side is too light. Each operation is one of IEEE 754,
// in the order of the vector code, so that all paths agree to the bit.
template <Format format> inline float score_of(const Cell &left, const Scale &scale, const SplitRule &rule) {
  const Sums &total = rule.total;
  std::int64_t count;
  float difference, a, b;
  if constexpr (format == Format::wide) {
    count = left.second & ((std::int64_t{1} << scale.count_bits) - 1);
    const double h = static_cast<double>(static_cast<std::int64_t>(static_cast<std::uint64_t>(left.second) >> scale.count_bits));
    const double a_wide = h + rule.l2;
    const double b_wide = (static_cast<double>(total.hessian) - h) + rule.l2;
    a = static_cast<float>(a_wide);
    b = static_cast<float>(b_wide);
    difference = static_cast<float>(static_cast<double>(left.first) - rule.mean_wide * a_wide);
  } else {
    float g, h;
    if constexpr (format == Format::unit) {
      count = left.first & kUnitCountMask;
      g = static_cast<float>(static_cast<std::int32_t>(left.first >> 32));
      if (scale.all_bits) g = g * 256.0f + static_cast<float>(static_cast<std::int32_t>((left.first >> kUnitCountBits) & 255));
      h = static_cast<float>(static_cast<std::int32_t>(count));
    } else {
      count = left.first & kNarrowCountMask;
      g = static_cast<float>(static_cast<std::int32_t>(left.first >> kNarrowGradientShift));
      h = static_cast<float>(static_cast<std::int32_t>((left.first >> kNarrowCountBits) & kNarrowHessianMask));
    }
    const auto l2 = static_cast<float>(rule.l2);
    a = h + l2;
    b = (static_cast<float>(total.hessian) - h) + l2;
    difference = g - rule.mean * a;
  }
  if (count < rule.least || total.count - count < rule.least) return 0.0f;
  if (format != Format::unit && !(a >= rule.least_side && b >= rule.least_side)) return 0.0f;
  return (difference * difference) / (a * b);
}

inline void keep(float score, int bin, int missing_left, int lane, LaneBests &best) {
  if (score > best.score[lane]) {
    best.score[lane] = score;
    best.bin[lane] = bin;
    best.missing_left[lane] = missing_left;
  }
}

void reset(LaneBests &best) {
  for (int lane = 0; lane < kLanes; ++lane) {
    best.score[lane] = 0.0f;
    best.bin[lane] = 0;
    best.missing_left[lane] = 1;
  }
}

template <Format format, bool Two>
void scan_lines(const Scale &scale, const std::int64_t *bins, int n_bins, const SplitRule &rule, LaneBests &best) {
  constexpr int line = Two ? 2 * kLanes : kLanes;
  for (int lane = 0; lane < kLanes; ++lane) {
    Cell left, missing;
    missing.first = bins[n_bins * line + lane];
    if (Two) missing.second = bins[n_bins * line + kLanes + lane];
    const bool has_missing = missing.first != 0 || missing.second != 0;
    for (int bin = 0; bin < n_bins; ++bin) {
      left.first += bins[bin * line + lane];
      if (Two) left.second += bins[bin * line + kLanes + lane];
      const Cell with_missing{left.first + missing.first, left.second + missing.second};
      keep(score_of<format>(with_missing, scale, rule), bin, 1, lane, best);
      if (has_missing) keep(score_of<format>(left, scale, rule), bin, 0, lane, best);
    }
  }
}

// A set of bins as 256 bits, and their sums in a table of which only the touched cells are not zero.
template <Format format, bool Two>
void scan_touched(const BinnedRows &matrix, std::size_t block_index, const Quantised &derivatives, const RowList &rows,
                  const SplitRule &rule, std::int64_t *table, LaneBests &best) {
  constexpr int line = Two ? 2 * kLanes : kLanes;
  const Block &block = matrix.blocks[block_index];
  const std::uint64_t *words = matrix.words.data() + block_index;
  const int count_bits = derivatives.scale.count_bits;
  std::uint64_t touched[kLanes][4] = {};
  for (std::size_t i = 0; i < rows.size; ++i) {
    const std::size_t row = rows.rows ? rows.rows[i] : rows.first + i;
    const std::uint64_t word = words[row * matrix.n_blocks()];
    std::int64_t first, second = 0;
    if constexpr (format == Format::wide) {
      if (derivatives.scale.format == Format::flushed) {
        const std::int64_t packed = derivatives.words[row];
        first = packed >> kNarrowGradientShift;
        second = (((packed >> kNarrowCountBits) & kNarrowHessianMask) << count_bits) + (packed & kNarrowCountMask);
      } else {
        first = derivatives.words[2 * row];
        second = derivatives.words[2 * row + 1];
      }
    } else {
      first = derivatives.words[row];
    }
    for (int lane = 0; lane < block.n_lanes; ++lane) {
      const auto code = static_cast<std::size_t>((word >> (8 * lane)) & 255);
      table[code * line + lane] += first;
      if (Two) table[code * line + kLanes + lane] += second;
      touched[lane][code >> 6] |= std::uint64_t{1} << (code & 63);
    }
  }
  for (int lane = 0; lane < block.n_lanes; ++lane) {
    Cell left, missing;
    std::int64_t *of_missing = table + static_cast<std::size_t>(block.n_bins) * line + lane;
    missing.first = of_missing[0];
    if (Two) missing.second = of_missing[kLanes];
    const bool has_missing = missing.first != 0 || missing.second != 0;
    // With bin 0 empty the missing rows can go left alone, as in a scan of all bins.
    if (has_missing && !(touched[lane][0] & 1)) keep(score_of<format>(missing, derivatives.scale, rule), 0, 1, lane, best);
    for (int part = 0; part < 4; ++part) {
      for (std::uint64_t set = touched[lane][part]; set != 0; set &= set - 1) {
        const int bin = 64 * part + __builtin_ctzll(set);
        std::int64_t *cell = table + static_cast<std::size_t>(bin) * line + lane;
        if (bin < block.n_bins) {
          left.first += cell[0];
          if (Two) left.second += cell[kLanes];
          const Cell with_missing{left.first + missing.first, left.second + missing.second};
          keep(score_of<format>(with_missing, derivatives.scale, rule), bin, 1, lane, best);
          if (has_missing) keep(score_of<format>(left, derivatives.scale, rule), bin, 0, lane, best);
        }
        cell[0] = 0;
        if (Two) cell[kLanes] = 0;
      }
    }
  }
}

} // namespace

SplitRule make_rule(const Scale &scale, const Sums &total, double l2, std::int64_t least, double least_hessian) {
  SplitRule rule;
  rule.total = total;
  rule.l2 = l2;
  rule.least = least < 1 ? 1 : least;
  rule.least_side = static_cast<float>((least_hessian < 1.0 ? 1.0 : least_hessian) + l2);
  const double both = static_cast<double>(total.hessian) + 2 * l2;
  rule.mean_wide = static_cast<double>(total.gradient) / both;
  const bool high_bits = scale.format == Format::unit && !scale.all_bits;
  rule.mean = static_cast<float>(high_bits ? rule.mean_wide / 256 : rule.mean_wide);
  return rule;
}

void scan_block_plain(const Scale &scale, std::int64_t *bins, const std::int64_t *minus, int n_bins, const SplitRule &rule,
                      LaneBests &best) {
  reset(best);
  if (minus)
    for (std::size_t i = 0, n = (static_cast<std::size_t>(n_bins) + 1) * words_per_line(scale); i < n; ++i) bins[i] -= minus[i];
  if (scale.two_words())
    scan_lines<Format::wide, true>(scale, bins, n_bins, rule, best);
  else if (scale.format == Format::unit)
    scan_lines<Format::unit, false>(scale, bins, n_bins, rule, best);
  else
    scan_lines<Format::narrow, false>(scale, bins, n_bins, rule, best);
}

BlockScan choose_scan() {
#ifdef HELDOUT_AVX2
  if (use_avx2()) return &scan_block_avx2;
#endif
  return &scan_block_plain;
}

void scan_few_rows(const BinnedRows &matrix, std::size_t block, const Quantised &derivatives, const RowList &rows,
                   const SplitRule &rule, std::int64_t *table, LaneBests &best) {
  reset(best);
  const Scale &scale = derivatives.scale;
  if (scale.two_words())
    scan_touched<Format::wide, true>(matrix, block, derivatives, rows, rule, table, best);
  else if (scale.format == Format::unit)
    scan_touched<Format::unit, false>(matrix, block, derivatives, rows, rule, table, best);
  else
    scan_touched<Format::narrow, false>(matrix, block, derivatives, rows, rule, table, best);
}

void keep_better(const Block &block, const LaneBests &found, const std::vector<char> *allowed, Split &best) {
  for (int lane = 0; lane < block.n_lanes; ++lane) {
    const int feature = block.feature[lane];
    if (allowed && !(*allowed)[static_cast<std::size_t>(feature)]) continue;
    const float score = found.score[lane];
    if (score > best.score || (score == best.score && score > 0.0f && feature < best.feature)) {
      best.score = score;
      best.feature = feature;
      best.bin = found.bin[lane];
      best.missing_left = found.missing_left[lane] != 0;
    }
  }
}

void finish_split(const SplitRule &rule, const Sums &left, Split &split) {
  const auto g = static_cast<double>(rule.total.gradient), h = static_cast<double>(rule.total.hessian);
  const double a = static_cast<double>(left.hessian) + rule.l2;
  const double b = static_cast<double>(rule.total.hessian - left.hessian) + rule.l2;
  const double both = h + 2 * rule.l2;
  const double difference = static_cast<double>(left.gradient) - g / both * a;
  split.left = left;
  split.gain = difference * difference / a / b * both + (g * g / both - g * g / (h + rule.l2));
  // Equal gradients leave a difference of rounding only.
  if (!(split.gain > 1e-20 * (g * g / both))) split.feature = -1;
}

Sums left_sums(const BinnedRows &matrix, const Scale &scale, const std::int64_t *histogram, const Split &split) {
  const Block &block = matrix.blocks[static_cast<std::size_t>(matrix.block_of[static_cast<std::size_t>(split.feature)])];
  int lane = 0;
  while (block.feature[lane] != split.feature) ++lane;
  const std::size_t line = words_per_line(scale);
  const std::int64_t *bins = histogram + block.first_line * line + lane;
  std::int64_t words[2] = {0, 0};
  const auto add = [&](int bin) {
    words[0] += bins[static_cast<std::size_t>(bin) * line];
    if (scale.two_words()) words[1] += bins[static_cast<std::size_t>(bin) * line + kLanes];
  };
  for (int bin = 0; bin <= split.bin; ++bin) add(bin);
  if (split.missing_left) add(block.n_bins);
  return unpack(scale, words, 1);
}

} // namespace heldout
