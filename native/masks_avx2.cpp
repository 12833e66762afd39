// The leaves of 64 rows in one tree, 32 rows an instruction. Compiled for AVX2 and called only where the processor has
// it; see split_avx2.cpp.
#include "masks.hpp"

#ifdef HELDOUT_AVX2
#include <immintrin.h>

namespace heldout {
namespace {

// The number of the lowest set bit of each byte that is not 0.
inline __m256i lowest_bit(__m256i bytes) {
  const __m256i table = _mm256_setr_epi8(4, 0, 1, 0, 2, 0, 1, 0, 3, 0, 1, 0, 2, 0, 1, 0, 4, 0, 1, 0, 2, 0, 1, 0, 3, 0, 1, 0, 2, 0, 1, 0);
  const __m256i nibble = _mm256_set1_epi8(15), four = _mm256_set1_epi8(4);
  const __m256i low = _mm256_shuffle_epi8(table, _mm256_and_si256(bytes, nibble));
  const __m256i high = _mm256_shuffle_epi8(table, _mm256_and_si256(_mm256_srli_epi16(bytes, 4), nibble));
  return _mm256_blendv_epi8(low, _mm256_add_epi8(high, four), _mm256_cmpeq_epi8(low, four));
}

} // namespace

void leaves_of_tile_avx2(const std::uint8_t *codes, std::size_t feature_stride, const MaskStep *steps, std::size_t n_steps, int n_leaves,
                         std::uint8_t *leaf) {
  alignas(32) __m256i possible[2][8];
  const __m256i all = _mm256_set1_epi8(-1);
  const int n_bytes = (n_leaves + 7) / 8;
  for (int byte = 0; byte < n_bytes; ++byte) possible[0][byte] = possible[1][byte] = all;
  for (const MaskStep *step = steps, *end = steps + n_steps; step < end;) {
    const __m256i shift = _mm256_set1_epi8(static_cast<char>(step->shift)), limit = _mm256_set1_epi8(static_cast<char>(step->limit));
    const auto *own = reinterpret_cast<const __m256i *>(codes + step->feature * feature_stride);
    const __m256i first = _mm256_add_epi8(_mm256_loadu_si256(own), shift), second = _mm256_add_epi8(_mm256_loadu_si256(own + 1), shift);
    const __m256i left_first = _mm256_cmpeq_epi8(_mm256_max_epu8(first, limit), limit);
    const __m256i left_second = _mm256_cmpeq_epi8(_mm256_max_epu8(second, limit), limit);
    for (int more = step->again; more >= 0; --more, ++step) {
      const __m256i keep = _mm256_set1_epi8(static_cast<char>(step->keep));
      possible[0][step->byte] = _mm256_and_si256(possible[0][step->byte], _mm256_or_si256(left_first, keep));
      possible[1][step->byte] = _mm256_and_si256(possible[1][step->byte], _mm256_or_si256(left_second, keep));
    }
  }
  const __m256i zero = _mm256_setzero_si256();
  for (int half = 0; half < 2; ++half) {
    __m256i found = zero;
    for (int byte = n_bytes - 1; byte >= 0; --byte) {
      const __m256i here = possible[half][byte];
      const __m256i number = _mm256_add_epi8(lowest_bit(here), _mm256_set1_epi8(static_cast<char>(8 * byte)));
      found = _mm256_blendv_epi8(number, found, _mm256_cmpeq_epi8(here, zero));
    }
    _mm256_storeu_si256(reinterpret_cast<__m256i *>(leaf) + half, found);
  }
}

} // namespace heldout
#endif
