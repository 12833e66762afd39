#include "structure.hpp"

#include "parallel.hpp"
#include "partition.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

namespace heldout {
namespace {

constexpr std::size_t kSmallestChunk = 4096;

std::uint32_t mixed(std::uint64_t x) {
  x = (x ^ (x >> 33)) * 0xff51afd7ed558ccdu;
  x = (x ^ (x >> 33)) * 0xc4ceb9fe1a85ec53u;
  return static_cast<std::uint32_t>(x >> 32);
}

// The power of two at which n values of the largest magnitude sum to less than 2^62.
int summing_exponent(const float *values, std::size_t n, Team &team) {
  std::vector<float> tops(static_cast<std::size_t>(team.size()), 0.0f);
  team.chunks(n, kSmallestChunk, [&](std::size_t first, std::size_t last, int part) {
    float top = 0.0f;
    for (std::size_t row = first; row < last; ++row) top = std::max(top, std::fabs(values[row]));
    tops[static_cast<std::size_t>(part)] = top;
  });
  int exponent = 0, bits = 8; // a row may count up to 255 times
  std::frexp(*std::max_element(tops.begin(), tops.end()), &exponent);
  while (n >> (bits - 8)) ++bits;
  return 62 - exponent - bits;
}

struct IntegerSums {
  std::int64_t gradient[kMostMaskedLeaves] = {}, hessian[kMostMaskedLeaves] = {}, count[kMostMaskedLeaves] = {};
};

} // namespace

StructureSample::StructureSample(const BinnedRows &matrix, const Targets &targets, const std::uint8_t *count, double share,
                                 std::uint64_t seed, Team &team)
    : count_(count), seed_(seed), below_(static_cast<std::uint32_t>(share * 4294967295.0)), keys_(matrix.n_rows), drawn_(matrix.n_rows) {
  const std::size_t n_blocks = matrix.n_blocks();
  team.chunks(matrix.n_rows, kSmallestChunk, [&](std::size_t first, std::size_t last, int) {
    for (std::size_t row = first; row < last; ++row) {
      std::uint64_t key = 0;
      std::memcpy(&key, targets.target + row, sizeof key);
      for (std::size_t block = 0; block < n_blocks; ++block)
        key = (key ^ matrix.words[row * n_blocks + block]) * 0x9e3779b97f4a7c15u, key ^= key >> 29;
      keys_[row] = mixed(key);
    }
  });
}

const std::uint8_t *StructureSample::draw(std::uint64_t tree, Team &team) {
  const std::uint64_t of_tree = (seed_ + 1) * 0xd6e8feb86659fd93u ^ (tree + 1) * 0xa0761d6478bd642fu;
  team.chunks(keys_.size(), kSmallestChunk, [&](std::size_t first, std::size_t last, int) {
    for (std::size_t row = first; row < last; ++row) {
      const bool drawn = mixed(keys_[row] ^ of_tree) < below_;
      drawn_[row] = static_cast<std::uint8_t>(drawn ? (count_ ? count_[row] : 1) : 0);
    }
  });
  return drawn_.data();
}

LeafRouter::LeafRouter(const BinnedRows &matrix, const std::uint8_t *count) : matrix_(matrix), count_(count), leaf_of_(matrix.n_rows) {}

const std::vector<LeafSums> &LeafRouter::route(const Tree &tree, const float *gradient, const float *hessian, Team &team) {
  steps_.clear();
  const auto test = [&](std::size_t node) {
    const Direction direction(tree.bin[node], tree.missing_left[node] != 0);
    return MaskStep{static_cast<std::uint16_t>(tree.feature[node]), direction.shift, direction.limit};
  };
  const std::vector<std::int32_t> leaves = append_masks({tree.n_nodes(), tree.feature.data(), tree.left.data()}, test, steps_);
  const int n_leaves = static_cast<int>(leaves.size());
  const std::size_t n_rows = matrix_.n_rows, n_tiles = (n_rows + kTileRows - 1) / kTileRows;
  const int of_gradient = summing_exponent(gradient, n_rows, team), of_hessian = hessian ? summing_exponent(hessian, n_rows, team) : 0;
  const double gradient_unit = std::ldexp(1.0, of_gradient), hessian_unit = std::ldexp(1.0, of_hessian);
  const LeavesOfTile leaves_of_tile = choose_leaves_of_tile();
  std::vector<IntegerSums> parts(static_cast<std::size_t>(team.size()));
  team.chunks(n_tiles, kSmallestChunk / kTileRows, [&](std::size_t first, std::size_t last, int part) {
    IntegerSums &own = parts[static_cast<std::size_t>(part)];
    std::vector<std::uint8_t> end;
    for (std::size_t tile = first; tile < last; ++tile) {
      const std::size_t start = tile * kTileRows, n = std::min(kTileRows, n_rows - start);
      std::uint8_t leaf[kTileRows];
      if (n == kTileRows) {
        leaves_of_tile(matrix_.codes + start, n_rows, steps_.data(), steps_.size(), n_leaves, leaf);
      } else { // the last rows of all: beyond them lies another feature, or nothing
        end.assign(matrix_.block_of.size() * kTileRows, 0);
        for (std::size_t feature = 0; feature < matrix_.block_of.size(); ++feature)
          std::memcpy(end.data() + feature * kTileRows, matrix_.column(static_cast<int>(feature)) + start, n);
        leaves_of_tile(end.data(), kTileRows, steps_.data(), steps_.size(), n_leaves, leaf);
      }
      std::memcpy(leaf_of_.data() + start, leaf, n);
      for (std::size_t i = 0; i < n; ++i) {
        const std::size_t row = start + i, at = leaf[i];
        const std::int64_t count = count_ ? count_[row] : 1;
        own.count[at] += count;
        own.gradient[at] += static_cast<std::int64_t>(std::nearbyint(static_cast<double>(gradient[row]) * gradient_unit)) * count;
        if (hessian)
          own.hessian[at] += static_cast<std::int64_t>(std::nearbyint(static_cast<double>(hessian[row]) * hessian_unit)) * count;
      }
    }
  });
  sums_.clear();
  for (int leaf = 0; leaf < n_leaves; ++leaf) {
    std::int64_t g = 0, h = 0, count = 0;
    for (const IntegerSums &part : parts) {
      g += part.gradient[leaf];
      h += part.hessian[leaf];
      count += part.count[leaf];
    }
    sums_.push_back({leaves[static_cast<std::size_t>(leaf)], std::ldexp(static_cast<double>(g), -of_gradient),
                     hessian ? std::ldexp(static_cast<double>(h), -of_hessian) : static_cast<double>(count), count});
  }
  return sums_;
}

void LeafRouter::add(const std::vector<double> &values, double *scores, Team &team) const {
  team.chunks(leaf_of_.size(), kSmallestChunk, [&](std::size_t first, std::size_t last, int) {
    for (std::size_t row = first; row < last; ++row)
      if (!count_ || count_[row] != 0) scores[row] += values[leaf_of_[row]];
  });
}

} // namespace heldout
