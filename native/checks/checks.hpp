// Checks of the engine without Python, to be run under sanitizers: what they have to compare is secondary to which
// lines they make threads run at once.
#pragma once

#include "../bins.hpp"
#include "../boost.hpp"
#include "../parallel.hpp"

#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

namespace checks {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Prints one line and counts.
void expect(bool passed, const std::string &what);

// Deterministic numbers (splitmix64).
class Random {
public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t bits();
  double uniform() { return static_cast<double>(bits() >> 11) * 0x1p-53; }

private:
  std::uint64_t state_;
};

// X: (n_rows, n_features), row-major.
struct Rows {
  std::size_t n_rows, n_features;
  std::vector<double> X, target, weight;
  std::vector<std::uint8_t> count;
};

struct Shape {
  heldout::Loss loss = heldout::Loss::squared;
  std::size_t n_rows = 3000, n_features = 11;
  int n_outputs = 1;
  double missing = 0.1; // share of the cells
  int levels = 0;       // distinct values of a feature; 0: as many as rows
};

Rows make_rows(const Shape &shape, std::uint64_t seed);

struct Binned {
  std::vector<std::vector<double>> cuts;
  std::vector<std::uint8_t> codes;
  std::vector<int> n_bins;
};

Binned bin(const Rows &rows, const std::vector<std::vector<double>> *cuts = nullptr);

struct Fit {
  Shape shape;
  bool weights = false, counts = false;
  heldout::BoostingRule rule;
  int patience = -1; // -1: no validation rows
};

struct Fitted {
  heldout::Boosted boosted;
  std::vector<double> scores, base;
  std::vector<std::uint64_t> bits() const; // of everything that a fit gives
};

// Several fits of the same rows need them made and binned once.
class Fitter {
public:
  explicit Fitter(const Fit &fit);
  Fitted operator()(int n_threads) const { return (*this)(n_threads, fit_.rule); }
  Fitted operator()(int n_threads, const heldout::BoostingRule &rule) const;
  const Rows &rows() const { return rows_; }
  Rows &rows() { return rows_; }
  const Binned &binned() const { return binned_; }

private:
  heldout::Targets targets_of(const Rows &rows) const;

  Fit fit_;
  Rows rows_, validation_rows_;
  Binned binned_, validation_;
};

// Runs `body` as a processor without vector instructions would.
void plainly(const std::function<void()> &body);

// Makes the allocation after `n` others fail, whatever thread asks for it; a negative `n` makes none fail.
void fail_allocation_after(std::int64_t n);

void check_bins();
void check_fits();
void check_predictions();
void check_threads();
void check_failures();
void check_replicas();
void check_replicas_without_memory();

} // namespace checks
