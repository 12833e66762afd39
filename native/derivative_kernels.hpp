// The loops over rows of the derivatives, compiled once for every processor and once for AVX2: the same operations in the
// same order, four rows an instruction.
#pragma once

#include "arithmetic.hpp"
#include "losses.hpp"

namespace heldout {
namespace {

// An error in probability p, the hessian p (1 - p), both times the weight.
template <bool Weighted>
[[maybe_unused]] void logistic_rows(const Targets &t, const double *scores, std::size_t first, std::size_t last, float *g, float *h) {
  for (std::size_t row = first; row < last; ++row) {
    const double p = logistic(scores[row]), weight = Weighted ? t.weight[row] : 1.0;
    g[row] = static_cast<float>((p - t.target[row]) * weight);
    h[row] = static_cast<float>(p * (1.0 - p) * weight);
  }
}

template <bool Weighted>
[[maybe_unused]] void softmax_rows(const Targets &t, double output, const double *scores, const double *log_normaliser, std::size_t first,
                                   std::size_t last, float *g, float *h) {
  for (std::size_t row = first; row < last; ++row) {
    const double p = exponential(scores[row] - log_normaliser[row]), weight = Weighted ? t.weight[row] : 1.0;
    g[row] = static_cast<float>((p - (t.target[row] == output ? 1.0 : 0.0)) * weight);
    h[row] = static_cast<float>(p * (1.0 - p) * weight);
  }
}

[[maybe_unused]] void probability_rows(const Targets &t, int output, const double *scores, const double *log_normaliser, std::size_t first,
                                       std::size_t last, float *g, float *h) {
  if (t.loss == Loss::logistic)
    t.weight ? logistic_rows<true>(t, scores, first, last, g, h) : logistic_rows<false>(t, scores, first, last, g, h);
  else
    t.weight ? softmax_rows<true>(t, output, scores, log_normaliser, first, last, g, h)
             : softmax_rows<false>(t, output, scores, log_normaliser, first, last, g, h);
}

// Sums of e^(F_k - top) over the outputs, added in their order.
[[maybe_unused]] void normaliser_rows(const double *scores, std::size_t n_rows, int n_outputs, std::size_t first, std::size_t last,
                                      double *out) {
  constexpr std::size_t tile = 256;
  double top[tile], sum[tile];
  for (std::size_t start = first; start < last; start += tile) {
    const std::size_t n = last - start < tile ? last - start : tile;
    for (std::size_t i = 0; i < n; ++i) top[i] = scores[start + i];
    for (int k = 1; k < n_outputs; ++k) {
      const double *own = scores + static_cast<std::size_t>(k) * n_rows + start;
      for (std::size_t i = 0; i < n; ++i) top[i] = top[i] < own[i] ? own[i] : top[i];
    }
    for (std::size_t i = 0; i < n; ++i) sum[i] = 0.0;
    for (int k = 0; k < n_outputs; ++k) {
      const double *own = scores + static_cast<std::size_t>(k) * n_rows + start;
      for (std::size_t i = 0; i < n; ++i) sum[i] += exponential(own[i] - top[i]);
    }
    for (std::size_t i = 0; i < n; ++i) out[start + i] = top[i] + natural_logarithm(sum[i]);
  }
}

} // namespace
} // namespace heldout
