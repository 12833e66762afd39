// One tree of one output: derivatives at the scores reached, growth, values of leaves, and the rows that only follow.
#pragma once

#include "descend.hpp"
#include "grow.hpp"
#include "losses.hpp"
#include "quantise.hpp"
#include "tree.hpp"

#include <cstdint>
#include <vector>

namespace heldout {

struct BoostingRule {
  int n_rounds = 100;
  int first_round = 0; // rounds already there (warm start)
  double learning_rate = 0.1;
  double max_features = 1.0; // share of the features that a tree may use
  std::uint64_t seed = 0;
  double least_hessian = 0.0; // of a leaf, in units of the largest weight of a row that counts
  GrowthRule growth;
  FormatRule format;
};

// Which features a tree may use: null-like (empty) when all of them.
std::vector<char> choose_features(std::size_t n_features, double share, std::uint64_t seed, std::uint64_t tree);

// The largest weight of a row that counts; 1 without weights.
double largest_weight(const Targets &targets, const std::uint8_t *count);

// Fits trees over one binned matrix, again and again, keeping its memory; with a team or inside one thread of it.
class TreeFitter {
public:
  TreeFitter(const BinnedRows &matrix, const BoostingRule &rule, Team &team);

  // Fits a tree to the rows of the bag and adds its values to their scores, (n_rows,) of this output.
  void fit(const Targets &targets, const Bag &bag, double least_hessian, int output, double *scores, const double *log_normaliser,
           const std::vector<char> &allowed, Tree &tree);

  // Adds the values of a tree to the scores of other rows.
  void carry(const Tree &tree, const std::vector<std::uint32_t> &rows, double *scores);

  // Gives each leaf of a tree the value that the rows of the bag, all of them listed, ask for, and adds it to their scores and
  // to those of the rows that follow.
  void refit(const Targets &targets, const Bag &bag, const std::vector<std::uint32_t> &following, int output, double *scores,
             const double *log_normaliser, Tree &tree);

private:
  void derive(const Targets &targets, const Bag &bag, int output, const double *scores, const double *log_normaliser);
  void derive_listed(const Targets &targets, const Bag &bag, int output, const double *scores, const double *log_normaliser);
  double leaf_value(const Targets &targets, const std::uint8_t *count, const LeafRange &leaf) const;
  double step_of(const Targets &targets, double gradient, double hessian) const;
  double summed_value(const Targets &targets, const std::uint8_t *count, const std::uint32_t *rows, std::size_t n,
                      std::int64_t sum_of_counts) const;
  template <typename Work> void for_leaves(std::size_t n_leaves, std::size_t n_rows, Work &&work);

  const BinnedRows &matrix_;
  const BoostingRule &rule_;
  Team &team_;
  Grower grower_;
  Quantised quantised_;
  LargeVector<float> gradient_, hessian_;

  LargeVector<std::uint32_t> following_, scratch_;
  std::vector<NodeRows> nodes_;

  struct Listed { // the rows of a sparse bag, side by side
    std::vector<double> target, weight, scores, normaliser;
    std::vector<std::uint8_t> count;
    std::vector<float> gradient, hessian;
    Quantised quantised;
  } listed_;
};

} // namespace heldout
