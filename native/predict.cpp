#include "predict.hpp"

#include "parallel.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <string>

namespace heldout {
namespace {

constexpr std::size_t kInterleaved = 8; // rows whose walks down a tree hide each other's waiting
constexpr std::size_t kSmallestChunk = 512;

// `body` once for each of the tiles first .. last.
template <typename Body> void for_tiles(std::size_t n_rows, Team &team, Body &&body) {
  const std::size_t n_tiles = (n_rows + kTileRows - 1) / kTileRows;
  team.chunks(n_tiles, std::max<std::size_t>(1, kSmallestChunk / kTileRows), [&](std::size_t first, std::size_t last, int) {
    for (std::size_t tile = first; tile < last; ++tile) body(tile * kTileRows, std::min(kTileRows, n_rows - tile * kTileRows));
  });
}

} // namespace

Predictor::Predictor(const StoredTrees &trees, std::size_t n_outputs, std::vector<double> base)
    : n_trees_(trees.n_trees), n_features_(trees.n_features), n_outputs_(n_outputs), base_(std::move(base)) {
  check(trees);
  collect_cuts(trees);
  starts_.assign(trees.starts, trees.starts + n_trees_ + 1);
  const std::size_t n_nodes = starts_.back();
  std::vector<int> position(n_features_, 0);
  for (std::size_t i = 0; i < used_.size(); ++i) position[static_cast<std::size_t>(used_[i])] = static_cast<int>(i);
  nodes_.resize(n_nodes);
  threshold_nodes_.resize(n_nodes);
  values_.assign(trees.value, trees.value + n_nodes);
  for (std::size_t tree = 0; tree < n_trees_; ++tree) {
    const std::size_t root = starts_[tree];
    std::vector<int> depth(starts_[tree + 1] - root, 0);
    int deepest = 0;
    for (std::size_t at = root; at < starts_[tree + 1]; ++at) {
      const int feature = trees.feature[at];
      if (feature < 0) {
        const auto self = static_cast<std::uint32_t>(at);
        nodes_[at] = {self, 0, 0, 255};
        threshold_nodes_[at] = {0.0, self, -1, true};
        continue;
      }
      const int used = position[static_cast<std::size_t>(feature)];
      const std::vector<double> &cuts = cuts_[static_cast<std::size_t>(used)];
      const auto bin = static_cast<std::uint8_t>(std::lower_bound(cuts.begin(), cuts.end(), trees.threshold[at]) - cuts.begin());
      const std::size_t left = root + static_cast<std::size_t>(trees.left[at]);
      const bool missing_left = trees.missing_left[at];
      nodes_[at] = {static_cast<std::uint32_t>(left), static_cast<std::uint16_t>(used), static_cast<std::uint8_t>(missing_left),
                    static_cast<std::uint8_t>(bin + missing_left)};
      threshold_nodes_[at] = {trees.threshold[at], static_cast<std::uint32_t>(left), feature, missing_left};
      for (std::size_t child = left; child < left + 2; ++child) {
        depth[child - root] = std::max(depth[child - root], depth[at - root] + 1); // by the longest way, where there are two
        deepest = std::max(deepest, depth[child - root]);
      }
    }
    depth_.push_back(static_cast<std::uint8_t>(std::min(deepest, 255)));
    add_masks(trees, tree);
  }
}

void Predictor::check(const StoredTrees &trees) const {
  if (n_outputs_ < 1 || base_.size() != n_outputs_) throw std::invalid_argument("base must hold one value per output");
  if (trees.n_features < 1 || trees.n_features > 65535) throw std::invalid_argument("there must be 1 to 65535 features");
  if (trees.starts[0] != 0) throw std::invalid_argument("the first tree must start at node 0");
  for (std::size_t tree = 0; tree < trees.n_trees; ++tree) {
    const std::int64_t first = trees.starts[tree], n = trees.starts[tree + 1] - first;
    if (n < 1 || trees.starts[tree + 1] > std::numeric_limits<std::int32_t>::max())
      throw std::invalid_argument("tree " + std::to_string(tree) + " must have from 1 to 2^31 nodes");
    for (std::int64_t node = 0; node < n; ++node) {
      const std::int64_t at = first + node;
      if (trees.feature[at] < 0) continue;
      if (static_cast<std::size_t>(trees.feature[at]) >= trees.n_features)
        throw std::invalid_argument("a node of tree " + std::to_string(tree) + " asks for feature " + std::to_string(trees.feature[at]) + " of " + std::to_string(trees.n_features));
      if (trees.left[at] <= node || trees.left[at] + 1 >= n)
        throw std::invalid_argument("a child in tree " + std::to_string(tree) + " lies before its parent or outside the tree");
      if (std::isnan(trees.threshold[at])) throw std::invalid_argument("a threshold of tree " + std::to_string(tree) + " is NaN");
    }
  }
}

void Predictor::collect_cuts(const StoredTrees &trees) {
  std::vector<std::vector<double>> cuts(n_features_);
  for (std::int64_t at = 0; at < trees.starts[n_trees_]; ++at)
    if (trees.feature[at] >= 0) cuts[static_cast<std::size_t>(trees.feature[at])].push_back(trees.threshold[at] + 0.0);
  for (std::size_t feature = 0; feature < n_features_; ++feature) {
    std::vector<double> &own = cuts[feature];
    if (own.empty()) continue;
    std::sort(own.begin(), own.end());
    own.erase(std::unique(own.begin(), own.end()), own.end());
    if (own.size() > kMaxBins) throw std::invalid_argument("feature " + std::to_string(feature) + " has more than 254 different thresholds");
    used_.push_back(static_cast<int>(feature));
    searches_.emplace_back(own);
    float_searches_.emplace_back(own);
    cuts_.push_back(std::move(own));
  }
}

void Predictor::add_masks(const StoredTrees &trees, std::size_t tree) {
  MaskedTree masked;
  masked.first_step = static_cast<std::uint32_t>(steps_.size());
  masked.first_leaf = static_cast<std::uint32_t>(leaf_values_.size());
  const std::size_t root = starts_[tree];
  const MaskSource source{starts_[tree + 1] - root, trees.feature + root, trees.left + root};
  const auto test = [&](std::size_t node) {
    const PackedNode &packed = nodes_[root + node];
    return MaskStep{packed.feature, packed.shift, packed.limit};
  };
  const std::vector<std::int32_t> leaves = append_masks(source, test, steps_);
  for (const std::int32_t leaf : leaves) leaf_values_.push_back(values_[root + static_cast<std::size_t>(leaf)]);
  masked.n_steps = static_cast<std::uint32_t>(steps_.size()) - masked.first_step;
  masked.n_leaves = static_cast<int>(leaves.size());
  masked_.push_back(masked);
}

template <typename Real>
void Predictor::bin_tile(const Real *X, std::ptrdiff_t row_stride, std::ptrdiff_t feature_stride, std::size_t n_rows,
                         std::uint8_t *codes) const {
  for (std::size_t used = 0; used < used_.size(); ++used) {
    const Real *column = X + static_cast<std::ptrdiff_t>(used_[used]) * feature_stride;
    std::uint8_t *out = codes + used * kTileRows;
    if constexpr (sizeof(Real) == sizeof(float))
      bin_codes(Strided<Real>{column, row_stride, n_rows}, float_searches_[used], out);
    else
      bin_codes(Strided<Real>{column, row_stride, n_rows}, searches_[used], out);
    std::fill(out + n_rows, out + kTileRows, std::uint8_t{0});
  }
}

// 8 rows walk down side by side; a row that has reached its leaf stays there.
void Predictor::walk_tile(const std::uint8_t *codes, std::size_t tree, std::uint32_t *node) const {
  const PackedNode *nodes = nodes_.data();
  for (std::size_t first = 0; first < kTileRows; first += kInterleaved) {
    std::uint32_t at[kInterleaved];
    std::fill(at, at + kInterleaved, static_cast<std::uint32_t>(starts_[tree]));
    const std::uint8_t *own = codes + first;
    for (int level = 0;; ++level) {
      if (level >= depth_[tree]) { // deeper than 255 only where depth_ says 255: look whether all have arrived
        bool arrived = true;
        for (const std::uint32_t one : at) arrived = arrived && nodes[one].left == one;
        if (arrived) break;
      }
      for (std::size_t i = 0; i < kInterleaved; ++i) {
        const PackedNode here = nodes[at[i]];
        const std::uint8_t code = own[here.feature * kTileRows + i];
        at[i] = here.left + (static_cast<std::uint8_t>(code + here.shift) > here.limit);
      }
    }
    std::copy(at, at + kInterleaved, node + first);
  }
}

template <typename Real>
void Predictor::predict(const Real *X, std::ptrdiff_t row_stride, std::ptrdiff_t feature_stride, std::size_t n_rows, std::size_t first,
                        std::size_t last, bool from_base, double *out, Team &team) const {
  const LeavesOfTile leaves_of_tile = choose_leaves_of_tile();
  for_tiles(n_rows, team, [&](std::size_t start, std::size_t n) {
    std::vector<std::uint8_t> codes(std::max<std::size_t>(1, used_.size()) * kTileRows, 0);
    std::vector<double> sums(n_outputs_ * kTileRows);
    bin_tile(X + static_cast<std::ptrdiff_t>(start) * row_stride, row_stride, feature_stride, n, codes.data());
    for (std::size_t k = 0; k < n_outputs_; ++k)
      for (std::size_t i = 0; i < kTileRows; ++i)
        sums[k * kTileRows + i] = from_base ? base_[k] : i < n ? out[(start + i) * n_outputs_ + k] : 0.0;
    for (std::size_t tree = first; tree < last; ++tree) {
      double *sum = sums.data() + tree % n_outputs_ * kTileRows;
      const MaskedTree &masked = masked_[tree];
      if (masked.n_leaves > 0) {
        alignas(64) std::uint8_t leaf[kTileRows];
        leaves_of_tile(codes.data(), kTileRows, steps_.data() + masked.first_step, masked.n_steps, masked.n_leaves, leaf);
        const double *values = leaf_values_.data() + masked.first_leaf;
        for (std::size_t i = 0; i < kTileRows; ++i) sum[i] += values[leaf[i]];
      } else {
        std::uint32_t node[kTileRows];
        walk_tile(codes.data(), tree, node);
        for (std::size_t i = 0; i < kTileRows; ++i) sum[i] += values_[node[i]];
      }
    }
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t k = 0; k < n_outputs_; ++k) out[(start + i) * n_outputs_ + k] = sums[k * kTileRows + i];
  });
}

