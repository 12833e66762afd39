#include "blocks.hpp"

#include "bins.hpp"
#include "parallel.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <numeric>

namespace heldout {
namespace {

constexpr std::size_t kRowsPerTile = 2048;

std::vector<char> features_with_missing(const std::uint8_t *codes, std::size_t n_rows, std::size_t n_features,
                                        Team &team) {
  std::vector<char> found(n_features, 0);
  team.each(n_features, [&](std::size_t feature, int) {
    found[feature] = std::memchr(codes + feature * n_rows, kMissing, n_rows) != nullptr;
  });
  return found;
}

// Byte l of out[row] becomes the code of lane l.
void fill_words(const BinnedRows &matrix, std::size_t block_index, std::size_t first, std::size_t last,
                std::uint64_t *words) {
  const Block &block = matrix.blocks[block_index];
  const std::uint8_t missing = static_cast<std::uint8_t>(block.n_bins);
  const std::size_t n_blocks = matrix.n_blocks();
  const std::uint8_t *columns[kLanes];
  for (int lane = 0; lane < kLanes; ++lane) columns[lane] = matrix.column(block.feature[std::min(lane, block.n_lanes - 1)]);
  for (std::size_t row = first; row < last; ++row) {
    std::uint64_t word = 0;
    for (int lane = 0; lane < block.n_lanes; ++lane) {
      const std::uint8_t code = columns[lane][row];
      word |= static_cast<std::uint64_t>(code == kMissing ? missing : code) << (8 * lane);
    }
    words[row * n_blocks + block_index] = word;
  }
}

} // namespace

std::size_t BinnedRows::n_lines() const {
  return blocks.empty() ? 0 : blocks.back().first_line + static_cast<std::size_t>(blocks.back().n_bins) + 1;
}

BinnedRows make_blocks(const std::uint8_t *codes, std::size_t n_rows, const std::vector<int> &n_bins, Team &team) {
  BinnedRows matrix;
  matrix.n_rows = n_rows;
  matrix.codes = codes;
  const std::size_t n_features = n_bins.size();
  const std::vector<char> missing = features_with_missing(codes, n_rows, n_features, team);
  std::vector<int> order(n_features);
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
    if (n_bins[a] != n_bins[b]) return n_bins[a] > n_bins[b];
    return missing[a] > missing[b];
  });
  matrix.block_of.resize(n_features);
  std::size_t line = 0;
  for (std::size_t first = 0; first < n_features; first += kLanes) {
    Block block;
    block.n_lanes = static_cast<int>(std::min<std::size_t>(kLanes, n_features - first));
    block.first_line = line;
    for (int lane = 0; lane < block.n_lanes; ++lane) {
      const int feature = order[first + static_cast<std::size_t>(lane)];
      block.feature[lane] = feature;
      block.n_bins = std::max(block.n_bins, n_bins[feature]);
      matrix.block_of[feature] = static_cast<int>(matrix.blocks.size());
    }
    line += static_cast<std::size_t>(block.n_bins) + 1;
    matrix.blocks.push_back(block);
  }
  matrix.words.resize(n_rows * matrix.n_blocks());
  team.chunks(n_rows, kRowsPerTile, [&](std::size_t first, std::size_t last, int) {
    for (std::size_t tile = first; tile < last; tile += kRowsPerTile)
      for (std::size_t block = 0; block < matrix.n_blocks(); ++block)
        fill_words(matrix, block, tile, std::min(tile + kRowsPerTile, last), matrix.words.data());
  });
  return matrix;
}

} // namespace heldout
