#include "checks.hpp"

#include "../predict.hpp"

#include <memory>
#include <stdexcept>

namespace checks {
namespace {

// The arrays that StoredTrees points to.
struct Store {
  std::vector<std::int64_t> starts{0};
  std::vector<std::int32_t> feature, left;
  std::vector<double> threshold, value;
  std::unique_ptr<bool[]> missing_left;
  std::size_t n_features;

  heldout::StoredTrees trees() const {
    return {starts.size() - 1, n_features, starts.data(), feature.data(), threshold.data(), left.data(), missing_left.get(), value.data()};
  }
};

Store store(const heldout::Boosted &boosted, const Binned &binned) {
  Store out;
  out.n_features = binned.cuts.size();
  std::vector<char> missing_left;
  for (const heldout::Tree &tree : boosted.trees) {
    for (std::size_t node = 0; node < tree.n_nodes(); ++node) {
      const bool leaf = tree.feature[node] < 0;
      const auto bin = static_cast<std::size_t>(tree.bin[node]);
      const std::vector<double> &cuts = binned.cuts[leaf ? 0 : static_cast<std::size_t>(tree.feature[node])];
      out.threshold.push_back(leaf ? 0.0 : bin < cuts.size() ? cuts[bin] : kInfinity);
      missing_left.push_back(static_cast<char>(tree.missing_left[node]));
    }
    out.feature.insert(out.feature.end(), tree.feature.begin(), tree.feature.end());
    out.left.insert(out.left.end(), tree.left.begin(), tree.left.end());
    out.value.insert(out.value.end(), tree.value.begin(), tree.value.end());
    out.starts.push_back(static_cast<std::int64_t>(out.feature.size()));
  }
  out.missing_left = std::make_unique<bool[]>(missing_left.size());
  for (std::size_t node = 0; node < missing_left.size(); ++node) out.missing_left[node] = missing_left[node] != 0;
  return out;
}

// The same numbers, feature by feature and both backwards.
template <typename Real> struct Backwards {
  std::vector<Real> cells;
  std::ptrdiff_t row_stride, feature_stride;
  const Real *first;

  Backwards(const std::vector<Real> &X, std::size_t n_rows, std::size_t n_features)
      : cells(X.size()), row_stride(-1), feature_stride(-static_cast<std::ptrdiff_t>(n_rows)), first(cells.data() + cells.size() - 1) {
    for (std::size_t row = 0; row < n_rows; ++row)
      for (std::size_t feature = 0; feature < n_features; ++feature)
        cells[cells.size() - 1 - row - feature * n_rows] = X[row * n_features + feature];
  }
};

class Prediction {
public:
  Prediction(const heldout::Predictor &predictor, std::size_t n_rows) : predictor_(predictor), n_rows_(n_rows) {}

  template <typename Real> std::vector<double> binned(const std::vector<Real> &X, int n_threads) const {
    return from(X.data(), static_cast<std::ptrdiff_t>(predictor_.n_features()), 1, n_threads);
  }
  template <typename Real> std::vector<double> backwards(const std::vector<Real> &X, int n_threads) const {
    const Backwards<Real> turned(X, n_rows_, predictor_.n_features());
    return from(turned.first, turned.row_stride, turned.feature_stride, n_threads);
  }
  template <typename Real> std::vector<double> row_by_row(const std::vector<Real> &X) const {
    std::vector<double> out(n_rows_ * predictor_.n_outputs());
    predictor_.predict_rows(X.data(), static_cast<std::ptrdiff_t>(predictor_.n_features()), 1, n_rows_, 0, predictor_.n_trees(), true, out.data());
    return out;
  }
  // Half of the trees, then the others onto that.
  template <typename Real> std::vector<double> in_halves(const std::vector<Real> &X) const {
    heldout::Team team(2);
    const std::size_t half = predictor_.n_trees() / 2 / predictor_.n_outputs() * predictor_.n_outputs();
    std::vector<double> out(n_rows_ * predictor_.n_outputs());
    const auto stride = static_cast<std::ptrdiff_t>(predictor_.n_features());
    predictor_.predict(X.data(), stride, 1, n_rows_, 0, half, true, out.data(), team);
    predictor_.predict(X.data(), stride, 1, n_rows_, half, predictor_.n_trees(), false, out.data(), team);
    return out;
  }

private:
  template <typename Real>
  std::vector<double> from(const Real *X, std::ptrdiff_t row_stride, std::ptrdiff_t feature_stride, int n_threads) const {
    heldout::Team team(n_threads);
    std::vector<double> out(n_rows_ * predictor_.n_outputs());
    predictor_.predict(X, row_stride, feature_stride, n_rows_, 0, predictor_.n_trees(), true, out.data(), team);
    return out;
  }

