// The scan of a block, 8 features at once. Compiled for AVX2 and called only where the processor has it; nothing in
// here may be used elsewhere, so everything but the entry has internal linkage and no library header brings code in.
#include "split.hpp"

#ifdef HELDOUT_AVX2
#include <immintrin.h>

namespace heldout {
namespace {

// How a scan reads one-word bins: the high 32 bits of a 40-bit gradient, all 40, or narrow fields.
enum class Reading { unit_high, unit_all, narrow };

struct Best {
  __m256 score;
  __m256i bin;
  __m256i missing_left;
};

// The best score goes through a maximum and not a choice: each bin waits for the one before it, and a maximum is quicker.
template <bool Missing> inline void keep(Best &best, __m256 score, __m256 fits, __m256i bin, __m256i missing_left) {
  const __m256 allowed = _mm256_and_ps(score, fits);
  const __m256 better = _mm256_cmp_ps(allowed, best.score, _CMP_GT_OQ);
  best.score = _mm256_max_ps(best.score, allowed);
  const __m256i chosen = _mm256_castps_si256(better);
  best.bin = _mm256_blendv_epi8(best.bin, bin, chosen);
  if (Missing) best.missing_left = _mm256_blendv_epi8(best.missing_left, missing_left, chosen);
}

inline __m256i low_halves(__m256i a, __m256i b) {
  return _mm256_castps_si256(_mm256_shuffle_ps(_mm256_castsi256_ps(a), _mm256_castsi256_ps(b), 0x88));
}

inline __m256i high_halves(__m256i a, __m256i b) {
  return _mm256_castps_si256(_mm256_shuffle_ps(_mm256_castsi256_ps(a), _mm256_castsi256_ps(b), 0xDD));
}

// Whether neither side is below a least value.
inline __m256 both_reach(__m256 a, __m256 b, __m256 least) { return _mm256_cmp_ps(_mm256_min_ps(a, b), least, _CMP_GE_OQ); }

// Whether least <= count <= total - least, as unsigned count - least <= total - 2 least.
struct CountRule {
  __m256i least, room;

