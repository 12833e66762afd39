#include "replicas.hpp"

#include "counters.hpp"
#include "judge.hpp"
#include "parallel.hpp"

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>

namespace heldout {
namespace {

// A bag of a smaller share of the rows is worth a list.
constexpr std::size_t kWorthList = 2;

// Targets with weights of their own where classes have factors.
struct WeighedTargets {
  Targets targets;
  std::vector<double> weight;

  WeighedTargets() = default;
  WeighedTargets(const Targets &given, const double *class_factor) : targets(given) {
    if (!class_factor) return;
    weight.resize(given.n_rows);
    for (std::size_t row = 0; row < given.n_rows; ++row)
      weight[row] = class_factor[static_cast<std::size_t>(given.target[row])] * (given.weight ? given.weight[row] : 1.0);
    targets.weight = weight.data();
  }
  WeighedTargets(WeighedTargets &&) = default;
  WeighedTargets &operator=(WeighedTargets &&) = default;
};

struct Replica {
  ReplicaRule rule;
  WeighedTargets weighed;
  double least_hessian = 0.0;
  std::vector<std::uint32_t> in_bag; // only where few are
  std::vector<std::uint32_t> following; // rows of count 0 that have a role
  std::vector<double> base;
  LargeVector<double> scores; // (n_outputs, n_rows)
  std::vector<Tree> trees;

  Bag bag() const { return {rule.count, in_bag.empty() ? nullptr : in_bag.data(), in_bag.size()}; }
};

struct Ensemble {
  EnsembleRule rule;
  std::vector<int> replicas;
  std::vector<std::uint32_t> judged_rows;
  Judge judge;
  Summary judged;
  GrownEnsemble grown;
  bool one_list = true; // rows judged are those predicted, by the same members
  bool finished = false;
};

class Replication {
public:
  Replication(const BinnedRows &matrix, const Targets &targets, const BoostingRule &rule, const ReplicationRule &replication, Team &team);

  void grow(const AfterRoundOfReplicas &after_round);
  void refit();
  std::vector<GrownEnsemble> result();

private:
  // What one thread fits with.
  struct Worker {
    std::unique_ptr<Team> single;
    std::unique_ptr<TreeFitter> fitter;
    std::vector<double> normalisers;
  };

  void start(Replica &replica);
  void list_rows(Ensemble &ensemble);
  void grow_round(int round, const std::vector<int> &active);
  void grow_trees(int round, Replica &replica, TreeFitter &fitter, Team &team, std::vector<double> &normalisers);
  double finish_round(int round, Ensemble &ensemble);
  void keep(Ensemble &ensemble);
  void conclude(Ensemble &ensemble);
  void refit_trees(const Ensemble &ensemble, Targets targets, const std::vector<std::uint32_t> &refit_rows, Replica &replica,
                   std::vector<RefittedLeaves> &out, TreeFitter &fitter, Team &team, std::vector<double> &normalisers);
  std::vector<Member> members_of(const Ensemble &ensemble) const;
  void summarise(const Ensemble &ensemble, std::uint8_t bit, const std::vector<std::uint32_t> &rows, Summary &out);
  template <typename Work> void for_replicas(const std::vector<int> &replicas, Work &&work);
  std::size_t n_outputs() const { return static_cast<std::size_t>(targets_.n_outputs); }

