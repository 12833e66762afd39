// Partition of 8 rows at once. Compiled for AVX2 and called only where the processor has it; see split_avx2.cpp.
#include "partition.hpp"

#ifdef HELDOUT_AVX2
#include <immintrin.h>

namespace heldout {
namespace {

// For each set of 8 bits: the positions of its bits from the lowest, and then anything.
struct Compressions {
  std::uint8_t position[256][8];

  constexpr Compressions() : position() {
    for (int set = 0; set < 256; ++set) {
      int n = 0;
      for (int bit = 0; bit < 8; ++bit)
        if (set >> bit & 1) position[set][n++] = static_cast<std::uint8_t>(bit);
    }
  }
};

constexpr Compressions kCompressions;

inline __m256i compressed(__m256i rows, unsigned set) {
  const __m128i positions = _mm_loadl_epi64(reinterpret_cast<const __m128i *>(kCompressions.position[set]));
  return _mm256_permutevar8x32_epi32(rows, _mm256_cvtepu8_epi32(positions));
}

} // namespace

// Eight entries are written where up to eight are meant: never beyond entry i + 8, which has been read.
std::size_t divide_rows_avx2(const std::uint8_t *codes, Direction direction, const std::uint32_t *rows, std::size_t n,
                             std::uint32_t *left, std::uint32_t *right) {
  const __m128i shift = _mm_set1_epi8(static_cast<char>(direction.shift)), limit = _mm_set1_epi8(static_cast<char>(direction.limit));
  std::size_t n_left = 0, n_right = 0, i = 0;
  for (; i + 8 <= n; i += 8) {
    std::uint64_t word = 0;
    for (int k = 0; k < 8; ++k) word |= static_cast<std::uint64_t>(codes[rows[i + k]]) << (8 * k);
    const __m128i code = _mm_add_epi8(_mm_cvtsi64_si128(static_cast<long long>(word)), shift);
    const __m128i goes_left = _mm_cmpeq_epi8(_mm_max_epu8(code, limit), limit);
    const unsigned set = static_cast<unsigned>(_mm_movemask_epi8(goes_left)) & 255u;
    const __m256i eight = _mm256_loadu_si256(reinterpret_cast<const __m256i *>(rows + i));
    _mm256_storeu_si256(reinterpret_cast<__m256i *>(left + n_left), compressed(eight, set));
    _mm256_storeu_si256(reinterpret_cast<__m256i *>(right + n_right), compressed(eight, ~set & 255u));
    const auto went_left = static_cast<std::size_t>(__builtin_popcount(set));
    n_left += went_left;
    n_right += 8 - went_left;
  }
  for (; i < n; ++i) {
    const std::uint32_t row = rows[i];
    const bool goes_left = direction.goes_left(codes[row]);
    left[n_left] = row;
    right[n_right] = row;
    n_left += goes_left;
    n_right += !goes_left;
  }
  return n_left;
}

} // namespace heldout
#endif
