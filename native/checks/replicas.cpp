// Replicas: bags of all sizes, roles and ensembles, by any number of threads, against fits of each alone.
#include "checks.hpp"

#include "../replicas.hpp"

#include <algorithm>
#include <new>
#include <stdexcept>
#include <thread>

namespace checks {
namespace {

using heldout::Format;
using heldout::Loss;

// Shares of the rows that are in a bag: as in a bootstrap, few enough for a list, next to none, all.
constexpr double kShares[] = {0.63, 0.1, 0.9, 0.003, 0.63, 1.0, 0.1};

struct Wishes {
  std::size_t n_replicas = 3, n_ensembles = 1;
  bool roles = false, refit = false, keep_trees = true;
  int patience = 0, size = 0;
};

// Rows, bags and roles; what is told to the engine points into them.
class Replicas {
public:
  Replicas(const Fit &fit, const Wishes &wishes) : fit_(fit), wishes_(wishes), fitter_(fit) {
    const std::size_t n = fit.shape.n_rows;
    Random random(7);
    for (std::size_t k = 0; k < wishes.n_replicas; ++k)
      for (std::size_t row = 0; row < n; ++row) {
        const bool in_bag = random.uniform() < kShares[k % 7] || row == k; // never an empty bag
        count_.push_back(in_bag ? static_cast<std::uint8_t>(1 + random.bits() % (k % 2 ? 1 : 255)) : 0);
        role_.push_back(static_cast<std::uint8_t>(random.bits() % 4 & (in_bag ? heldout::kPredicted : 3u)));
      }
    for (std::size_t row = 0; row < n * wishes.n_ensembles; ++row) refit_count_.push_back(static_cast<std::uint8_t>(random.bits() % 3));
  }

  heldout::Targets targets() const {
    heldout::Targets targets;
    targets.loss = fit_.shape.loss;
    targets.n_rows = fit_.shape.n_rows;
    targets.n_outputs = fit_.shape.n_outputs;
    targets.target = fitter_.rows().target.data();
    targets.weight = fit_.weights ? fitter_.rows().weight.data() : nullptr;
    return targets;
  }

  heldout::ReplicationRule rule() const {
    heldout::ReplicationRule rule;
    const std::size_t n = fit_.shape.n_rows;
    for (std::size_t k = 0; k < wishes_.n_replicas; ++k)
      rule.replicas.push_back({count(k), wishes_.roles ? role_.data() + k * n : nullptr, static_cast<int>(k % wishes_.n_ensembles), k});
    for (std::size_t e = 0; e < wishes_.n_ensembles; ++e)
      rule.ensembles.push_back({fit_.rule.n_rounds - static_cast<int>(e % 2), wishes_.size ? wishes_.size : static_cast<int>(wishes_.n_replicas),
                                wishes_.refit ? refit_count_.data() + e * n : nullptr});
    rule.curve_weight = fit_.weights ? fitter_.rows().weight.data() : nullptr;
    rule.patience = wishes_.patience;
    rule.keep_trees = wishes_.keep_trees;
    return rule;
  }

  std::vector<heldout::GrownEnsemble> grow(int n_threads, const heldout::BoostingRule &boosting, const heldout::AfterRoundOfReplicas &after) const {
    heldout::Team team(n_threads);
    const Binned &binned = fitter_.binned();
    const heldout::BinnedRows matrix = heldout::make_blocks(binned.codes.data(), fit_.shape.n_rows, binned.n_bins, team);
    return heldout::boost_replicas(matrix, targets(), boosting, rule(), team, after);
  }

  std::vector<heldout::GrownEnsemble> grow(int n_threads) const {
    return grow(n_threads, fit_.rule, [](int, const std::vector<double> &) { return false; });
  }

