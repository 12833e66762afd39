// The binned matrix as the engine reads it: rows in blocks of 8 features, and once more column by column.
#pragma once

#include "memory.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace heldout {

class Team;

constexpr int kLanes = 8; // features in a block: one 64-bit word holds their bins

// Up to 8 features. Lane l holds feature[l]; its code is byte l of the block's word. A missing cell has the code
// `n_bins` here (the block's largest number of value bins), so that a histogram needs n_bins + 1 lines and no more.
struct Block {
  int n_lanes = 0;
  int n_bins = 1;
  int feature[kLanes] = {};
  std::size_t first_line = 0; // lines of the blocks before this one
};

// codes: (n_features, n_rows) uint8, feature-major, not owned. words: (n_rows, n_blocks), row-major.
struct BinnedRows {
  std::size_t n_rows = 0;
  const std::uint8_t *codes = nullptr;
  std::vector<Block> blocks;
  LargeVector<std::uint64_t> words;
  std::vector<int> block_of; // by feature

  std::size_t n_blocks() const { return blocks.size(); }
  std::size_t n_lines() const; // lines of a whole histogram
  const std::uint8_t *column(int feature) const { return codes + static_cast<std::size_t>(feature) * n_rows; }
};

// Features with many bins stand together, and so do those with missing cells: blocks of few bins are cheap.
BinnedRows make_blocks(const std::uint8_t *codes, std::size_t n_rows, const std::vector<int> &n_bins, Team &team);

} // namespace heldout
