// The loops of derivative_kernels.hpp for AVX2; see split_avx2.cpp.
#include "losses.hpp"

#ifdef HELDOUT_AVX2
#include "derivative_kernels.hpp"

namespace heldout {

void probability_rows_avx2(const Targets &targets, int output, const double *scores, const double *log_normaliser, std::size_t first,
                           std::size_t last, float *gradient, float *hessian) {
  probability_rows(targets, output, scores, log_normaliser, first, last, gradient, hessian);
}

void normaliser_rows_avx2(const double *scores, std::size_t n_rows, int n_outputs, std::size_t first, std::size_t last, double *out) {
  normaliser_rows(scores, n_rows, n_outputs, first, last, out);
}

} // namespace heldout
#endif