template <typename Real>
void Predictor::predict_rows(const Real *X, std::ptrdiff_t row_stride, std::ptrdiff_t feature_stride, std::size_t n_rows,
                             std::size_t first, std::size_t last, bool from_base, double *out) const {
  for (std::size_t row = 0; row < n_rows; ++row) {
    const Real *x = X + static_cast<std::ptrdiff_t>(row) * row_stride;
    double *sum = out + row * n_outputs_;
    if (from_base) std::copy(base_.begin(), base_.end(), sum);
    for (std::size_t tree = first; tree < last; ++tree) {
      std::size_t at = starts_[tree];
      for (const ThresholdNode *here = &threshold_nodes_[at]; here->feature >= 0; here = &threshold_nodes_[at]) {
        const double value = static_cast<double>(x[static_cast<std::ptrdiff_t>(here->feature) * feature_stride]);
        const bool goes_left = value <= here->threshold || (std::isnan(value) && here->missing_left);
        at = here->left + !goes_left;
      }
      sum[tree % n_outputs_] += values_[at];
    }
  }
}

template <typename Real>
void Predictor::apply(const Real *X, std::ptrdiff_t row_stride, std::ptrdiff_t feature_stride, std::size_t n_rows, std::int32_t *out,
                      Team &team) const {
  for_tiles(n_rows, team, [&](std::size_t start, std::size_t n) {
    std::vector<std::uint8_t> codes(std::max<std::size_t>(1, used_.size()) * kTileRows, 0);
    bin_tile(X + static_cast<std::ptrdiff_t>(start) * row_stride, row_stride, feature_stride, n, codes.data());
    std::uint32_t node[kTileRows];
    for (std::size_t tree = 0; tree < n_trees_; ++tree) {
      walk_tile(codes.data(), tree, node);
      for (std::size_t i = 0; i < n; ++i)
        out[(start + i) * n_trees_ + tree] = static_cast<std::int32_t>(node[i] - static_cast<std::uint32_t>(starts_[tree]));
    }
  });
}

template void Predictor::predict(const float *, std::ptrdiff_t, std::ptrdiff_t, std::size_t, std::size_t, std::size_t, bool, double *, Team &) const;
template void Predictor::predict(const double *, std::ptrdiff_t, std::ptrdiff_t, std::size_t, std::size_t, std::size_t, bool, double *, Team &) const;
template void Predictor::predict_rows(const float *, std::ptrdiff_t, std::ptrdiff_t, std::size_t, std::size_t, std::size_t, bool, double *) const;
template void Predictor::predict_rows(const double *, std::ptrdiff_t, std::ptrdiff_t, std::size_t, std::size_t, std::size_t, bool, double *) const;
template void Predictor::apply(const float *, std::ptrdiff_t, std::ptrdiff_t, std::size_t, std::int32_t *, Team &) const;
template void Predictor::apply(const double *, std::ptrdiff_t, std::ptrdiff_t, std::size_t, std::int32_t *, Team &) const;

} // namespace heldout