  explicit CountRule(const SplitRule &rule)
      : least(_mm256_set1_epi32(static_cast<int>(rule.least))), room(_mm256_set1_epi32(static_cast<int>(rule.total.count - 2 * rule.least))) {}
  inline __m256 fits(__m256i count) const {
    const __m256i above = _mm256_sub_epi32(count, least);
    return _mm256_castsi256_ps(_mm256_cmpeq_epi32(_mm256_min_epu32(above, room), above));
  }
};

// The eight lanes of a line of one-word bins lie in two registers; low or high halves of both come out in the order
// 0 1 4 5 2 3 6 7, in which the bests stay until they are stored.
template <Reading reading, bool Penalised, bool Missing> struct OneWord {
  __m256 mean, l2, hessian, least_side;
  CountRule counts;

  explicit OneWord(const SplitRule &rule)
      : mean(_mm256_set1_ps(rule.mean)), l2(_mm256_set1_ps(static_cast<float>(rule.l2))),
        hessian(_mm256_set1_ps(static_cast<float>(rule.total.hessian))),
        least_side(_mm256_set1_ps(reading == Reading::narrow ? rule.least_side : static_cast<float>(rule.least))), counts(rule) {}

  inline void evaluate(__m256i a_word, __m256i b_word, __m256i bin, __m256i missing_left, Best &best) const {
    const __m256i low = low_halves(a_word, b_word), high = high_halves(a_word, b_word);
    __m256 g, h;
    __m256i count;
    if constexpr (reading == Reading::narrow) {
      count = _mm256_and_si256(low, _mm256_set1_epi32((1 << kNarrowCountBits) - 1));
      const __m256i middle = low_halves(_mm256_srli_epi64(a_word, kNarrowCountBits), _mm256_srli_epi64(b_word, kNarrowCountBits));
      h = _mm256_cvtepi32_ps(_mm256_and_si256(middle, _mm256_set1_epi32((1 << kNarrowHessianBits) - 1)));
      g = _mm256_cvtepi32_ps(_mm256_srai_epi32(high, kNarrowGradientShift - 32));
    } else {
      count = _mm256_and_si256(low, _mm256_set1_epi32((1 << kUnitCountBits) - 1));
      h = _mm256_cvtepi32_ps(count);
      g = _mm256_cvtepi32_ps(high);
      if (reading == Reading::unit_all)
        g = _mm256_add_ps(_mm256_mul_ps(g, _mm256_set1_ps(256.0f)), _mm256_cvtepi32_ps(_mm256_srli_epi32(low, kUnitCountBits)));
    }
    const __m256 rest = _mm256_sub_ps(hessian, h);
    const __m256 a = Penalised ? _mm256_add_ps(h, l2) : h, b = Penalised ? _mm256_add_ps(rest, l2) : rest;
    const __m256 difference = _mm256_sub_ps(g, _mm256_mul_ps(mean, a));
    const __m256 score = _mm256_div_ps(_mm256_mul_ps(difference, difference), _mm256_mul_ps(a, b));
    const __m256 fits = reading == Reading::narrow ? _mm256_and_ps(counts.fits(count), both_reach(a, b, least_side))
                                                   : both_reach(h, rest, least_side); // h counts rows
    keep<Missing>(best, score, fits, bin, missing_left);
  }
};

inline __m256i load(const std::int64_t *words) { return _mm256_load_si256(reinterpret_cast<const __m256i *>(words)); }

// The words at `bins`, after those at `minus` were taken from them.
template <bool Difference> inline __m256i take(std::int64_t *bins, const std::int64_t *minus) {
  if (!Difference) return load(bins);
  const __m256i words = _mm256_sub_epi64(load(bins), load(minus));
  _mm256_store_si256(reinterpret_cast<__m256i *>(bins), words);
  return words;
}

inline __m256i in_order(__m256i value) { return _mm256_permute4x64_epi64(value, 0xD8); }

void store(const Best &best, LaneBests &out) {
  _mm256_storeu_ps(out.score, best.score);
  _mm256_storeu_si256(reinterpret_cast<__m256i *>(out.bin), best.bin);
  _mm256_storeu_si256(reinterpret_cast<__m256i *>(out.missing_left), best.missing_left);
}

inline Best no_best() { return {_mm256_setzero_ps(), _mm256_setzero_si256(), _mm256_set1_epi32(1)}; }

template <Reading reading, bool Penalised, bool Difference, bool Missing>
void scan_one_word(std::int64_t *bins, const std::int64_t *minus, int n_bins, __m256i missing_a, __m256i missing_b, const SplitRule &rule,
                   LaneBests &out) {
  const OneWord<reading, Penalised, Missing> node(rule);
  const __m256i one = _mm256_set1_epi32(1), zero = _mm256_setzero_si256();
  __m256i a = zero, b = zero, bin = zero;
  Best best = no_best();
  for (int k = 0; k < n_bins; ++k, bins += kLanes, minus += Difference ? kLanes : 0) {
    a = _mm256_add_epi64(a, take<Difference>(bins, minus));
    b = _mm256_add_epi64(b, take<Difference>(bins + 4, minus + (Difference ? 4 : 0)));
    if (Missing) {
      node.evaluate(_mm256_add_epi64(a, missing_a), _mm256_add_epi64(b, missing_b), bin, one, best);
      node.evaluate(a, b, bin, zero, best);
    } else {
      node.evaluate(a, b, bin, one, best);
    }
    bin = _mm256_add_epi32(bin, one);
  }
  best.score = _mm256_castsi256_ps(in_order(_mm256_castps_si256(best.score)));
  best.bin = in_order(best.bin);
  best.missing_left = in_order(best.missing_left);
  store(best, out);
}

// Without missing rows in the node both directions of a cut are the same one, and left is what ties take.
template <Reading reading, bool Penalised, bool Difference>
void scan_one_word(std::int64_t *bins, const std::int64_t *minus, int n_bins, const SplitRule &rule, LaneBests &out) {
  const std::ptrdiff_t last = static_cast<std::ptrdiff_t>(n_bins) * kLanes;
  const __m256i a = take<Difference>(bins + last, Difference ? minus + last : minus);
  const __m256i b = take<Difference>(bins + last + 4, Difference ? minus + last + 4 : minus);
  const __m256i any = _mm256_or_si256(a, b);
  if (_mm256_testz_si256(any, any))
    scan_one_word<reading, Penalised, Difference, false>(bins, minus, n_bins, a, b, rule, out);
  else
    scan_one_word<reading, Penalised, Difference, true>(bins, minus, n_bins, a, b, rule, out);
}

template <Reading reading>
void scan_one_word(std::int64_t *bins, const std::int64_t *minus, int n_bins, const SplitRule &rule, LaneBests &out) {
  if (rule.l2 != 0.0)
    minus ? scan_one_word<reading, true, true>(bins, minus, n_bins, rule, out)
          : scan_one_word<reading, true, false>(bins, minus, n_bins, rule, out);
  else
    minus ? scan_one_word<reading, false, true>(bins, minus, n_bins, rule, out)
          : scan_one_word<reading, false, false>(bins, minus, n_bins, rule, out);
}

// Signed integers of less than 2^51 in magnitude, exactly.
inline __m256d to_double(__m256i value) {
  const __m256d magic = _mm256_set1_pd(6755399441055744.0); // 2^52 + 2^51
  return _mm256_sub_pd(_mm256_castsi256_pd(_mm256_add_epi64(value, _mm256_castpd_si256(magic))), magic);
}

inline __m256 joined(__m256d a, __m256d b) {
  return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm256_cvtpd_ps(a)), _mm256_cvtpd_ps(b), 1);
}

