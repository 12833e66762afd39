// Partition: the rows of a node, those that go left before those that go right, each side in its old order.
#pragma once

#include <cstddef>
#include <cstdint>

namespace heldout {

class Team;

// A row goes left where (uint8)(code + shift) <= limit. Missing is 255: with shift 1 it becomes 0 and goes left.
struct Direction {
  std::uint8_t shift, limit;

  Direction(int bin, bool missing_left)
      : shift(missing_left ? 1 : 0), limit(static_cast<std::uint8_t>(bin + (missing_left ? 1 : 0))) {}
  bool goes_left(std::uint8_t code) const { return static_cast<std::uint8_t>(code + shift) <= limit; }
};

#ifdef HELDOUT_AVX2
// Rows that go left are written to `left`, which may be `rows` itself: writing never overtakes reading. The others go to
// `right`; both have room for n rows. Returns how many went left.
std::size_t divide_rows_avx2(const std::uint8_t *codes, Direction direction, const std::uint32_t *rows, std::size_t n,
                             std::uint32_t *left, std::uint32_t *right);
#endif

// Returns how many rows went left. `scratch` has room for n rows.
std::size_t partition_rows(const std::uint8_t *codes, Direction direction, std::uint32_t *rows, std::size_t n,
                           std::uint32_t *scratch);

// The same by all threads of a team, for many rows.
std::size_t partition_rows(const std::uint8_t *codes, Direction direction, std::uint32_t *rows, std::size_t n,
                           std::uint32_t *scratch, Team &team);

} // namespace heldout
