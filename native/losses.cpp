#include "losses.hpp"

#include "arithmetic.hpp"
#include "derivative_kernels.hpp"
#include "parallel.hpp"
#include "simd.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace heldout {
namespace {

constexpr std::size_t kSmallestChunk = 2048;
constexpr double kSmallestShare = 1e-15; // of a class without weight: its log must be finite

template <bool Weighted> void squared(const Targets &t, const double *scores, std::size_t first, std::size_t last, float *g, float *h) {
  const double factor = std::ldexp(1.0, -t.exponent);
  for (std::size_t row = first; row < last; ++row) {
    const double difference = (scores[row] - t.target[row]) * factor;
    g[row] = static_cast<float>(Weighted ? difference * t.weight[row] : difference);
    if (Weighted) h[row] = static_cast<float>(t.weight[row]);
  }
}

// Integer sums at a power of two that leaves room for n values of the largest magnitude.
class FixedPoint {
public:
  FixedPoint(double largest, std::size_t n) {
    int exponent = 0, bits = 0;
    std::frexp(largest, &exponent);
    while (n >> bits) ++bits;
    shift_ = 61 - exponent - bits;
    half_ = std::ldexp(1.0, shift_ / 2);
    rest_ = std::ldexp(1.0, shift_ - shift_ / 2);
  }
  void add(double value, std::int64_t times) {
    if (times != 0) sum_ += static_cast<std::int64_t>(std::nearbyint(value * half_ * rest_)) * times;
  }
  double value() const { return value_of(sum_); }
  double value_of(std::int64_t sum) const { return std::ldexp(static_cast<double>(sum), -shift_); }
  std::int64_t integer() const { return sum_; }

private:
  int shift_ = 0;
  double half_ = 1.0, rest_ = 1.0; // 2^shift as two factors: one alone could be out of range
  std::int64_t sum_ = 0;
};

double loss_of(const Targets &t, std::size_t row, const double *scores, const std::vector<double> &normalisers) {
  const double f = scores[row], y = t.target[row];
  if (t.loss == Loss::squared) return (f - y) * (f - y) / 2;
  if (t.loss == Loss::softmax) return normalisers[row] - scores[static_cast<std::size_t>(y) * t.n_rows + row];
  return (f > 0 ? f : 0.0) - y * f + natural_logarithm(1.0 + exponential(f < 0 ? f : -f)); // log(1 + e^F) - y F
}

} // namespace

int target_exponent(const double *target, const std::uint8_t *count, std::size_t n_rows, const double *scores) {
  double largest = 0.0;
  for (std::size_t row = 0; row < n_rows; ++row)
    if (!count || count[row] != 0) largest = std::max(largest, std::fabs(scores[row] - target[row]));
  int exponent = 0;
  if (largest > 0.0) std::frexp(largest, &exponent);
  return exponent;
}

void log_normalisers(const double *scores, std::size_t n_rows, int n_outputs, Team &team, std::vector<double> &out) {
  out.resize(n_rows);
#ifdef HELDOUT_AVX2
  const auto rows = use_avx2() ? &normaliser_rows_avx2 : &normaliser_rows;
#else
  const auto rows = &normaliser_rows;
#endif
  team.chunks(n_rows, kSmallestChunk / 4,
              [&](std::size_t first, std::size_t last, int) { rows(scores, n_rows, n_outputs, first, last, out.data()); });
}

void differentiate(const Targets &t, int output, const double *scores, const double *log_normaliser, Team &team, float *gradient,
                   float *hessian) {
#ifdef HELDOUT_AVX2
  const auto rows = use_avx2() ? &probability_rows_avx2 : &probability_rows;
#else
  const auto rows = &probability_rows;
#endif
  team.chunks(t.n_rows, kSmallestChunk, [&](std::size_t first, std::size_t last, int) {
    if (t.loss != Loss::squared)
      rows(t, output, scores, log_normaliser, first, last, gradient, hessian);
    else
      t.weight ? squared<true>(t, scores, first, last, gradient, hessian) : squared<false>(t, scores, first, last, gradient, hessian);
  });
}

double mean_loss(const Targets &t, const double *scores, Team &team) {
  std::vector<double> normalisers, losses(t.n_rows);
  if (t.loss == Loss::softmax) log_normalisers(scores, t.n_rows, t.n_outputs, team, normalisers);
  team.chunks(t.n_rows, kSmallestChunk, [&](std::size_t first, std::size_t last, int) {
    for (std::size_t row = first; row < last; ++row) losses[row] = loss_of(t, row, scores, normalisers);
  });
  return weighted_mean(losses, t.weight, team);
}

