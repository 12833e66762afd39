#include "boost.hpp"

#include "parallel.hpp"

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>

namespace heldout {
namespace {

// Sums of leaves of fewer rows than this are not worth waking threads for.
constexpr std::size_t kFewRows = 4096;

// The Newton step of a score, before the learning rate. Where nearly all rows are of one class a leaf of the others has
// next to no hessian, and its whole step, some hundreds, would carry every other row in it beyond recall.
constexpr double kLargestStep = 8.0;

std::uint64_t mixed(std::uint64_t x) { // splitmix64 (Steele, Lea and Flood 2014)
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

// Grows the trees of one output after the other, with a team or inside one thread of it.
class OutputGrower {
public:
  OutputGrower(const BinnedRows &matrix, const Targets &targets, const std::uint8_t *count, const BoostingRule &rule, Team &team)
      : targets_(targets), count_(count), rule_(rule), team_(team), grower_(matrix, rule.growth, team), gradient_(matrix.n_rows) {
    if (!targets.unit_hessian()) hessian_.resize(matrix.n_rows);
  }

  void grow(int output, double *scores, const double *log_normaliser, const std::vector<char> &allowed, Tree &tree) {
    differentiate(targets_, output, scores, log_normaliser, team_, gradient_.data(), hessian_.data());
    const Derivatives rows{gradient_.data(), hessian_.empty() ? nullptr : hessian_.data(), count_, gradient_.size()};
    quantise(rows, rule_.format, team_, quantised_);
    grower_.grow(quantised_, count_, allowed.empty() ? nullptr : &allowed, tree);
    for (double &gain : tree.gain) gain = std::ldexp(gain, 2 * targets_.exponent);
    if (tree.n_nodes() == 1) return; // a single leaf: the constant is the best there is already
    std::size_t n = 0;
    for (const LeafRange &leaf : grower_.leaves()) n += leaf.size;
    if (n < kFewRows) {
      for (const LeafRange &leaf : grower_.leaves()) settle(leaf, scores, tree);
    } else {
      team_.each(grower_.leaves().size(), [&](std::size_t i, int) { settle(grower_.leaves()[i], scores, tree); });
    }
  }

private:
  void settle(const LeafRange &leaf, double *scores, Tree &tree) {
    const double value = leaf_value(leaf);
    tree.value[static_cast<std::size_t>(leaf.node)] = value;
    const std::uint32_t *rows = grower_.rows() + leaf.first;
    for (std::size_t i = 0; i < leaf.size; ++i) scores[rows[i]] += value;
  }

  // - learning rate * G / (H + l2), the step of a probability's score at most kLargestStep. Histograms of one 24-bit gradient are too coarse for that: there the rows are
  // summed once more, with 62 bits for all of them together.
  double leaf_value(const LeafRange &leaf) const {
    const Scale &scale = quantised_.scale;
    double g, h;
    if (scale.format == Format::unit || scale.format == Format::wide) {
      g = std::ldexp(static_cast<double>(leaf.sums.gradient), -scale.gradient_exponent);
      h = std::ldexp(static_cast<double>(leaf.sums.hessian), -scale.hessian_exponent);
    } else {
      const double of_gradient = std::ldexp(1.0, quantised_.fine_gradient_exponent);
      const double of_hessian = std::ldexp(1.0, quantised_.fine_hessian_exponent);
      const std::uint32_t *rows = grower_.rows() + leaf.first;
      std::int64_t sum_g = 0, sum_h = 0;
      for (std::size_t i = 0; i < leaf.size; ++i) {
        const std::uint32_t row = rows[i];
        const std::int64_t count = count_ ? count_[row] : 1;
        sum_g += static_cast<std::int64_t>(std::nearbyint(static_cast<double>(gradient_[row]) * of_gradient)) * count;
        if (!hessian_.empty())
          sum_h += static_cast<std::int64_t>(std::nearbyint(static_cast<double>(hessian_[row]) * of_hessian)) * count;
      }
      g = std::ldexp(static_cast<double>(sum_g), -quantised_.fine_gradient_exponent);
      h = hessian_.empty() ? static_cast<double>(leaf.sums.count)
                           : std::ldexp(static_cast<double>(sum_h), -quantised_.fine_hessian_exponent);
    }
    double step = -g / (h + rule_.growth.l2);
    if (targets_.loss != Loss::squared) step = std::clamp(step, -kLargestStep, kLargestStep);
    const double value = std::ldexp(rule_.learning_rate * step, targets_.exponent);
    return std::isfinite(value) ? value : 0.0;
  }

  const Targets &targets_;
  const std::uint8_t *count_;
  const BoostingRule &rule_;
  Team &team_;
  Grower grower_;
  Quantised quantised_;
  LargeVector<float> gradient_, hessian_;
};

// Adds the last round's trees to the scores of the validation rows.
void add_last_round(const Validation &validation, std::size_t n_outputs, Team &team, const Boosted &boosted) {
  const std::size_t n_rows = validation.targets.n_rows;
  for (std::size_t output = 0; output < n_outputs; ++output) {
    const Tree &tree = boosted.trees[boosted.trees.size() - n_outputs + output];
    double *scores = validation.scores + output * n_rows;
    team.chunks(n_rows, kFewRows / 8, [&](std::size_t first, std::size_t last, int) {
      for (std::size_t row = first; row < last; ++row) {
        std::size_t node = 0;
        while (tree.feature[node] >= 0) {
          const Direction direction(tree.bin[node], tree.missing_left[node] != 0);
          const std::uint8_t code = validation.codes[static_cast<std::size_t>(tree.feature[node]) * n_rows + row];
          node = static_cast<std::size_t>(tree.left[node]) + !direction.goes_left(code);
        }
        scores[row] += tree.value[node];
      }
    });
  }
}

bool out_of_patience(const Validation &validation, std::size_t n_outputs, Team &team, Boosted &boosted) {
  add_last_round(validation, n_outputs, team, boosted);
  boosted.validation_losses.push_back(mean_loss(validation.targets, validation.scores, team));
  const int last = static_cast<int>(boosted.validation_losses.size()) - 1;
  const auto loss_of = [&](int round) { return boosted.validation_losses[static_cast<std::size_t>(round)]; };
  if (boosted.best_round < 0 || loss_of(last) < loss_of(boosted.best_round)) boosted.best_round = last;
  return validation.patience > 0 && last - boosted.best_round >= validation.patience;
}

} // namespace

std::vector<char> choose_features(std::size_t n_features, double share, std::uint64_t seed, std::uint64_t tree) {
  const auto wanted = std::max<std::size_t>(1, static_cast<std::size_t>(std::nearbyint(share * static_cast<double>(n_features))));
  if (wanted >= n_features) return {};
  // The features with the smallest hashes of (seed, tree, feature).
  std::vector<std::pair<std::uint64_t, std::size_t>> keyed(n_features);
  const std::uint64_t of_tree = mixed(mixed(seed) ^ tree);
  for (std::size_t feature = 0; feature < n_features; ++feature) keyed[feature] = {mixed(of_tree ^ (feature + 1)), feature};
  std::nth_element(keyed.begin(), keyed.begin() + static_cast<std::ptrdiff_t>(wanted), keyed.end());
  std::vector<char> allowed(n_features, 0);
  for (std::size_t i = 0; i < wanted; ++i) allowed[keyed[i].second] = 1;
  return allowed;
}

Boosted boost(const BinnedRows &matrix, const Targets &targets, const std::uint8_t *count, const BoostingRule &rule, double *scores,
              const Validation &validation, Team &team, const AfterRound &after_round) {
  const auto n_outputs = static_cast<std::size_t>(targets.n_outputs);
  Boosted out;
  std::vector<double> normalisers;
  OutputGrower together(matrix, targets, count, rule, team);
  // With several outputs each thread grows whole trees; what does not divide evenly is grown by all together.
  std::vector<std::unique_ptr<Team>> single;
  std::vector<std::unique_ptr<OutputGrower>> apart;
  const auto n_threads = static_cast<std::size_t>(team.size());
  if (n_threads > 1 && n_outputs >= n_threads) {
    for (std::size_t thread = 0; thread < n_threads; ++thread) {
      single.push_back(std::make_unique<Team>(1));
      apart.push_back(std::make_unique<OutputGrower>(matrix, targets, count, rule, *single.back()));
    }
  }
  const std::size_t n_apart = apart.empty() ? 0 : n_outputs - n_outputs % n_threads;
  for (int round = rule.first_round; round < rule.first_round + rule.n_rounds; ++round) {
    if (targets.loss == Loss::softmax) log_normalisers(scores, matrix.n_rows, targets.n_outputs, team, normalisers);
    const std::size_t first = out.trees.size();
    out.trees.resize(first + n_outputs);
    const auto grow_output = [&](OutputGrower &grower, std::size_t output) {
      const std::uint64_t tree = static_cast<std::uint64_t>(round) * n_outputs + output;
      const std::vector<char> allowed = choose_features(matrix.block_of.size(), rule.max_features, rule.seed, tree);
      grower.grow(static_cast<int>(output), scores + output * matrix.n_rows, normalisers.data(), allowed, out.trees[first + output]);
    };
    team.each(n_apart, [&](std::size_t output, int thread) { grow_output(*apart[static_cast<std::size_t>(thread)], output); });
    for (std::size_t output = n_apart; output < n_outputs; ++output) grow_output(together, output);
    const bool enough = validation.codes && out_of_patience(validation, n_outputs, team, out);
    if (after_round(round, out) || enough) break;
  }
  return out;
}

} // namespace heldout