  const BinnedRows &matrix_;
  const Targets &targets_;
  const BoostingRule &rule_;
  const ReplicationRule &replication_;
  Team &team_;
  std::vector<Worker> workers_; // one per thread
  Worker together_;
  std::vector<Replica> replicas_;
  std::vector<Ensemble> ensembles_;
};

Replication::Replication(const BinnedRows &matrix, const Targets &targets, const BoostingRule &rule, const ReplicationRule &replication,
                         Team &team)
    : matrix_(matrix), targets_(targets), rule_(rule), replication_(replication), team_(team) {
  const auto n_replicas = replication.replicas.size();
  const auto n_threads = static_cast<std::size_t>(team.size());
  for (std::size_t thread = 0; n_replicas >= n_threads && thread < n_threads; ++thread) {
    workers_.emplace_back();
    workers_.back().single = std::make_unique<Team>(1);
    workers_.back().fitter = std::make_unique<TreeFitter>(matrix, rule, *workers_.back().single);
  }
  replicas_.resize(n_replicas);
  for (std::size_t k = 0; k < n_replicas; ++k) replicas_[k].rule = replication.replicas[k];
  team.each(n_replicas, [&](std::size_t k, int) { start(replicas_[k]); });
  ensembles_.resize(replication.ensembles.size());
  for (std::size_t e = 0; e < ensembles_.size(); ++e) ensembles_[e].rule = replication.ensembles[e];
  for (std::size_t k = 0; k < n_replicas; ++k) ensembles_[static_cast<std::size_t>(replicas_[k].rule.ensemble)].replicas.push_back(static_cast<int>(k));
  team.each(ensembles_.size(), [&](std::size_t e, int) { list_rows(ensembles_[e]); });
}

void Replication::start(Replica &replica) {
  const std::size_t n = matrix_.n_rows;
  const std::uint8_t *count = replica.rule.count, *role = replica.rule.role;
  std::size_t n_in_bag = 0;
  for (std::size_t row = 0; row < n; ++row) n_in_bag += count[row] != 0;
  replica.following.reserve(n - n_in_bag);
  if (n_in_bag * kWorthList < n) replica.in_bag.reserve(n_in_bag);
  for (std::size_t row = 0; row < n; ++row) {
    if (count[row] == 0) {
      if (!role || role[row] != 0) replica.following.push_back(static_cast<std::uint32_t>(row));
    } else if (n_in_bag * kWorthList < n) {
      replica.in_bag.push_back(static_cast<std::uint32_t>(row));
    }
  }
  replica.weighed = WeighedTargets(targets_, replica.rule.class_factor);
  Targets &targets = replica.weighed.targets;
  replica.base = best_constants(targets, count);
  replica.scores.resize(n_outputs() * n);
  for (std::size_t output = 0; output < n_outputs(); ++output)
    std::fill_n(replica.scores.begin() + static_cast<std::ptrdiff_t>(output * n), n, replica.base[output]);
  if (targets.loss == Loss::squared) targets.exponent = target_exponent(targets.target, count, n, replica.scores.data());
  replica.least_hessian = rule_.least_hessian * largest_weight(targets, count);
}

void Replication::list_rows(Ensemble &ensemble) {
  std::int64_t n_judgements = 0;
  for (std::size_t row = 0; row < matrix_.n_rows; ++row) {
    std::uint8_t any = 0;
    for (const int k : ensemble.replicas) {
      const ReplicaRule &rule = replicas_[static_cast<std::size_t>(k)].rule;
      const std::uint8_t role = rule.role ? rule.role[row] : (rule.count[row] == 0 ? kStops | kPredicted : 0);
      any = static_cast<std::uint8_t>(any | role);
      n_judgements += (role & kStops) != 0;
      if (role == kStops || role == kPredicted) ensemble.one_list = false;
    }
    if (any & kStops) ensemble.judged_rows.push_back(static_cast<std::uint32_t>(row));
    if (any & kPredicted) ensemble.grown.rows.push_back(static_cast<std::uint32_t>(row));
  }
  const std::size_t n_judged = ensemble.judged_rows.size();
  ensemble.grown.members_per_row = n_judged == 0 ? 0.0 : static_cast<double>(n_judgements) / static_cast<double>(n_judged);
  ensemble.judge = Judge(targets_, replication_.curve_weight, ensemble.judged_rows);
}

// Calls work(position among `replicas`, ...): a thread takes one after the other; what does not come out even is done by all threads together.
template <typename Work> void Replication::for_replicas(const std::vector<int> &replicas, Work &&work) {
  const std::size_t n_apart = workers_.empty() ? 0 : replicas.size() - replicas.size() % workers_.size();
  team_.each(n_apart, [&](std::size_t i, int thread) {
    Worker &own = workers_[static_cast<std::size_t>(thread)];
    count_path(Path::replicas_apart);
    work(i, *own.fitter, *own.single, own.normalisers);
  });
  for (std::size_t i = n_apart; i < replicas.size(); ++i) {
    if (!together_.fitter) together_.fitter = std::make_unique<TreeFitter>(matrix_, rule_, team_);
    count_path(Path::replica_together);
    work(i, *together_.fitter, team_, together_.normalisers);
  }
}

void Replication::grow(const AfterRoundOfReplicas &after_round) {
  for (int round = 0;; ++round) {
    std::vector<int> active;
    for (std::size_t k = 0; k < replicas_.size(); ++k) {
      Ensemble &own = ensembles_[static_cast<std::size_t>(replicas_[k].rule.ensemble)];
      own.finished = own.finished || round >= own.rule.n_rounds;
      if (!own.finished) active.push_back(static_cast<int>(k));
    }
    if (active.empty()) break;
    grow_round(round, active);
    std::vector<double> losses;
    for (Ensemble &ensemble : ensembles_)
      if (!ensemble.finished) losses.push_back(finish_round(round, ensemble));
    if (after_round(round, losses)) break;
  }
  for (Ensemble &ensemble : ensembles_) conclude(ensemble);
}

void Replication::grow_round(int round, const std::vector<int> &active) {
  for_replicas(active, [&](std::size_t i, TreeFitter &fitter, Team &team, std::vector<double> &normalisers) {
    grow_trees(round, replicas_[static_cast<std::size_t>(active[i])], fitter, team, normalisers);
  });
}

void Replication::grow_trees(int round, Replica &replica, TreeFitter &fitter, Team &team, std::vector<double> &normalisers) {
  if (targets_.loss == Loss::softmax) log_normalisers(replica.scores.data(), matrix_.n_rows, targets_.n_outputs, team, normalisers);
  if (!replication_.keep_trees && !ensembles_[static_cast<std::size_t>(replica.rule.ensemble)].rule.refit_count) replica.trees.clear();
  const double *normaliser = targets_.loss == Loss::softmax ? normalisers.data() : nullptr;
  for (std::size_t output = 0; output < n_outputs(); ++output) {
    const std::uint64_t tree = static_cast<std::uint64_t>(round) * n_outputs() + output;
    const std::vector<char> allowed = choose_features(matrix_.block_of.size(), rule_.max_features, replica.rule.seed, tree);
    replica.trees.emplace_back();
    double *scores = replica.scores.data() + output * matrix_.n_rows;
    fitter.fit(replica.weighed.targets, replica.bag(), replica.least_hessian, static_cast<int>(output), scores, normaliser, allowed,
               replica.trees.back());
    fitter.carry(replica.trees.back(), replica.following, scores);
  }
}

// Judges an ensemble by the rows left out. Without patience predictions are taken at the end; with it, at each best round.
double Replication::finish_round(int round, Ensemble &ensemble) {
  GrownEnsemble &grown = ensemble.grown;
  grown.n_rounds = round + 1;
  if (ensemble.judged_rows.empty()) return std::nan("");
  summarise(ensemble, kStops, ensemble.judged_rows, ensemble.judged);
  double loss;
  if (ensemble.rule.size == 1 && targets_.loss != Loss::squared) {
    loss = ensemble.judge.loss_of_members(members_of(ensemble), team_);
  } else {
    loss = ensemble.judge.loss(ensemble.judged, ensemble.rule.size, team_);
  }
  grown.curve.push_back(loss);
  if (grown.best_round < 0 ? std::isfinite(loss) : loss < grown.curve[static_cast<std::size_t>(grown.best_round)]) {
    grown.best_round = round;
    if (replication_.patience > 0) keep(ensemble);
  }
  ensemble.finished = replication_.patience > 0 && round - grown.best_round >= replication_.patience;
  return loss;
}

void Replication::keep(Ensemble &ensemble) {
  if (ensemble.one_list)
    std::swap(ensemble.judged, ensemble.grown.predicted);
  else
    summarise(ensemble, kPredicted, ensemble.grown.rows, ensemble.grown.predicted);
}

void Replication::conclude(Ensemble &ensemble) {
  GrownEnsemble &grown = ensemble.grown;
  if (replication_.patience > 0 && grown.best_round >= 0)
    grown.n_rounds = grown.best_round + 1;
  else
    summarise(ensemble, kPredicted, grown.rows, grown.predicted);
  for (const int k : ensemble.replicas) {
    Replica &replica = replicas_[static_cast<std::size_t>(k)];
    const std::size_t n_trees = static_cast<std::size_t>(grown.n_rounds) * n_outputs();
    if (replica.trees.size() > n_trees) replica.trees.erase(replica.trees.begin() + static_cast<std::ptrdiff_t>(n_trees), replica.trees.end());
    grown.bases.push_back(replica.base);
  }
}

std::vector<Member> Replication::members_of(const Ensemble &ensemble) const {
  std::vector<Member> members;
  for (const int k : ensemble.replicas) {
    const Replica &replica = replicas_[static_cast<std::size_t>(k)];
    members.push_back({replica.rule.count, replica.rule.role, replica.scores.data()});
  }
  return members;
}

void Replication::summarise(const Ensemble &ensemble, std::uint8_t bit, const std::vector<std::uint32_t> &rows, Summary &out) {
  heldout::summarise(members_of(ensemble), bit, rows, matrix_.n_rows, n_outputs(), team_, out);
}

// The trees keep their structure; their leaves are filled anew, round by round, from all rows that an ensemble may use.
void Replication::refit() {
  for (Ensemble &ensemble : ensembles_) {
    const std::uint8_t *count = ensemble.rule.refit_count;
    if (!count) continue;
    count_path(Path::refit);
    std::vector<std::uint32_t> refit_rows;
    for (std::size_t row = 0; row < matrix_.n_rows; ++row)
      if (count[row] != 0) refit_rows.push_back(static_cast<std::uint32_t>(row));
    GrownEnsemble &grown = ensemble.grown;
    const WeighedTargets weighed(targets_, ensemble.rule.refit_class_factor);
    grown.refit_base = best_constants(weighed.targets, count);
    grown.refitted.resize(ensemble.replicas.size());
    for_replicas(ensemble.replicas, [&](std::size_t i, TreeFitter &fitter, Team &team, std::vector<double> &normalisers) {
      Replica &replica = replicas_[static_cast<std::size_t>(ensemble.replicas[i])];
      refit_trees(ensemble, weighed.targets, refit_rows, replica, grown.refitted[i], fitter, team, normalisers);
    });
    // Rows of default roles are those that some member left out, and by now all members have learned them.
    if (replicas_[static_cast<std::size_t>(ensemble.replicas.front())].rule.role) summarise(ensemble, kPredicted, grown.rows, grown.refit_predicted);
  }
}

void Replication::refit_trees(const Ensemble &ensemble, Targets targets, const std::vector<std::uint32_t> &refit_rows, Replica &replica,
                              std::vector<RefittedLeaves> &out, TreeFitter &fitter, Team &team, std::vector<double> &normalisers) {
  const std::size_t n = matrix_.n_rows;
  const std::uint8_t *count = ensemble.rule.refit_count;
  std::vector<std::uint32_t> following;
  for (const std::uint32_t row : ensemble.grown.rows)
    if (count[row] == 0) following.push_back(row);
  for (std::size_t output = 0; output < n_outputs(); ++output)
    std::fill_n(replica.scores.begin() + static_cast<std::ptrdiff_t>(output * n), n, ensemble.grown.refit_base[output]);
  if (targets.loss == Loss::squared) targets.exponent = target_exponent(targets.target, count, n, replica.scores.data());
  const Bag bag{count, refit_rows.data(), refit_rows.size()};
  for (std::size_t t = 0; t < replica.trees.size(); ++t) {
    const std::size_t output = t % n_outputs();
    if (targets.loss == Loss::softmax && output == 0) log_normalisers(replica.scores.data(), n, targets.n_outputs, team, normalisers);
    const double *normaliser = targets.loss == Loss::softmax ? normalisers.data() : nullptr;
    Tree tree = replica.trees[t];
    fitter.refit(targets, bag, following, static_cast<int>(output), replica.scores.data() + output * n, normaliser, tree);
    out.push_back({std::move(tree.value), std::move(tree.count)});
  }
}

std::vector<GrownEnsemble> Replication::result() {
  std::vector<GrownEnsemble> out;
  for (Ensemble &ensemble : ensembles_) {
    for (const int k : ensemble.replicas) {
      std::vector<Tree> &trees = replicas_[static_cast<std::size_t>(k)].trees;
      ensemble.grown.members.push_back(replication_.keep_trees ? std::move(trees) : std::vector<Tree>());
    }
    out.push_back(std::move(ensemble.grown));
  }
  return out;
}

} // namespace

std::vector<GrownEnsemble> boost_replicas(const BinnedRows &matrix, const Targets &targets, const BoostingRule &rule,
                                          const ReplicationRule &replication, Team &team, const AfterRoundOfReplicas &after_round) {
  Replication all(matrix, targets, rule, replication, team);
  all.grow(after_round);
  all.refit();
  return all.result();
}

} // namespace heldout
