// Replicas: many boosters over one binned matrix, each fitted to its own multiplicities of the rows, round by round
// together, so that the rows left out of some tell after every round how well their ensemble predicts.
#pragma once

#include "tree_fit.hpp"

#include <cstdint>
#include <functional>
#include <vector>

namespace heldout {

// What a row of a replica's own is for; bits.
constexpr std::uint8_t kStops = 1;     // counts in the curve of its ensemble; only rows that no tree of the replica is fitted to
constexpr std::uint8_t kPredicted = 2; // its prediction is wanted

struct ReplicaRule {
  const std::uint8_t *count = nullptr; // (n_rows,)
  const std::uint8_t *role = nullptr;  // (n_rows,); null: both where count is 0, else none
  int ensemble = 0;
  std::uint64_t seed = 0;
  const double *class_factor = nullptr; // (n_classes,) that multiply the weights of a class's rows; null: all 1
};

struct EnsembleRule {
  int n_rounds = 0;
  int size = 0;                              // members whose error the curve of squared loss estimates; 1: of one, for any loss
  const std::uint8_t *refit_count = nullptr; // (n_rows,); null: leaves keep their values
  const double *refit_class_factor = nullptr;
};

struct ReplicationRule {
  std::vector<ReplicaRule> replicas;
  std::vector<EnsembleRule> ensembles;
  const double *curve_weight = nullptr; // (n_rows,) of the rows in the curves; null: all 1
  int patience = 0;                     // rounds without a better loss that end an ensemble; 0: never
  bool keep_trees = true;
};

// Mean and variance (n - 1) of the members' scores, (n_outputs, n_rows of the list); NaN where there are too few members.
struct Summary {
  std::vector<double> mean, variance;
  std::vector<std::int32_t> n_members;
};

struct RefittedLeaves {
  std::vector<double> value;
  std::vector<std::int64_t> count;
};

struct GrownEnsemble {
  std::vector<std::vector<Tree>> members;                     // by replica: round by round, one per output
  std::vector<std::vector<RefittedLeaves>> refitted;          // of the same trees
  std::vector<std::vector<double>> bases;                     // by replica
  std::vector<double> refit_base;
  std::vector<std::uint32_t> rows;                            // whose prediction is wanted
  Summary predicted, refit_predicted;
  std::vector<double> curve;                                  // losses as in Validation
  double members_per_row = 0.0;                               // that a row of the curve is judged by, on average
  int best_round = -1;
  int n_rounds = 0;                                           // kept
};

// Called after each round with the losses of the ensembles that still grow, in order; true ends all.
using AfterRoundOfReplicas = std::function<bool(int round, const std::vector<double> &losses)>;

std::vector<GrownEnsemble> boost_replicas(const BinnedRows &matrix, const Targets &targets, const BoostingRule &rule,
                                          const ReplicationRule &replication, Team &team, const AfterRoundOfReplicas &after_round);

} // namespace heldout
