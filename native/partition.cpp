#include "partition.hpp"

#include "counters.hpp"
#include "parallel.hpp"
#include "simd.hpp"

#include <cstring>
#include <vector>

namespace heldout {
namespace {

// No branch depends on a row.
std::size_t divide_rows_plain(const std::uint8_t *codes, Direction direction, const std::uint32_t *rows, std::size_t n,
                   std::uint32_t *left, std::uint32_t *right) {
  std::size_t n_left = 0, n_right = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const std::uint32_t row = rows[i];
    const bool goes_left = direction.goes_left(codes[row]);
    left[n_left] = row;
    right[n_right] = row;
    n_left += goes_left;
    n_right += !goes_left;
  }
  return n_left;
}

using Divide = std::size_t (*)(const std::uint8_t *, Direction, const std::uint32_t *, std::size_t, std::uint32_t *, std::uint32_t *);

Divide choose_divide() {
#ifdef HELDOUT_AVX2
  if (use_avx2()) return &divide_rows_avx2;
#endif
  return &divide_rows_plain;
}

} // namespace

std::size_t partition_rows(const std::uint8_t *codes, Direction direction, std::uint32_t *rows, std::size_t n,
                           std::uint32_t *scratch) {
  const std::size_t n_left = choose_divide()(codes, direction, rows, n, rows, scratch);
  std::memcpy(rows + n_left, scratch, (n - n_left) * sizeof(std::uint32_t));
  return n_left;
}

// Each thread divides its chunk in place, right side in scratch; then all chunks' left sides close up and the right
// sides follow:
//
//   rows     a a a . | b b . . | c c c c      scratch  A . . . | B B . . | . . . .
//   becomes  a a a b   b c c c   c A B B
std::size_t partition_rows(const std::uint8_t *codes, Direction direction, std::uint32_t *rows, std::size_t n,
                           std::uint32_t *scratch, Team &team) {
  count_path(Path::parallel_partition);
  const auto n_parts = static_cast<std::size_t>(team.size());
  std::vector<std::size_t> n_left(n_parts, 0);
  const Divide divide = choose_divide();
  const auto start = [&](std::size_t part) { return n * part / n_parts; };
  team.each(n_parts, [&](std::size_t part, int) {
    const std::size_t first = start(part);
    n_left[part] = divide(codes, direction, rows + first, start(part + 1) - first, rows + first, scratch + first);
  });
  std::size_t all_left = n_left[0];
  for (std::size_t part = 1; part < n_parts; ++part) {
    std::memmove(rows + all_left, rows + start(part), n_left[part] * sizeof(std::uint32_t));
    all_left += n_left[part];
  }
  std::vector<std::size_t> to(n_parts, all_left);
  for (std::size_t part = 1; part < n_parts; ++part)
    to[part] = to[part - 1] + (start(part) - start(part - 1)) - n_left[part - 1];
  team.each(n_parts, [&](std::size_t part, int) {
    const std::size_t count = start(part + 1) - start(part) - n_left[part];
    std::memcpy(rows + to[part], scratch + start(part), count * sizeof(std::uint32_t));
  });
  return all_left;
}

} // namespace heldout
