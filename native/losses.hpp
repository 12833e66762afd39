// Losses of boosting: gradient and hessian of each row's loss at its score.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace heldout {

class Team;

//   squared   (F - y)^2 / 2                    g = F - y    h = 1
//   logistic  log(1 + e^F) - y F, y 0 or 1     g = p - y    h = p (1 - p)    p = 1 / (1 + e^-F)
//   softmax   log(sum_k e^F_k) - F_y           g_k = p_k - [y = k]    h_k = p_k (1 - p_k)
enum class Loss { squared, logistic, softmax };

// Targets and weights of the rows; not owned. `weight` is null (all 1) or multiplies gradient and hessian.
struct Targets {
  Loss loss = Loss::squared;
  std::size_t n_rows = 0;
  int n_outputs = 1;
  const double *target = nullptr;
  const double *weight = nullptr;
  int exponent = 0; // squared: gradients are in units of 2^exponent, so that float32 holds them

  bool unit_hessian() const { return loss == Loss::squared && !weight; }
};

// The power of two above the largest |score - target| of the rows that count.
int target_exponent(const double *target, const std::uint8_t *count, std::size_t n_rows, const double *scores);

// log(sum_k e^F_k) of each row; scores: (n_outputs, n_rows).
void log_normalisers(const double *scores, std::size_t n_rows, int n_outputs, Team &team, std::vector<double> &out);

// Writes gradient and (unless it is 1 for all) hessian of one output. `log_normaliser` is for softmax.
void differentiate(const Targets &targets, int output, const double *scores, const double *log_normaliser, Team &team,
                   float *gradient, float *hessian);

#ifdef HELDOUT_AVX2
void probability_rows_avx2(const Targets &targets, int output, const double *scores, const double *log_normaliser, std::size_t first,
                           std::size_t last, float *gradient, float *hessian);
void normaliser_rows_avx2(const double *scores, std::size_t n_rows, int n_outputs, std::size_t first, std::size_t last, double *out);
#endif

// The weighted mean of the rows' loss (squared: (F - y)^2 / 2), from integer sums; infinity where one is not finite.
double mean_loss(const Targets &targets, const double *scores, Team &team);

// The weighted mean of values by row (null: all weigh 1), from integer sums: their order does not matter. Infinity where one
// is not finite or nothing weighs.
double weighted_mean(const std::vector<double> &values, const double *weight, Team &team);

// The score that every row starts from, the best constant: mean, log odds, log shares. Sums are of integers, so the
// order of rows does not matter. `count` is null or the multiplicity of each row.
std::vector<double> best_constants(const Targets &targets, const std::uint8_t *count);

} // namespace heldout
