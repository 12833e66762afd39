#include "masks.hpp"

#include "simd.hpp"

#include <algorithm>

namespace heldout {

void leaves_of_tile_plain(const std::uint8_t *codes, std::size_t feature_stride, const MaskStep *steps, std::size_t n_steps, int,
                          std::uint8_t *leaf) {
  std::uint64_t possible[kTileRows];
  std::fill(possible, possible + kTileRows, ~std::uint64_t{0});
  for (std::size_t s = 0; s < n_steps; ++s) {
    const MaskStep &step = steps[s];
    const std::uint8_t *own = codes + step.feature * feature_stride;
    const std::uint64_t out = static_cast<std::uint64_t>(static_cast<std::uint8_t>(~step.keep)) << (8 * step.byte);
    for (std::size_t i = 0; i < kTileRows; ++i) {
      const bool goes_right = static_cast<std::uint8_t>(own[i] + step.shift) > step.limit;
      possible[i] &= ~(out & (std::uint64_t{0} - static_cast<std::uint64_t>(goes_right)));
    }
  }
  for (std::size_t i = 0; i < kTileRows; ++i) leaf[i] = static_cast<std::uint8_t>(__builtin_ctzll(possible[i]));
}

LeavesOfTile choose_leaves_of_tile() {
#ifdef HELDOUT_AVX2
  if (use_avx2()) return &leaves_of_tile_avx2;
#endif
  return &leaves_of_tile_plain;
}

} // namespace heldout