  // The trees of one replica, by the fit of one model.
  Fitted alone(std::size_t k) const {
    heldout::Team team(1);
    heldout::Targets own = targets();
    heldout::BoostingRule boosting = fit_.rule;
    boosting.n_rounds = rule().ensembles[k % wishes_.n_ensembles].n_rounds;
    boosting.seed = k;
    std::vector<double> scores;
    for (const double base : heldout::best_constants(own, count(k))) scores.insert(scores.end(), own.n_rows, base);
    if (own.loss == Loss::squared) own.exponent = heldout::target_exponent(own.target, count(k), own.n_rows, scores.data());
    const Binned &binned = fitter_.binned();
    const heldout::BinnedRows matrix = heldout::make_blocks(binned.codes.data(), own.n_rows, binned.n_bins, team);
    Fitted out;
    const auto go_on = [](int, const heldout::Boosted &) { return false; };
    out.boosted.trees = heldout::boost(matrix, own, count(k), boosting, scores.data(), {}, team, go_on).trees;
    return out;
  }

  const std::uint8_t *count(std::size_t k) const { return count_.data() + k * fit_.shape.n_rows; }
  Rows &rows() { return fitter_.rows(); }
  std::vector<std::uint8_t> &roles() { return role_; }
  std::vector<std::uint8_t> &counts() { return count_; }
  std::vector<std::uint8_t> &refit_counts() { return refit_count_; }

private:
  Fit fit_;
  Wishes wishes_;
  Fitter fitter_;
  std::vector<std::uint8_t> count_, role_, refit_count_;
};

// Of all that is found; trees only where they are asked for, as they may not have been kept.
std::vector<std::uint64_t> bits(const std::vector<heldout::GrownEnsemble> &grown, bool trees = true) {
  std::vector<std::uint64_t> out;
  for (const heldout::GrownEnsemble &ensemble : grown) {
    Fitted found;
    for (std::size_t k = 0; trees && k < ensemble.members.size(); ++k) {
      found.boosted.trees.insert(found.boosted.trees.end(), ensemble.members[k].begin(), ensemble.members[k].end());
      found.base.insert(found.base.end(), ensemble.bases[k].begin(), ensemble.bases[k].end());
    }
    for (std::size_t k = 0; trees && k < ensemble.refitted.size(); ++k)
      for (const heldout::RefittedLeaves &leaves : ensemble.refitted[k]) {
        found.base.insert(found.base.end(), leaves.value.begin(), leaves.value.end());
        found.base.insert(found.base.end(), leaves.count.begin(), leaves.count.end());
      }
    for (const heldout::Summary *summary : {&ensemble.predicted, &ensemble.refit_predicted}) {
      found.scores.insert(found.scores.end(), summary->mean.begin(), summary->mean.end());
      found.scores.insert(found.scores.end(), summary->variance.begin(), summary->variance.end());
      found.scores.insert(found.scores.end(), summary->n_members.begin(), summary->n_members.end());
    }
    found.scores.insert(found.scores.end(), ensemble.rows.begin(), ensemble.rows.end());
    found.base.insert(found.base.end(), ensemble.refit_base.begin(), ensemble.refit_base.end());
    found.base.push_back(ensemble.members_per_row);
    found.base.push_back(ensemble.n_rounds);
    found.boosted.validation_losses = ensemble.curve;
    found.boosted.best_round = ensemble.best_round;
    const std::vector<std::uint64_t> own = found.bits();
    out.insert(out.end(), own.begin(), own.end());
  }
  return out;
}

Fit make_fit(Loss loss, int n_outputs, bool weights) {
  Fit fit;
  fit.shape.loss = loss;
  fit.shape.n_outputs = n_outputs;
  fit.shape.n_rows = n_outputs > 1 ? 900 : 1500;
  fit.weights = weights;
  fit.rule.n_rounds = 4;
  fit.rule.learning_rate = 0.4;
  fit.rule.max_features = 0.7;
  fit.rule.growth.max_leaves = 12;
  fit.rule.growth.least = 3;
  fit.rule.growth.l2 = 0.5;
  return fit;
}

void check_wishes(const std::string &name, const Fit &fit, const Wishes &wishes) {
  const Replicas replicas(fit, wishes);
  const std::vector<std::uint64_t> wanted = bits(replicas.grow(1));
  for (const int n_threads : {2, 4}) expect(bits(replicas.grow(n_threads)) == wanted, name + ": " + std::to_string(n_threads) + " threads");
  plainly([&] { expect(bits(replicas.grow(2)) == wanted, name + ": plain"); });
  heldout::BoostingRule rule = fit.rule;
  rule.growth.few_rows = 1;
  rule.growth.together_rows = 1;
  rule.growth.shared_rows = 1;
  rule.growth.pool_bytes = 0;
  const auto go_on = [](int, const std::vector<double> &) { return false; };
  expect(bits(replicas.grow(4, rule, go_on)) == wanted, name + ": all shared by 4 threads, no pool");
}

void check_all_wishes() {
  const std::pair<Loss, const char *> losses[] = {{Loss::squared, "squared"}, {Loss::logistic, "logistic"}, {Loss::softmax, "softmax"}};
  for (const auto &[loss, name] : losses) {
    const int n_outputs = loss == Loss::softmax ? 3 : 1;
    Wishes wishes;
    check_wishes(std::string("replicas, ") + name + ": three", make_fit(loss, n_outputs, false), wishes);
    wishes.n_replicas = 1;
    wishes.refit = true;
    check_wishes(std::string("replicas, ") + name + ": one, refitted", make_fit(loss, n_outputs, true), wishes);
    wishes.n_replicas = 7;
    wishes.n_ensembles = 3;
    wishes.roles = true;
    wishes.patience = 1;
    wishes.size = loss == Loss::squared ? 50 : 1;
    check_wishes(std::string("replicas, ") + name + ": seven in three ensembles", make_fit(loss, n_outputs, true), wishes);
  }
}

void check_alone() {
  for (const bool weights : {false, true}) {
    Wishes wishes;
    wishes.n_replicas = 4;
    wishes.n_ensembles = 4;
    const Replicas replicas(make_fit(Loss::logistic, 1, weights), wishes);
    const std::vector<heldout::GrownEnsemble> grown = replicas.grow(3);
    for (std::size_t k = 0; k < wishes.n_replicas; ++k) {
      Fitted found;
      found.boosted.trees = grown[k].members[0];
      expect(found.bits() == replicas.alone(k).bits(), "replicas: " + std::to_string(k) + (weights ? ", weighted," : "") + " as if alone");
    }
  }
}

// Rows that nobody is fitted to, judged by or asked for: whatever they hold.
void check_rows_of_no_role() {
  Wishes wishes;
  wishes.roles = wishes.refit = true;
  const Fit fit = make_fit(Loss::squared, 1, true);
  Replicas replicas(fit, wishes);
  for (std::size_t row = 0; row < 50; ++row) {
    replicas.refit_counts()[row] = 0;
    for (std::size_t k = 0; k < wishes.n_replicas; ++k) {
      replicas.roles()[k * fit.shape.n_rows + row] = row % 2 ? heldout::kPredicted : 0;
      replicas.counts()[k * fit.shape.n_rows + row] = 0;
    }
  }
  const std::vector<std::uint64_t> wanted = bits(replicas.grow(1));
  for (std::size_t row = 0; row < 50; ++row) {
    replicas.rows().target[row] = row % 3 ? 1e300 : -1e300;
    replicas.rows().weight[row] = 1e30;
  }
  for (const int n_threads : {1, 4}) expect(bits(replicas.grow(n_threads)) == wanted, "replicas: rows left out, " + std::to_string(n_threads) + " threads");
}

void check_trees_not_kept() {
  for (const bool refit : {false, true}) {
    Wishes wishes;
    wishes.roles = true;
    wishes.refit = refit;
    wishes.patience = 1;
    const Fit fit = make_fit(Loss::softmax, 3, false);
    const std::vector<std::uint64_t> wanted = bits(Replicas(fit, wishes).grow(2), false);
    wishes.keep_trees = false;
    for (const int n_threads : {1, 4})
      expect(bits(Replicas(fit, wishes).grow(n_threads), false) == wanted, std::string("replicas: no trees kept") + (refit ? ", refitted" : ""));
  }
}

// Threads share the ways of a single replica's rows, its leaves and its sums only where rows are many.
void check_many_replica_rows() {
  for (const std::size_t n_replicas : {std::size_t{1}, std::size_t{3}}) {
    Wishes wishes;
    wishes.n_replicas = n_replicas;
    wishes.refit = true;
    Fit fit = make_fit(Loss::logistic, 1, false);
    fit.shape.n_rows = 60000;
    fit.shape.n_features = 5;
    fit.shape.levels = 12;
    fit.rule.n_rounds = 2;
    const Replicas replicas(fit, wishes);
    expect(bits(replicas.grow(4)) == bits(replicas.grow(1)), "replicas: many rows, " + std::to_string(n_replicas) + " of 4 threads");
  }
}

void check_few_rows() {
  for (const std::size_t n_rows : {1, 2, 3, 17}) {
    Wishes wishes;
    wishes.n_replicas = 1;
    wishes.refit = true;
    Fit fit = make_fit(Loss::squared, 1, false);
    fit.shape.n_rows = n_rows;
    fit.rule.growth.least = 1;
    Replicas replicas(fit, wishes);
    std::fill(replicas.refit_counts().begin(), replicas.refit_counts().end(), std::uint8_t{1});
    expect(bits(replicas.grow(4)) == bits(replicas.grow(1)), "replicas: " + std::to_string(n_rows) + " rows");
  }
}

void check_ends() {
  const Fit fit = make_fit(Loss::squared, 1, false);
  const Replicas replicas(fit, {});
  const auto stop = [](int round, const std::vector<double> &) { return round == 1; };
  expect(replicas.grow(2, fit.rule, stop)[0].n_rounds == 2, "replicas: ended after two rounds");
  bool came = false;
  try {
    replicas.grow(4, fit.rule, [](int round, const std::vector<double> &) -> bool {
      if (round == 1) throw std::runtime_error("thrown on purpose");
      return false;
    });
  } catch (const std::runtime_error &) {
    came = true;
  }
  expect(came && bits(replicas.grow(4)) == bits(replicas.grow(1)), "replicas: what is thrown between rounds comes out");
}

void check_replications_at_once() {
  Wishes wishes;
  wishes.n_replicas = 4;
  const Replicas first(make_fit(Loss::softmax, 3, false), wishes), second(make_fit(Loss::squared, 1, true), wishes);
  const auto wanted_first = bits(first.grow(1)), wanted_second = bits(second.grow(1));
  bool same_first = false, same_second = false;
  std::thread one([&] { same_first = bits(first.grow(2)) == wanted_first; });
  std::thread other([&] { same_second = bits(second.grow(3)) == wanted_second; });
  one.join();
  other.join();
  expect(same_first && same_second, "replicas: two calls at once");
}

} // namespace

void check_replicas() {
  check_all_wishes();
  check_alone();
  check_rows_of_no_role();
  check_trees_not_kept();
  check_many_replica_rows();
  check_few_rows();
  check_ends();
  check_replications_at_once();
}

// Wherever memory runs out among replicas, the exception comes out.
void check_replicas_without_memory() {
  for (const int n_threads : {1, 3}) {
    Wishes wishes;
    wishes.roles = wishes.refit = true;
    wishes.n_ensembles = 2;
    wishes.patience = 1;
    Fit fit = make_fit(Loss::softmax, 2, true);
    fit.shape.n_rows = 300;
    fit.rule.n_rounds = 2;
    const Replicas replicas(fit, wishes);
    const std::vector<std::uint64_t> wanted = bits(replicas.grow(1));
    int n_failed = 0;
    bool right = true;
    for (std::int64_t after = 0, in_a_row = 0; in_a_row < 3; after += 1 + after / 32) {
      fail_allocation_after(after);
      try {
        const std::vector<heldout::GrownEnsemble> grown = replicas.grow(n_threads);
        fail_allocation_after(-1);
        right = right && bits(grown) == wanted;
        in_a_row = after > 100 ? in_a_row + 1 : 0;
      } catch (const std::bad_alloc &) {
        fail_allocation_after(-1);
        ++n_failed;
        in_a_row = 0;
      }
    }
    expect(right && n_failed > 20, "replicas: " + std::to_string(n_threads) + " threads, calls that ran out of memory");
  }
}

} // namespace checks
