#include "checks.hpp"

#include <thread>

namespace checks {
namespace {

using heldout::Format;
using heldout::Loss;

constexpr std::size_t kHuge = 1000000;

struct Named {
  std::string name;
  Fit fit;
};

Fit make_fit(Loss loss, int n_outputs, Format format) {
  Fit fit;
  fit.shape.loss = loss;
  fit.shape.n_outputs = n_outputs;
  fit.rule.n_rounds = 3;
  fit.rule.learning_rate = 0.3;
  fit.rule.growth.max_leaves = 24;
  fit.rule.growth.least = 5;
  fit.rule.growth.l2 = 0.5;
  fit.rule.format.forced = static_cast<int>(format);
  return fit;
}

std::vector<Named> all_fits() {
  std::vector<Named> all;
  all.push_back({"squared, unit", make_fit(Loss::squared, 1, Format::unit)});
  const std::pair<Format, const char *> formats[] = {{Format::narrow, "narrow"}, {Format::flushed, "flushed"}, {Format::wide, "wide"}};
  for (const auto &[format, name] : formats) {
    all.push_back({std::string("squared, ") + name, make_fit(Loss::squared, 1, format)});
    all.push_back({std::string("logistic, ") + name, make_fit(Loss::logistic, 1, format)});
    all.push_back({std::string("softmax of 5, ") + name, make_fit(Loss::softmax, 5, format)});
    all.back().fit.shape.n_rows = 1500;
  }
  for (std::size_t i = 0; i < all.size(); ++i) { // each of these with some formats and some losses
    Fit &fit = all[i].fit;
    fit.counts = i % 2 == 1;
    fit.weights = i % 3 == 1;
    fit.patience = i % 4 == 2 ? 2 : -1;
    if (i % 3 == 2) fit.rule.max_features = 0.5;
  }
  return all;
}

// By a thread alone with default growth, against all that must not change a bit.
void check_fit(const Named &named) {
  const Fitter fitter(named.fit);
  const std::vector<std::uint64_t> wanted = fitter(1).bits();
  for (const int n_threads : {2, 3, 5}) expect(fitter(n_threads).bits() == wanted, named.name + ": " + std::to_string(n_threads) + " threads");
  plainly([&] { expect(fitter(2).bits() == wanted, named.name + ": plain"); });
  heldout::BoostingRule rule = named.fit.rule;
  for (const std::size_t few_rows : {std::size_t{1}, kHuge})
    for (const std::size_t together_rows : {std::size_t{1}, kHuge}) {
      rule.growth.few_rows = few_rows;
      rule.growth.together_rows = together_rows;
      rule.growth.shared_rows = 1;
      rule.growth.pool_bytes = 0;
      bool same = true;
      for (const int n_threads : {1, 3}) same = same && fitter(n_threads, rule).bits() == wanted;
      expect(same, named.name + ": few_rows " + std::to_string(few_rows) + ", together_rows " + std::to_string(together_rows) + ", no pool");
    }
}

// Threads share the derivatives, the quantising, the tiles and the leaves' sums only where rows are many.
void check_many_rows() {
  for (const Loss loss : {Loss::squared, Loss::logistic}) {
    Fit fit = make_fit(loss, 1, loss == Loss::squared ? Format::unit : Format::flushed);
    fit.shape.n_rows = 24000;
    fit.shape.n_features = loss == Loss::squared ? 180 : 9;
    fit.shape.levels = 12;
    fit.rule.n_rounds = 2;
    fit.rule.growth.max_leaves = 6;
    const Fitter fitter(fit);
    const std::vector<std::uint64_t> wanted = fitter(1).bits();
    expect(fitter(3).bits() == wanted, std::string("many rows: ") + (loss == Loss::squared ? "180 features" : "9 features"));
  }
}

void check_odd_shapes() {
  for (const std::size_t n_rows : {1, 2, 3, 17})
    for (const std::size_t n_features : {1, 8, 9}) {
      Fit fit = make_fit(Loss::squared, 1, Format::unit);
      fit.shape.n_rows = n_rows;
      fit.shape.n_features = n_features;
      fit.shape.missing = 0.5;
      fit.rule.growth.least = 1;
      fit.rule.growth.shared_rows = 1;
      fit.rule.growth.few_rows = 1;
      const Fitter fitter(fit);
      expect(fitter(3).bits() == fitter(1).bits(), "shape: " + std::to_string(n_rows) + " rows, " + std::to_string(n_features) + " features");
    }
}

void check_patience() {
  Fit fit = make_fit(Loss::logistic, 1, Format::narrow);
  fit.rule.n_rounds = 60;
  fit.rule.learning_rate = 1.0;
  fit.patience = 2;
  const Fitter fitter(fit);
  const Fitted fitted = fitter(3);
  const auto n_rounds = static_cast<int>(fitted.boosted.trees.size());
  expect(n_rounds < 60 && n_rounds == fitted.boosted.best_round + 3, "patience: ends " + std::to_string(n_rounds) + " rounds of 60");
}

// Rows that count 0 times change nothing, whatever they hold.
void check_rows_left_out() {
  for (const bool weights : {false, true})
    for (const int forced : {-1, static_cast<int>(Format::flushed)}) {
      Fit fit = make_fit(Loss::squared, 1, Format::unit);
      fit.counts = true;
      fit.weights = weights;
      fit.rule.format.forced = forced;
      Fitter fitter(fit);
      const std::vector<std::uint64_t> wanted = fitter(1).bits();
      Rows &rows = fitter.rows();
      for (std::size_t row = 0; row < rows.n_rows; ++row) {
        if (rows.count[row] != 0) continue;
        rows.target[row] = row % 2 ? 1e300 : -1e300;
        rows.weight[row] = 1e30;
      }
      expect(fitter(3).bits() == wanted, std::string("rows left out: ") + (weights ? "weights" : "no weights") + ", format " + std::to_string(forced));
    }
}

void check_fits_at_once() {
  const Fitter first(make_fit(Loss::softmax, 5, Format::narrow)), second(make_fit(Loss::squared, 1, Format::unit));
  const auto wanted_first = first(1).bits(), wanted_second = second(1).bits();
  bool same_first = false, same_second = false;
  std::thread one([&] { same_first = first(2).bits() == wanted_first; });
  std::thread other([&] { same_second = second(2).bits() == wanted_second; });
  one.join();
  other.join();
  expect(same_first && same_second, "two fits at once");
}

} // namespace

void check_fits() {
  for (const Named &named : all_fits()) check_fit(named);
  check_many_rows();
  check_odd_shapes();
  check_patience();
  check_rows_left_out();
  check_fits_at_once();
}

} // namespace checks
