// The loop over the rows of a tile when members are added up, compiled once for every processor and once for AVX2: the same
// operations in the same order.
#pragma once

#include "judge.hpp"

namespace heldout {
namespace {

[[maybe_unused]] void add_member(const MemberRows &from, std::size_t n, TileSums &tile) {
  for (std::size_t i = 0; i < n; ++i) tile.share[i] = static_cast<std::int32_t>((from.flags[i] & from.bit) == from.wanted);
  for (std::size_t i = 0; i < n; ++i) {
    const double is_first = tile.share[i] > tile.n_members[i] ? 1.0 : 0.0;
    tile.pivot[i] += is_first * from.scores[i];
    const double difference = tile.share[i] * (from.scores[i] - tile.pivot[i]);
    tile.differences[i] += difference;
    tile.squares[i] += difference * difference;
    tile.n_members[i] += tile.share[i];
  }
}

} // namespace
} // namespace heldout
