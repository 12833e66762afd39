// A tree's structure from a sample of the rows, its leaf values from all of them. With very many rows a split found on a
// part of them is as good, and finding it is most of the work.
#pragma once

#include "blocks.hpp"
#include "losses.hpp"
#include "masks.hpp"
#include "memory.hpp"
#include "tree.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace heldout {

class Team;

// Draws rows anew for each tree. Whether a row is drawn depends on its bins, its target and the seed, not on its place, so
// the order of rows does not matter and copies of a row go together.
class StructureSample {
public:
  StructureSample(const BinnedRows &matrix, const Targets &targets, const std::uint8_t *count, double share, std::uint64_t seed, Team &team);

  // How often each row counts in the structure of a tree: 0 where it is not drawn. Valid until the next call.
  const std::uint8_t *draw(std::uint64_t tree, Team &team);

private:
  const std::uint8_t *count_;
  std::uint64_t seed_;
  std::uint32_t below_; // a key below it is drawn
  LargeVector<std::uint32_t> keys_;
  LargeVector<std::uint8_t> drawn_;
};

struct LeafSums {
  std::int32_t node;
  double gradient, hessian;
  std::int64_t count;
};

// Sends all rows through a tree of at most 64 leaves and sums their derivatives leaf by leaf, as integers.
class LeafRouter {
public:
  LeafRouter(const BinnedRows &matrix, const std::uint8_t *count);

  // `hessian` is null where it is 1 for each row.
  const std::vector<LeafSums> &route(const Tree &tree, const float *gradient, const float *hessian, Team &team);

  // Adds values[leaf] to the scores of the rows that count, leaves in the order that route() gave.
  void add(const std::vector<double> &values, double *scores, Team &team) const;

private:
  const BinnedRows &matrix_;
  const std::uint8_t *count_;
  LargeVector<std::uint8_t> leaf_of_;
  std::vector<MaskStep> steps_;
  std::vector<LeafSums> sums_;
};

} // namespace heldout