struct TwoWords {
  __m256d mean, l2, hessian;
  __m256 least_side;
  CountRule counts;
  __m256i count_mask;
  __m128i count_bits;

  TwoWords(const Scale &scale, const SplitRule &rule)
      : mean(_mm256_set1_pd(rule.mean_wide)), l2(_mm256_set1_pd(rule.l2)),
        hessian(_mm256_set1_pd(static_cast<double>(rule.total.hessian))), least_side(_mm256_set1_ps(rule.least_side)), counts(rule),
        count_mask(_mm256_set1_epi64x((std::int64_t{1} << scale.count_bits) - 1)), count_bits(_mm_cvtsi32_si128(scale.count_bits)) {}

  template <bool Missing> inline void evaluate(const __m256i word[4], __m256i bin, __m256i missing_left, Best &best) const {
    const __m256i count = in_order(low_halves(_mm256_and_si256(word[2], count_mask), _mm256_and_si256(word[3], count_mask)));
    const __m256d h0 = to_double(_mm256_srl_epi64(word[2], count_bits)), h1 = to_double(_mm256_srl_epi64(word[3], count_bits));
    const __m256d a0 = _mm256_add_pd(h0, l2), a1 = _mm256_add_pd(h1, l2);
    const __m256d b0 = _mm256_add_pd(_mm256_sub_pd(hessian, h0), l2), b1 = _mm256_add_pd(_mm256_sub_pd(hessian, h1), l2);
    const __m256 difference = joined(_mm256_sub_pd(to_double(word[0]), _mm256_mul_pd(mean, a0)),
                                     _mm256_sub_pd(to_double(word[1]), _mm256_mul_pd(mean, a1)));
    const __m256 a = joined(a0, a1), b = joined(b0, b1);
    const __m256 score = _mm256_div_ps(_mm256_mul_ps(difference, difference), _mm256_mul_ps(a, b));
    keep<Missing>(best, score, _mm256_and_ps(counts.fits(count), both_reach(a, b, least_side)), bin, missing_left);
  }
};

template <bool Difference, bool Missing>
void scan_two_words(const Scale &scale, std::int64_t *bins, const std::int64_t *minus, int n_bins, const __m256i missing[4],
                    const SplitRule &rule, LaneBests &out) {
  const TwoWords node(scale, rule);
  const __m256i one = _mm256_set1_epi32(1), zero = _mm256_setzero_si256();
  __m256i sum[4] = {zero, zero, zero, zero}, with_missing[4], bin = zero;
  Best best = no_best();
  for (int k = 0; k < n_bins; ++k, bins += 2 * kLanes, minus += Difference ? 2 * kLanes : 0) {
    for (int part = 0; part < 4; ++part)
      sum[part] = _mm256_add_epi64(sum[part], take<Difference>(bins + 4 * part, Difference ? minus + 4 * part : minus));
    if (Missing) {
      for (int part = 0; part < 4; ++part) with_missing[part] = _mm256_add_epi64(sum[part], missing[part]);
      node.evaluate<true>(with_missing, bin, one, best);
      node.evaluate<true>(sum, bin, zero, best);
    } else {
      node.evaluate<false>(sum, bin, one, best);
    }
    bin = _mm256_add_epi32(bin, one);
  }
  store(best, out);
}

template <bool Difference>
void scan_two_words(const Scale &scale, std::int64_t *bins, const std::int64_t *minus, int n_bins, const SplitRule &rule, LaneBests &out) {
  const std::ptrdiff_t last = static_cast<std::ptrdiff_t>(n_bins) * 2 * kLanes;
  __m256i missing[4], any = _mm256_setzero_si256();
  for (int part = 0; part < 4; ++part) {
    missing[part] = take<Difference>(bins + last + 4 * part, Difference ? minus + last + 4 * part : minus);
    any = _mm256_or_si256(any, missing[part]);
  }
  if (_mm256_testz_si256(any, any))
    scan_two_words<Difference, false>(scale, bins, minus, n_bins, missing, rule, out);
  else
    scan_two_words<Difference, true>(scale, bins, minus, n_bins, missing, rule, out);
}

} // namespace

void scan_block_avx2(const Scale &scale, std::int64_t *bins, const std::int64_t *minus, int n_bins, const SplitRule &rule,
                     LaneBests &best) {
  if (scale.two_words())
    minus ? scan_two_words<true>(scale, bins, minus, n_bins, rule, best) : scan_two_words<false>(scale, bins, minus, n_bins, rule, best);
  else if (scale.format == Format::narrow)
    scan_one_word<Reading::narrow>(bins, minus, n_bins, rule, best);
  else if (scale.all_bits)
    scan_one_word<Reading::unit_all>(bins, minus, n_bins, rule, best);
  else
    scan_one_word<Reading::unit_high>(bins, minus, n_bins, rule, best);
}

} // namespace heldout
#endif
