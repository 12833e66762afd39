// Predictions of many trees.
#pragma once

#include "bins.hpp"
#include "masks.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace heldout {

class Team;

// Trees as they are stored: nodes of all trees one after the other, children numbered within their tree. A row goes
// left where value <= threshold; a missing one where missing_left says so.
struct StoredTrees {
  std::size_t n_trees = 0, n_features = 0;
  const std::int64_t *starts = nullptr; // (n_trees + 1,)
  const std::int32_t *feature = nullptr; // -1 in a leaf
  const double *threshold = nullptr;
  const std::int32_t *left = nullptr; // right is the next
  const bool *missing_left = nullptr;
  const double *value = nullptr;
};

// 8 bytes: (uint8)(code + shift) <= limit goes to `left`, else to left + 1. A leaf goes to itself.
struct PackedNode {
  std::uint32_t left;
  std::uint16_t feature;
  std::uint8_t shift, limit;
};

struct MaskedTree {
  std::uint32_t first_step = 0, n_steps = 0;
  std::uint32_t first_leaf = 0; // in leaf_values
  int n_leaves = 0;             // 0: too many
};

class Predictor {
public:
  // Throws std::invalid_argument where an index is out of bounds, a child is not behind its parent, or a feature has
  // more than 254 different thresholds.
  Predictor(const StoredTrees &trees, std::size_t n_outputs, std::vector<double> base);

  std::size_t n_trees() const { return n_trees_; }
  std::size_t n_features() const { return n_features_; }
  std::size_t n_outputs() const { return n_outputs_; }

  // Adds trees first .. last to out: (n_rows, n_outputs). Tree t belongs to output t % n_outputs. `from_base` says
  // whether out starts from the base or from what it holds.
  template <typename Real>
  void predict(const Real *X, std::ptrdiff_t row_stride, std::ptrdiff_t feature_stride, std::size_t n_rows, std::size_t first,
               std::size_t last, bool from_base, double *out, Team &team) const;

  // Few rows: by the thresholds themselves. The same bits.
  template <typename Real>
  void predict_rows(const Real *X, std::ptrdiff_t row_stride, std::ptrdiff_t feature_stride, std::size_t n_rows, std::size_t first,
                    std::size_t last, bool from_base, double *out) const;

  // The number of the leaf of each row in each tree: (n_rows, n_trees).
  template <typename Real>
  void apply(const Real *X, std::ptrdiff_t row_stride, std::ptrdiff_t feature_stride, std::size_t n_rows, std::int32_t *out, Team &team) const;

private:
  struct ThresholdNode {
    double threshold;
    std::uint32_t left; // of all nodes; itself in a leaf
    std::int32_t feature;
    bool missing_left;
  };

  void check(const StoredTrees &trees) const;
  void collect_cuts(const StoredTrees &trees);
  void add_masks(const StoredTrees &trees, std::size_t tree);
  template <typename Real>
  void bin_tile(const Real *X, std::ptrdiff_t row_stride, std::ptrdiff_t feature_stride, std::size_t n_rows, std::uint8_t *codes) const;
  void walk_tile(const std::uint8_t *codes, std::size_t tree, std::uint32_t *node) const;

  std::size_t n_trees_, n_features_, n_outputs_;
  std::vector<double> base_;
  std::vector<std::size_t> starts_;
  std::vector<PackedNode> nodes_;
  std::vector<ThresholdNode> threshold_nodes_;
  std::vector<double> values_;
  std::vector<std::uint8_t> depth_; // by tree, 255 for more
  std::vector<int> used_;            // features that some split asks for
  std::vector<std::vector<double>> cuts_; // by used feature
  std::vector<CutSearch<double>> searches_;
  std::vector<CutSearch<float>> float_searches_;
  std::vector<MaskedTree> masked_;
  std::vector<MaskStep> steps_;
  std::vector<double> leaf_values_;
};

} // namespace heldout
