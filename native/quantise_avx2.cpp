// Packing of gradients, four rows an instruction, with the numbers of the plain loop to the bit. Compiled for AVX2 and called
// only where the processor has it: internal linkage, nothing of the standard library.
#include "quantise.hpp"

#ifdef HELDOUT_AVX2

#include <cstring>
#include <immintrin.h>

namespace heldout {
namespace {

// Whole numbers below 2^51 in size, as integers: added to 1.5 * 2^52 they are the lowest bits of the sum.
inline __m256i as_integers(__m256d whole) {
  const __m256d magic = _mm256_set1_pd(6755399441055744.0);
  return _mm256_sub_epi64(_mm256_castpd_si256(_mm256_add_pd(whole, magic)), _mm256_castpd_si256(magic));
}

inline __m256d to_nearest(__m256d x) { return _mm256_round_pd(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }

template <bool Count> __m128i counts_of(const std::uint8_t *count, std::size_t row) {
  if (!Count) return _mm_set1_epi32(1);
  std::int32_t four;
  std::memcpy(&four, count + row, sizeof four);
  return _mm_cvtepu8_epi32(_mm_cvtsi32_si128(four));
}

// 0 where the row does not count.
template <bool Count> __m256d values_of(const float *values, std::size_t row, __m128i counts) {
  __m128 four = _mm_loadu_ps(values + row);
  if (Count) four = _mm_and_ps(four, _mm_castsi128_ps(_mm_cmpgt_epi32(counts, _mm_setzero_si128())));
  return _mm256_cvtps_pd(four);
}

inline std::int64_t sum_of(__m256i four) {
  std::int64_t lane[4];
  std::memcpy(lane, &four, sizeof lane);
  return lane[0] + lane[1] + lane[2] + lane[3];
}

template <bool Unit, bool Hessian, bool Count>
std::size_t pack(const Derivatives &rows, double of_gradient, double of_hessian, std::size_t first, std::size_t last,
                 std::int64_t *words, Packed &packed) {
  const __m256d zero = _mm256_setzero_pd(), low = _mm256_set1_pd(-static_cast<double>(kSmallGradient)),
                high = _mm256_set1_pd(static_cast<double>(kSmallGradient));
  const int shift = Unit ? kUnitCountBits : kNarrowGradientShift;
  __m256i gradients = _mm256_setzero_si256(), hessians = gradients, all_counts = gradients, lost = gradients, small = gradients;
  std::size_t row = first;
  for (; row + 4 <= last; row += 4) {
    const __m128i counts = counts_of<Count>(rows.count, row);
    const __m256d times = _mm256_cvtepi32_pd(counts);
    const __m256i count = _mm256_cvtepi32_epi64(counts);
    const __m256d gradient = values_of<Count>(rows.gradient, row, counts);
    const __m256d of_one = to_nearest(_mm256_mul_pd(gradient, _mm256_set1_pd(of_gradient)));
    const __m256i g = as_integers(_mm256_mul_pd(of_one, times));
    const __m256d is_zero = _mm256_cmp_pd(of_one, zero, _CMP_EQ_OQ);
    const __m256d is_lost = _mm256_and_pd(is_zero, _mm256_cmp_pd(gradient, zero, _CMP_NEQ_UQ));
    lost = _mm256_add_epi64(lost, _mm256_and_si256(_mm256_castpd_si256(is_lost), count));
    if (Unit) {
      const __m256d between = _mm256_and_pd(_mm256_cmp_pd(of_one, low, _CMP_GT_OQ), _mm256_cmp_pd(of_one, high, _CMP_LT_OQ));
      small = _mm256_add_epi64(small, _mm256_and_si256(_mm256_castpd_si256(_mm256_andnot_pd(is_zero, between)), count));
    }
    gradients = _mm256_add_epi64(gradients, g);
    all_counts = _mm256_add_epi64(all_counts, count);
    __m256i word = _mm256_add_epi64(_mm256_slli_epi64(g, shift), count);
    if (!Unit) {
      const __m256d hessian =
          Hessian ? to_nearest(_mm256_mul_pd(values_of<Count>(rows.hessian, row, counts), _mm256_set1_pd(of_hessian)))
                  : to_nearest(_mm256_set1_pd(of_hessian));
      const __m256i h = as_integers(_mm256_mul_pd(hessian, times));
      hessians = _mm256_add_epi64(hessians, h);
      word = _mm256_add_epi64(word, _mm256_slli_epi64(h, kNarrowCountBits));
    }
    _mm256_storeu_si256(reinterpret_cast<__m256i *>(words + row), word);
  }
  packed.total.gradient += sum_of(gradients);
  packed.total.count += sum_of(all_counts);
  packed.total.hessian += Unit ? sum_of(all_counts) : sum_of(hessians);
  packed.lost += sum_of(lost);
  packed.small += sum_of(small);
  return row;
}

// 2^exponent, for exponents of normal numbers.
inline double power_of_two(int exponent) {
  const std::uint64_t bits = static_cast<std::uint64_t>(exponent + 1023) << 52;
  double value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

inline bool is_normal(int exponent) { return exponent > -1023 && exponent < 1024; }

} // namespace

std::size_t pack_rows_avx2(const Derivatives &rows, const Scale &scale, std::size_t first, std::size_t last, std::int64_t *words,
                           Packed &packed) {
  if (!is_normal(scale.gradient_exponent) || !is_normal(scale.hessian_exponent)) return first;
  const double of_gradient = power_of_two(scale.gradient_exponent), of_hessian = power_of_two(scale.hessian_exponent);
  const bool unit = scale.format == Format::unit;
  auto *function = unit ? (rows.count ? &pack<true, false, true> : &pack<true, false, false>)
                   : rows.hessian ? (rows.count ? &pack<false, true, true> : &pack<false, true, false>)
                                  : (rows.count ? &pack<false, false, true> : &pack<false, false, false>);
  return function(rows, of_gradient, of_hessian, first, last, words, packed);
}

} // namespace heldout

#endif