  const heldout::Predictor &predictor_;
  std::size_t n_rows_;
};

// What the leaves that apply() names add up to.
std::vector<double> sums_of_leaves(const heldout::Predictor &predictor, const Store &stored, const Rows &rows, const std::vector<double> &base) {
  heldout::Team team(3);
  std::vector<std::int32_t> leaves(rows.n_rows * predictor.n_trees());
  predictor.apply(rows.X.data(), static_cast<std::ptrdiff_t>(rows.n_features), 1, rows.n_rows, leaves.data(), team);
  std::vector<double> out;
  for (std::size_t row = 0; row < rows.n_rows; ++row) {
    std::vector<double> sums = base;
    for (std::size_t tree = 0; tree < predictor.n_trees(); ++tree)
      sums[tree % base.size()] += stored.value[static_cast<std::size_t>(stored.starts[tree] + leaves[row * predictor.n_trees() + tree])];
    out.insert(out.end(), sums.begin(), sums.end());
  }
  return out;
}

// The scores that growing the trees has left behind, row by row.
std::vector<double> scores_by_row(const Fitted &fitted) {
  const std::size_t n_outputs = fitted.base.size(), n_rows = fitted.scores.size() / n_outputs;
  std::vector<double> out;
  for (std::size_t row = 0; row < n_rows; ++row)
    for (std::size_t output = 0; output < n_outputs; ++output) out.push_back(fitted.scores[output * n_rows + row]);
  return out;
}

void check_trees(heldout::Loss loss, int n_outputs, int max_leaves) {
  Fit fit;
  fit.shape.loss = loss;
  fit.shape.n_outputs = n_outputs;
  fit.rule.n_rounds = 6;
  fit.rule.growth.max_leaves = max_leaves;
  const Fitter fitter(fit);
  const Fitted fitted = fitter(2);
  const Rows &rows = fitter.rows();
  const Store stored = store(fitted.boosted, fitter.binned());
  const heldout::Predictor predictor(stored.trees(), fitted.base.size(), fitted.base);
  const Prediction prediction(predictor, rows.n_rows);
  const std::vector<double> wanted = scores_by_row(fitted);
  const std::string name = "predictions: " + std::to_string(n_outputs) + " outputs, " + std::to_string(max_leaves) + " leaves, ";
  for (const int n_threads : {1, 2, 3, 5})
    expect(prediction.binned(rows.X, n_threads) == wanted, name + std::to_string(n_threads) + " threads");
  plainly([&] { expect(prediction.binned(rows.X, 2) == wanted, name + "plain"); });
  expect(prediction.backwards(rows.X, 3) == wanted, name + "strided");
  expect(prediction.row_by_row(rows.X) == wanted && prediction.in_halves(rows.X) == wanted, name + "by thresholds and in halves");
  expect(sums_of_leaves(predictor, stored, rows, fitted.base) == wanted, name + "sums of leaves");
  const std::vector<float> narrow(rows.X.begin(), rows.X.end());
  const std::vector<double> widened(narrow.begin(), narrow.end());
  const std::vector<double> of_float = prediction.row_by_row(widened);
  expect(prediction.binned(narrow, 3) == of_float && prediction.backwards(narrow, 2) == of_float && prediction.row_by_row(narrow) == of_float,
         name + "float");
}

// A file may hold trees that no fit has grown. Here node i has the children i + 1 and i + 2: all but the ends have two
// parents, and paths to a leaf are as many as a Fibonacci number.
void check_shared_nodes() {
  constexpr std::int32_t n_nodes = 127;
  Store odd;
  odd.n_features = 1;
  odd.missing_left = std::make_unique<bool[]>(n_nodes);
  for (std::int32_t node = 0; node < n_nodes; ++node) {
    const bool leaf = node + 2 >= n_nodes;
    odd.feature.push_back(leaf ? -1 : 0);
    odd.left.push_back(leaf ? 0 : node + 1);
    odd.threshold.push_back(leaf ? 0.0 : node % 3);
    odd.value.push_back(node);
  }
  odd.starts.push_back(n_nodes);
  const heldout::Predictor predictor(odd.trees(), 1, {0.0});
  const std::vector<double> X{-1.0, 0.5, 1.5, 3.0, kNaN};
  const Prediction prediction(predictor, X.size());
  expect(prediction.binned(X, 1) == prediction.row_by_row(X), "predictions: nodes with two parents");
}

void check_bad_trees() {
  const std::pair<std::int32_t, std::int32_t> bad[] = {{7, 1}, {0, 0}, {0, 2}, {0, -1}}; // feature and left child of the root
  for (const auto &[feature, left] : bad) {
    Store odd;
    odd.n_features = 1;
    odd.missing_left = std::make_unique<bool[]>(3);
    odd.feature = {feature, -1, -1};
    odd.left = {left, 0, 0};
    odd.threshold = odd.value = {0.0, 0.0, 0.0};
    odd.starts.push_back(3);
    bool refused = false;
    try {
      heldout::Predictor(odd.trees(), 1, {0.0});
    } catch (const std::invalid_argument &) {
      refused = true;
    }
    expect(refused, "predictions: refuses feature " + std::to_string(feature) + ", left child " + std::to_string(left));
  }
}

} // namespace

void check_predictions() {
  check_trees(heldout::Loss::squared, 1, 31);
  check_trees(heldout::Loss::logistic, 1, 150); // more leaves than a mask has bits
  check_trees(heldout::Loss::softmax, 4, 64);
  check_shared_nodes();
  check_bad_trees();
}

} // namespace checks
