#include "tree_fit.hpp"

#include "counters.hpp"
#include "parallel.hpp"

#include <algorithm>
#include <cmath>

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

template <typename To, typename From> void gather(const From *from, const Bag &bag, std::vector<To> &to) {
  to.resize(bag.n_rows);
  for (std::size_t i = 0; i < bag.n_rows; ++i) to[i] = from[bag.rows[i]];
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

double largest_weight(const Targets &targets, const std::uint8_t *count) {
  if (!targets.weight) return 1.0;
  double largest = 0.0;
  for (std::size_t row = 0; row < targets.n_rows; ++row)
    if (!count || count[row] != 0) largest = std::max(largest, targets.weight[row]);
  return largest;
}

TreeFitter::TreeFitter(const BinnedRows &matrix, const BoostingRule &rule, Team &team)
    : matrix_(matrix), rule_(rule), team_(team), grower_(matrix, rule.growth, team), gradient_(matrix.n_rows) {}

void TreeFitter::fit(const Targets &targets, const Bag &bag, double least_hessian, int output, double *scores,
                     const double *log_normaliser, const std::vector<char> &allowed, Tree &tree) {
  derive(targets, bag, output, scores, log_normaliser);
  grower_.grow(quantised_, bag, least_hessian, allowed.empty() ? nullptr : &allowed, tree);
  for (double &gain : tree.gain) gain = std::ldexp(gain, 2 * targets.exponent);
  if (tree.n_nodes() == 1) return; // a single leaf: the constant is the best there is already
  const std::vector<LeafRange> &leaves = grower_.leaves();
  std::size_t n = 0;
  for (const LeafRange &leaf : leaves) n += leaf.size;
  for_leaves(leaves.size(), n, [&](std::size_t i) {
    const LeafRange &leaf = leaves[i];
    const double value = leaf_value(targets, bag.count, leaf);
    tree.value[static_cast<std::size_t>(leaf.node)] = value;
    const std::uint32_t *rows = grower_.rows() + leaf.first;
    for (std::size_t k = 0; k < leaf.size; ++k) scores[rows[k]] += value;
  });
}

void TreeFitter::carry(const Tree &tree, const std::vector<std::uint32_t> &rows, double *scores) {
  if (tree.n_nodes() == 1 || rows.empty()) return;
  following_.assign(rows.begin(), rows.end());
  scratch_.resize(rows.size());
  descend(matrix_, tree, following_.data(), rows.size(), scratch_.data(), team_, nodes_);
  for_leaves(tree.n_nodes(), rows.size(), [&](std::size_t node) {
    if (tree.feature[node] >= 0) return;
    const std::uint32_t *own = following_.data() + nodes_[node].first;
    for (std::size_t k = 0; k < nodes_[node].size; ++k) scores[own[k]] += tree.value[node];
  });
}

void TreeFitter::refit(const Targets &targets, const Bag &bag, const std::vector<std::uint32_t> &following, int output, double *scores,
                       const double *log_normaliser, Tree &tree) {
  following_.assign(bag.rows, bag.rows + bag.n_rows);
  scratch_.resize(bag.n_rows);
  descend(matrix_, tree, following_.data(), bag.n_rows, scratch_.data(), team_, nodes_);
  const bool is_constant = tree.n_nodes() == 1;
  if (!is_constant) derive(targets, bag, output, scores, log_normaliser);
  for_leaves(tree.n_nodes(), bag.n_rows, [&](std::size_t node) {
    if (tree.feature[node] >= 0) return;
    const std::uint32_t *own = following_.data() + nodes_[node].first;
    const std::size_t n = nodes_[node].size;
    tree.count[node] = 0;
    for (std::size_t k = 0; k < n; ++k) tree.count[node] += bag.count ? bag.count[own[k]] : 1;
    if (is_constant) return;
    tree.value[node] = summed_value(targets, bag.count, own, n, tree.count[node]);
    for (std::size_t k = 0; k < n; ++k) scores[own[k]] += tree.value[node];
  });
  for (std::size_t node = tree.n_nodes(); node-- > 0;) { // children come behind their parent
    if (tree.feature[node] < 0) continue;
    const auto left = static_cast<std::size_t>(tree.left[node]);
    tree.count[node] = tree.count[left] + tree.count[left + 1];
  }
  carry(tree, following, scores);
}

template <typename Work> void TreeFitter::for_leaves(std::size_t n_leaves, std::size_t n_rows, Work &&work) {
  if (n_rows < kFewRows) {
    for (std::size_t i = 0; i < n_leaves; ++i) work(i);
  } else {
    team_.each(n_leaves, [&](std::size_t i, int) { work(i); });
  }
}

void TreeFitter::derive(const Targets &targets, const Bag &bag, int output, const double *scores, const double *log_normaliser) {
  const std::size_t n = matrix_.n_rows;
  if (!targets.unit_hessian()) hessian_.resize(n);
  if (bag.rows && bag.n_rows * 2 < n) {
    derive_listed(targets, bag, output, scores, log_normaliser);
    return;
  }
  differentiate(targets, output, scores, log_normaliser, team_, gradient_.data(), hessian_.data());
  const Derivatives rows{gradient_.data(), targets.unit_hessian() ? nullptr : hessian_.data(), bag.count, n};
  quantise(rows, rule_.format, team_, quantised_);
}

// Where most rows do not count, those that do are laid side by side: the same numbers for a part of the work.
void TreeFitter::derive_listed(const Targets &targets, const Bag &bag, int output, const double *scores, const double *log_normaliser) {
  count_path(Path::listed_bag);
  const std::size_t n = bag.n_rows;
  gather(targets.target, bag, listed_.target);
  gather(scores, bag, listed_.scores);
  if (targets.weight) gather(targets.weight, bag, listed_.weight);
  if (log_normaliser) gather(log_normaliser, bag, listed_.normaliser);
  if (bag.count) gather(bag.count, bag, listed_.count);
  listed_.gradient.resize(n);
  listed_.hessian.resize(targets.unit_hessian() ? 0 : n);
  Targets own = targets;
  own.n_rows = n;
  own.target = listed_.target.data();
  own.weight = targets.weight ? listed_.weight.data() : nullptr;
  differentiate(own, output, listed_.scores.data(), listed_.normaliser.data(), team_, listed_.gradient.data(), listed_.hessian.data());
  const Derivatives rows{listed_.gradient.data(), listed_.hessian.empty() ? nullptr : listed_.hessian.data(),
                         bag.count ? listed_.count.data() : nullptr, n};
  quantise(rows, rule_.format, team_, listed_.quantised);
  quantised_.scale = listed_.quantised.scale;
  quantised_.total = listed_.quantised.total;
  quantised_.fine_gradient_exponent = listed_.quantised.fine_gradient_exponent;
  quantised_.fine_hessian_exponent = listed_.quantised.fine_hessian_exponent;
  const auto per_row = static_cast<std::size_t>(quantised_.scale.words_per_row());
  quantised_.words.resize(matrix_.n_rows * per_row);
  for (std::size_t i = 0; i < n; ++i) {
    const std::size_t row = bag.rows[i];
    for (std::size_t k = 0; k < per_row; ++k) quantised_.words[row * per_row + k] = listed_.quantised.words[i * per_row + k];
    gradient_[row] = listed_.gradient[i];
    if (!listed_.hessian.empty()) hessian_[row] = listed_.hessian[i];
  }
}

// - learning rate * G / (H + l2), the step of a probability's score at most kLargestStep.
double TreeFitter::step_of(const Targets &targets, double gradient, double hessian) const {
  double step = -gradient / (hessian + rule_.growth.l2);
  if (targets.loss != Loss::squared) step = std::clamp(step, -kLargestStep, kLargestStep);
  const double value = std::ldexp(rule_.learning_rate * step, targets.exponent);
  return std::isfinite(value) ? value : 0.0;
}

// Histograms of one 24-bit gradient are too coarse for the value of a leaf: there the rows are summed once more.
double TreeFitter::leaf_value(const Targets &targets, const std::uint8_t *count, const LeafRange &leaf) const {
  const Scale &scale = quantised_.scale;
  if (scale.format != Format::unit && scale.format != Format::wide)
    return summed_value(targets, count, grower_.rows() + leaf.first, leaf.size, leaf.sums.count);
  return step_of(targets, std::ldexp(static_cast<double>(leaf.sums.gradient), -scale.gradient_exponent),
                 std::ldexp(static_cast<double>(leaf.sums.hessian), -scale.hessian_exponent));
}

// The value from sums over the rows, with 62 bits for all of them together.
double TreeFitter::summed_value(const Targets &targets, const std::uint8_t *count, const std::uint32_t *rows, std::size_t n,
                                std::int64_t sum_of_counts) const {
  const double of_gradient = std::ldexp(1.0, quantised_.fine_gradient_exponent);
  const double of_hessian = std::ldexp(1.0, quantised_.fine_hessian_exponent);
  const bool unit = targets.unit_hessian();
  std::int64_t sum_g = 0, sum_h = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const std::uint32_t row = rows[i];
    const std::int64_t times = count ? count[row] : 1;
    sum_g += static_cast<std::int64_t>(std::nearbyint(static_cast<double>(gradient_[row]) * of_gradient)) * times;
    if (!unit) sum_h += static_cast<std::int64_t>(std::nearbyint(static_cast<double>(hessian_[row]) * of_hessian)) * times;
  }
  const double g = std::ldexp(static_cast<double>(sum_g), -quantised_.fine_gradient_exponent);
  const double h = unit ? static_cast<double>(sum_of_counts) : std::ldexp(static_cast<double>(sum_h), -quantised_.fine_hessian_exponent);
  return step_of(targets, g, h);
}

} // namespace heldout