double weighted_mean(const std::vector<double> &values, const double *weight, Team &team) {
  struct Part {
    double largest = 0.0, heaviest = 0.0;
    bool finite = true;
    std::int64_t sum = 0, weights = 0;
  };
  const std::size_t n = values.size();
  std::vector<Part> parts(static_cast<std::size_t>(team.size()));
  const auto weighed = [&](std::size_t row) { return weight ? weight[row] * values[row] : values[row]; };
  team.chunks(n, kSmallestChunk, [&](std::size_t first, std::size_t last, int at) {
    Part part;
    for (std::size_t row = first; row < last; ++row) {
      part.finite = part.finite && std::isfinite(weighed(row));
      part.largest = std::max(part.largest, std::fabs(weighed(row)));
      part.heaviest = std::max(part.heaviest, weight ? weight[row] : 1.0);
    }
    parts[static_cast<std::size_t>(at)] = part;
  });
  Part all;
  for (const Part &part : parts) {
    if (!part.finite) return std::numeric_limits<double>::infinity();
    all.largest = std::max(all.largest, part.largest);
    all.heaviest = std::max(all.heaviest, part.heaviest);
  }
  if (!(all.heaviest > 0.0)) return std::numeric_limits<double>::infinity();
  team.chunks(n, kSmallestChunk, [&](std::size_t first, std::size_t last, int at) {
    FixedPoint sum(all.largest, n), weights(all.heaviest, n);
    for (std::size_t row = first; row < last; ++row) sum.add(weighed(row), 1);
    for (std::size_t row = first; weight && row < last; ++row) weights.add(weight[row], 1);
    parts[static_cast<std::size_t>(at)].sum = sum.integer();
    parts[static_cast<std::size_t>(at)].weights = weights.integer();
  });
  for (const Part &part : parts) {
    all.sum += part.sum;
    all.weights += part.weights;
  }
  const double total = FixedPoint(all.largest, n).value_of(all.sum);
  return total / (weight ? FixedPoint(all.heaviest, n).value_of(all.weights) : static_cast<double>(n));
}

std::vector<double> best_constants(const Targets &t, const std::uint8_t *count) {
  const auto times = [&](std::size_t row) -> std::int64_t { return count ? count[row] : 1; };
  double heaviest = 0.0, low = std::numeric_limits<double>::infinity(), high = -low;
  std::size_t n = 0;
  for (std::size_t row = 0; row < t.n_rows; ++row) {
    if (times(row) == 0) continue;
    n += static_cast<std::size_t>(times(row));
    heaviest = std::max(heaviest, t.weight ? t.weight[row] : 1.0);
    low = std::min(low, t.target[row]);
    high = std::max(high, t.target[row]);
  }
  FixedPoint all(heaviest, n);
  for (std::size_t row = 0; row < t.n_rows; ++row) all.add(t.weight ? t.weight[row] : 1.0, times(row));
  if (t.loss == Loss::squared) {
    // Around the middle of the range, so that a far-off origin costs no digits.
    const double middle = low / 2 + high / 2, half = std::max(high - middle, middle - low);
    FixedPoint sum(half / heaviest > 0 ? half * heaviest : 1.0, n);
    for (std::size_t row = 0; row < t.n_rows; ++row)
      if (times(row) > 0) sum.add((t.target[row] - middle) * (t.weight ? t.weight[row] : 1.0), times(row));
    return {middle + sum.value() / all.value()};
  }
  std::vector<double> shares;
  const int n_classes = t.loss == Loss::logistic ? 2 : t.n_outputs;
  for (int k = 0; k < n_classes; ++k) {
    FixedPoint sum(heaviest, n);
    for (std::size_t row = 0; row < t.n_rows; ++row)
      if (t.target[row] == k) sum.add(t.weight ? t.weight[row] : 1.0, times(row));
    shares.push_back(std::max(sum.value() / all.value(), kSmallestShare));
  }
  if (t.loss == Loss::logistic) return {natural_logarithm(shares[1] / shares[0])};
  for (double &share : shares) share = natural_logarithm(share);
  return shares;
}

} // namespace heldout
