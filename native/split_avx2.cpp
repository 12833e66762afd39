// The scan of a block, 8 features at once. Compiled for AVX2 and called only where the processor has it; nothing in
// here may be used elsewhere, so everything but the entry has internal linkage and no library header brings code in.
#include "split.hpp"

#ifdef HELDOUT_AVX2
#include <immintrin.h>

namespace heldout {
namespace {

struct Best {
  __m256 score;
  __m256i bin;
  __m256i missing_left;
};

inline void keep(Best &best, __m256 score, __m256i fits, __m256i bin, __m256i missing_left) {
  const __m256 better = _mm256_and_ps(_mm256_cmp_ps(score, best.score, _CMP_GT_OQ), _mm256_castsi256_ps(fits));
  best.score = _mm256_blendv_ps(best.score, score, better);
  const __m256i chosen = _mm256_castps_si256(better);
  best.bin = _mm256_blendv_epi8(best.bin, bin, chosen);
  best.missing_left = _mm256_blendv_epi8(best.missing_left, missing_left, chosen);
}

inline __m256i shuffled(__m256i a, __m256i b, const int which) {
  const __m256 x = _mm256_castsi256_ps(a), y = _mm256_castsi256_ps(b);
  return _mm256_castps_si256(which == 0 ? _mm256_shuffle_ps(x, y, 0x88) : _mm256_shuffle_ps(x, y, 0xDD));
}

inline __m256i heavy(__m256 a, __m256 b, __m256 least_side) {
  return _mm256_castps_si256(
      _mm256_and_ps(_mm256_cmp_ps(a, least_side, _CMP_GE_OQ), _mm256_cmp_ps(b, least_side, _CMP_GE_OQ)));
}

// The eight lanes of a line of one-word bins lie in two registers; low or high halves of both come out in the order
// 0 1 4 5 2 3 6 7, in which the bests stay until they are stored.
template <Format format> struct OneWord {
  __m256i first, second;
  __m256 mean, l2, hessian, least_side;
  __m256i least, most;

  explicit OneWord(const SplitRule &rule)
      : mean(_mm256_set1_ps(rule.mean)), l2(_mm256_set1_ps(static_cast<float>(rule.l2))),
        hessian(_mm256_set1_ps(static_cast<float>(rule.total.hessian))), least_side(_mm256_set1_ps(rule.least_side)),
        least(_mm256_set1_epi32(static_cast<int>(rule.least - 1))),
        most(_mm256_set1_epi32(static_cast<int>(rule.total.count - rule.least + 1))) {}

  inline void evaluate(__m256i a_word, __m256i b_word, __m256i bin, __m256i missing_left, Best &best) const {
    const __m256i low = shuffled(a_word, b_word, 0), high = shuffled(a_word, b_word, 1);
    __m256 g, h;
    __m256i count;
    if constexpr (format == Format::unit) {
      count = _mm256_and_si256(low, _mm256_set1_epi32((1 << kUnitCountBits) - 1));
      h = _mm256_cvtepi32_ps(count);
      g = _mm256_add_ps(_mm256_mul_ps(_mm256_cvtepi32_ps(high), _mm256_set1_ps(256.0f)),
                        _mm256_cvtepi32_ps(_mm256_srli_epi32(low, kUnitCountBits)));
    } else {
      count = _mm256_and_si256(low, _mm256_set1_epi32((1 << kNarrowCountBits) - 1));
      const __m256i middle = shuffled(_mm256_srli_epi64(a_word, kNarrowCountBits), _mm256_srli_epi64(b_word, kNarrowCountBits), 0);
      h = _mm256_cvtepi32_ps(_mm256_and_si256(middle, _mm256_set1_epi32((1 << kNarrowHessianBits) - 1)));
      g = _mm256_cvtepi32_ps(_mm256_srai_epi32(high, kNarrowGradientShift - 32));
    }
    const __m256 a = _mm256_add_ps(h, l2);
    const __m256 b = _mm256_add_ps(_mm256_sub_ps(hessian, h), l2);
    const __m256 difference = _mm256_sub_ps(g, _mm256_mul_ps(mean, a));
    const __m256 score = _mm256_div_ps(_mm256_mul_ps(difference, difference), _mm256_mul_ps(a, b));
    __m256i fits = _mm256_and_si256(_mm256_cmpgt_epi32(count, least), _mm256_cmpgt_epi32(most, count));
    if (format != Format::unit) fits = _mm256_and_si256(fits, heavy(a, b, least_side));
    keep(best, score, fits, bin, missing_left);
  }
};

inline __m256i load(const std::int64_t *words) { return _mm256_load_si256(reinterpret_cast<const __m256i *>(words)); }

inline __m256i in_order(__m256i value) { return _mm256_permute4x64_epi64(value, 0xD8); }

void store(const Best &best, LaneBests &out) {
  _mm256_storeu_ps(out.score, best.score);
  _mm256_storeu_si256(reinterpret_cast<__m256i *>(out.bin), best.bin);
  _mm256_storeu_si256(reinterpret_cast<__m256i *>(out.missing_left), best.missing_left);
}

inline Best no_best() { return {_mm256_setzero_ps(), _mm256_setzero_si256(), _mm256_set1_epi32(1)}; }

template <Format format, bool Missing>
void scan_one_word(const std::int64_t *bins, int n_bins, const SplitRule &rule, LaneBests &out) {
  const OneWord<format> node(rule);
  const std::int64_t *of_missing = bins + static_cast<std::ptrdiff_t>(n_bins) * kLanes;
  const __m256i missing_a = load(of_missing), missing_b = load(of_missing + 4);
  const __m256i one = _mm256_set1_epi32(1), zero = _mm256_setzero_si256();
  __m256i a = zero, b = zero, bin = zero;
  Best best = no_best();
  for (int k = 0; k < n_bins; ++k, bins += kLanes) {
    a = _mm256_add_epi64(a, load(bins));
    b = _mm256_add_epi64(b, load(bins + 4));
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
  __m256i least, most, count_mask;
  __m128i count_bits;

  TwoWords(const Scale &scale, const SplitRule &rule)
      : mean(_mm256_set1_pd(rule.mean_wide)), l2(_mm256_set1_pd(rule.l2)),
        hessian(_mm256_set1_pd(static_cast<double>(rule.total.hessian))), least_side(_mm256_set1_ps(rule.least_side)),
        least(_mm256_set1_epi32(static_cast<int>(rule.least - 1))),
        most(_mm256_set1_epi32(static_cast<int>(rule.total.count - rule.least + 1))),
        count_mask(_mm256_set1_epi64x((std::int64_t{1} << scale.count_bits) - 1)), count_bits(_mm_cvtsi32_si128(scale.count_bits)) {}

  inline void evaluate(const __m256i word[4], __m256i bin, __m256i missing_left, Best &best) const {
    const __m256i count =
        in_order(shuffled(_mm256_and_si256(word[2], count_mask), _mm256_and_si256(word[3], count_mask), 0));
    const __m256d h0 = to_double(_mm256_srl_epi64(word[2], count_bits)), h1 = to_double(_mm256_srl_epi64(word[3], count_bits));
    const __m256d a0 = _mm256_add_pd(h0, l2), a1 = _mm256_add_pd(h1, l2);
    const __m256d b0 = _mm256_add_pd(_mm256_sub_pd(hessian, h0), l2), b1 = _mm256_add_pd(_mm256_sub_pd(hessian, h1), l2);
    const __m256 difference = joined(_mm256_sub_pd(to_double(word[0]), _mm256_mul_pd(mean, a0)),
                                     _mm256_sub_pd(to_double(word[1]), _mm256_mul_pd(mean, a1)));
    const __m256 a = joined(a0, a1), b = joined(b0, b1);
    const __m256 score = _mm256_div_ps(_mm256_mul_ps(difference, difference), _mm256_mul_ps(a, b));
    const __m256i counts = _mm256_and_si256(_mm256_cmpgt_epi32(count, least), _mm256_cmpgt_epi32(most, count));
    const __m256i fits = _mm256_and_si256(counts, heavy(a, b, least_side));
    keep(best, score, fits, bin, missing_left);
  }
};

template <bool Missing>
void scan_two_words(const Scale &scale, const std::int64_t *bins, int n_bins, const SplitRule &rule, LaneBests &out) {
  const TwoWords node(scale, rule);
  const std::int64_t *of_missing = bins + static_cast<std::ptrdiff_t>(n_bins) * 2 * kLanes;
  const __m256i one = _mm256_set1_epi32(1), zero = _mm256_setzero_si256();
  __m256i sum[4] = {zero, zero, zero, zero}, with_missing[4], missing[4], bin = zero;
  for (int part = 0; part < 4; ++part) missing[part] = load(of_missing + 4 * part);
  Best best = no_best();
  for (int k = 0; k < n_bins; ++k, bins += 2 * kLanes) {
    for (int part = 0; part < 4; ++part) sum[part] = _mm256_add_epi64(sum[part], load(bins + 4 * part));
    if (Missing) {
      for (int part = 0; part < 4; ++part) with_missing[part] = _mm256_add_epi64(sum[part], missing[part]);
      node.evaluate(with_missing, bin, one, best);
      node.evaluate(sum, bin, zero, best);
    } else {
      node.evaluate(sum, bin, one, best);
    }
    bin = _mm256_add_epi32(bin, one);
  }
  store(best, out);
}

} // namespace

void scan_block_avx2(const Scale &scale, const std::int64_t *bins, int n_bins, bool has_missing, const SplitRule &rule,
                     LaneBests &best) {
  if (scale.two_words())
    has_missing ? scan_two_words<true>(scale, bins, n_bins, rule, best) : scan_two_words<false>(scale, bins, n_bins, rule, best);
  else if (scale.format == Format::unit)
    has_missing ? scan_one_word<Format::unit, true>(bins, n_bins, rule, best)
                : scan_one_word<Format::unit, false>(bins, n_bins, rule, best);
  else
    has_missing ? scan_one_word<Format::narrow, true>(bins, n_bins, rule, best)
                : scan_one_word<Format::narrow, false>(bins, n_bins, rule, best);
}

} // namespace heldout
#endif
