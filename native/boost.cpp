#include "boost.hpp"

#include "parallel.hpp"

#include <memory>

namespace heldout {
namespace {

constexpr std::size_t kFewRows = 512; // for a thread, on their way down one tree

// Adds the last round's trees to the scores of the validation rows.
void add_last_round(const Validation &validation, std::size_t n_outputs, Team &team, const Boosted &boosted) {
  const std::size_t n_rows = validation.targets.n_rows;
  for (std::size_t output = 0; output < n_outputs; ++output) {
    const Tree &tree = boosted.trees[boosted.trees.size() - n_outputs + output];
    double *scores = validation.scores + output * n_rows;
    team.chunks(n_rows, kFewRows, [&](std::size_t first, std::size_t last, int) {
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
  if (boosted.validation_losses.back() < boosted.loss_to_beat) {
    boosted.loss_to_beat = boosted.validation_losses.back();
    boosted.best_round = last;
  }
  return validation.patience > 0 && last - boosted.best_round >= validation.patience;
}

} // namespace

Boosted boost(const BinnedRows &matrix, const Targets &targets, const std::uint8_t *count, const BoostingRule &rule, double *scores,
              const Validation &validation, Team &team, const AfterRound &after_round) {
  const auto n_outputs = static_cast<std::size_t>(targets.n_outputs);
  Boosted out;
  std::vector<double> normalisers;
  TreeFitter together(matrix, rule, team);
  const double least_hessian = rule.least_hessian * largest_weight(targets, count);
  // With several outputs each thread grows whole trees; what does not divide evenly is grown by all together.
  std::vector<std::unique_ptr<Team>> single;
  std::vector<std::unique_ptr<TreeFitter>> apart;
  const auto n_threads = static_cast<std::size_t>(team.size());
  if (n_threads > 1 && n_outputs >= n_threads) {
    for (std::size_t thread = 0; thread < n_threads; ++thread) {
      single.push_back(std::make_unique<Team>(1));
      apart.push_back(std::make_unique<TreeFitter>(matrix, rule, *single.back()));
    }
  }
  const std::size_t n_apart = apart.empty() ? 0 : n_outputs - n_outputs % n_threads;
  if (validation.codes && rule.first_round > 0) out.loss_to_beat = mean_loss(validation.targets, validation.scores, team);
  for (int round = rule.first_round; round < rule.first_round + rule.n_rounds; ++round) {
    if (targets.loss == Loss::softmax) log_normalisers(scores, matrix.n_rows, targets.n_outputs, team, normalisers);
    const std::size_t first = out.trees.size();
    out.trees.resize(first + n_outputs);
    const auto grow_output = [&](TreeFitter &fitter, std::size_t output) {
      const std::uint64_t tree = static_cast<std::uint64_t>(round) * n_outputs + output;
      const std::vector<char> allowed = choose_features(matrix.block_of.size(), rule.max_features, rule.seed, tree);
      fitter.fit(targets, {count}, least_hessian, static_cast<int>(output), scores + output * matrix.n_rows, normalisers.data(), allowed,
                 out.trees[first + output]);
    };
    team.each(n_apart, [&](std::size_t output, int thread) { grow_output(*apart[static_cast<std::size_t>(thread)], output); });
    for (std::size_t output = n_apart; output < n_outputs; ++output) grow_output(together, output);
    const bool enough = validation.codes && out_of_patience(validation, n_outputs, team, out);
    if (after_round(round, out) || enough) break;
  }
  return out;
}

} // namespace heldout
