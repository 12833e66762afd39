// Boosting: rounds of trees, each fitted to the derivatives at the scores that the trees before it have reached.
#pragma once

#include "tree_fit.hpp"

#include <cstdint>
#include <functional>
#include <limits>
#include <vector>

namespace heldout {

// Rows that no tree is fitted to, to see how well the rounds so far predict them. codes: (n_features, n_rows), by the
// cut points of the fit. scores: (n_outputs, n_rows), updated round by round.
struct Validation {
  const std::uint8_t *codes = nullptr; // null: none
  Targets targets;
  double *scores = nullptr;
  int patience = 0; // rounds without a better loss that end the fit; 0: never
};

struct Boosted {
  std::vector<Tree> trees; // round by round, one per output
  std::vector<double> validation_losses;
  int best_round = -1; // the first of the lowest loss, among validation_losses; -1 where none is below loss_to_beat
  double loss_to_beat = std::numeric_limits<double>::infinity(); // of the rounds there were before
};

// Called after each round; true ends the fit.
using AfterRound = std::function<bool(int round, const Boosted &so_far)>;

// scores: (n_outputs, n_rows), what the rows start from; holds what they have reached when this returns. `count` is
// null or the multiplicity of each row; rows of 0 take part in nothing and keep their scores.
Boosted boost(const BinnedRows &matrix, const Targets &targets, const std::uint8_t *count, const BoostingRule &rule, double *scores,
              const Validation &validation, Team &team, const AfterRound &after_round);

} // namespace heldout
