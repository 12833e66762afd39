// What the checks fit: rows, their bins, and a fit of them.
#include "checks.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>

namespace checks {

std::uint64_t Random::bits() {
  std::uint64_t x = state_ += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

namespace {

double target_of(const Shape &shape, double signal, Random &random) {
  const double noisy = signal + 2 * random.uniform() - 1;
  if (shape.loss == heldout::Loss::squared) return 100 + 7 * noisy;
  if (shape.loss == heldout::Loss::logistic) return noisy > 0.2;
  return std::clamp(std::floor(noisy + shape.n_outputs / 2.0), 0.0, shape.n_outputs - 1.0);
}

template <typename Value> void append_bits(const std::vector<Value> &values, std::vector<std::uint64_t> &out) {
  out.push_back(values.size());
  for (const Value &value : values) {
    std::uint64_t word = 0;
    std::memcpy(&word, &value, sizeof value);
    out.push_back(word);
  }
}

} // namespace

Rows make_rows(const Shape &shape, std::uint64_t seed) {
  Random random(seed);
  Rows rows{shape.n_rows, shape.n_features, {}, {}, {}, {}};
  for (std::size_t row = 0; row < shape.n_rows; ++row) {
    double signal = 0.0;
    for (std::size_t feature = 0; feature < shape.n_features; ++feature) {
      double value = 2 * random.uniform() - 1;
      if (shape.levels > 0) value = std::floor(value * shape.levels / 2);
      if (feature < 4) signal += feature % 2 ? std::fabs(value) : std::sin(3 * value);
      const bool missing = random.uniform() < shape.missing;
      if (missing && feature == 1) signal += 2;
      rows.X.push_back(missing ? kNaN : value);
    }
    rows.target.push_back(target_of(shape, signal, random));
    rows.weight.push_back(0.25 + random.uniform());
    rows.count.push_back(static_cast<std::uint8_t>(random.bits() % 4));
  }
  return rows;
}

Binned bin(const Rows &rows, const std::vector<std::vector<double>> *cuts) {
  heldout::Team team(2);
  const heldout::StridedMatrix<double> matrix{rows.X.data(), static_cast<std::ptrdiff_t>(rows.n_features), 1, rows.n_rows, rows.n_features};
  Binned binned;
  binned.cuts = cuts ? *cuts : heldout::find_all_cut_points(matrix, nullptr, heldout::kMaxBins, team);
  binned.codes.resize(rows.n_rows * rows.n_features);
  heldout::bin_all_codes(matrix, binned.cuts, binned.codes.data(), team);
  for (const std::vector<double> &own : binned.cuts) binned.n_bins.push_back(static_cast<int>(own.size()) + 1);
  return binned;
}

std::vector<std::uint64_t> Fitted::bits() const {
  std::vector<std::uint64_t> out;
  for (const heldout::Tree &tree : boosted.trees) {
    append_bits(tree.feature, out);
    append_bits(tree.bin, out);
    append_bits(tree.left, out);
    append_bits(tree.missing_left, out);
    append_bits(tree.gain, out);
    append_bits(tree.value, out);
    append_bits(tree.count, out);
  }
  append_bits(boosted.validation_losses, out);
  append_bits(scores, out);
  append_bits(base, out);
  out.push_back(static_cast<std::uint64_t>(boosted.best_round));
  return out;
}

Fitter::Fitter(const Fit &fit)
    : fit_(fit), rows_(make_rows(fit.shape, 1)), validation_rows_(make_rows(fit.shape, 2)), binned_(bin(rows_)),
      validation_(bin(validation_rows_, &binned_.cuts)) {}

heldout::Targets Fitter::targets_of(const Rows &rows) const {
  heldout::Targets targets;
  targets.loss = fit_.shape.loss;
  targets.n_rows = rows.n_rows;
  targets.n_outputs = fit_.shape.n_outputs;
  targets.target = rows.target.data();
  targets.weight = fit_.weights ? rows.weight.data() : nullptr;
  return targets;
}

Fitted Fitter::operator()(int n_threads, const heldout::BoostingRule &rule) const {
  heldout::Team team(n_threads);
  heldout::Targets targets = targets_of(rows_);
  const std::uint8_t *count = fit_.counts ? rows_.count.data() : nullptr;
  Fitted out;
  out.base = heldout::best_constants(targets, count);
  for (const double base : out.base) out.scores.insert(out.scores.end(), rows_.n_rows, base);
  if (targets.loss == heldout::Loss::squared)
    targets.exponent = heldout::target_exponent(targets.target, count, rows_.n_rows, out.scores.data());
  heldout::Validation validation;
  std::vector<double> validation_scores;
  for (const double base : out.base) validation_scores.insert(validation_scores.end(), validation_rows_.n_rows, base);
  if (fit_.patience >= 0) {
    validation.codes = validation_.codes.data();
    validation.targets = targets_of(validation_rows_);
    validation.scores = validation_scores.data();
    validation.patience = fit_.patience;
  }
  const heldout::BinnedRows matrix = heldout::make_blocks(binned_.codes.data(), rows_.n_rows, binned_.n_bins, team);
  const auto go_on = [](int, const heldout::Boosted &) { return false; };
  out.boosted = heldout::boost(matrix, targets, count, rule, out.scores.data(), validation, team, go_on);
  return out;
}

void plainly(const std::function<void()> &body) {
  setenv("HELDOUT_SIMD", "plain", 1);
  body();
  unsetenv("HELDOUT_SIMD");
}

} // namespace checks
