// Splits: the best cut of a node's rows by one bin of one feature.
#pragma once

#include "blocks.hpp"
#include "histogram.hpp"
#include "quantise.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace heldout {

// What all candidates of a node share. With a = H_left + l2, b = H_right + l2 and T = a + b, the loss falls by half of
//
//   G_left^2 / a + G_right^2 / b - G^2 / (H + l2)  =  D^2 T / (a b) + G^2 / T - G^2 / (H + l2),
//   D = G_left - (G / T) a.
//
// The right form does not cancel when the node's mean is far from zero, and needs one division; candidates of a node
// are compared by D^2 / (a b).
struct SplitRule {
  Sums total;
  double l2 = 0.0;          // in units of the integer hessian
  std::int64_t least = 1;   // smallest count on either side
  float least_side = 0.0f;  // smallest a and b: a leaf whose hessian is next to nothing would predict anything
  float mean = 0.0f;        // G / T, in units of 256 where a scan reads the high bits of gradients only
  double mean_wide = 0.0;
};

SplitRule make_rule(const Scale &scale, const Sums &total, double l2, std::int64_t least, double least_hessian);

// The best cut of each of a block's 8 features: rows of bins <= bin go left, missing ones where `missing_left` says.
// Ties: the lowest bin, then missing left. A score of 0 means that there is no cut.
struct LaneBests {
  float score[kLanes];
  std::int32_t bin[kLanes];
  std::int32_t missing_left[kLanes];
};

struct Split {
  int feature = -1; // none
  int bin = 0;
  bool missing_left = true;
  float score = 0.0f;
  double gain = 0.0; // in units of the integer gradients and hessians
  Sums left;
};

// Scans one block of a histogram of a node that counts at least 2 rule.least. Where `minus` is given, its bins are first taken from `bins`, in the same pass.
using BlockScan = void (*)(const Scale &scale, std::int64_t *bins, const std::int64_t *minus, int n_bins, const SplitRule &rule,
                           LaneBests &best);

void scan_block_plain(const Scale &scale, std::int64_t *bins, const std::int64_t *minus, int n_bins, const SplitRule &rule,
                      LaneBests &best);
#ifdef HELDOUT_AVX2
void scan_block_avx2(const Scale &scale, std::int64_t *bins, const std::int64_t *minus, int n_bins, const SplitRule &rule,
                     LaneBests &best);
#endif

// The fastest scan of this processor, or the plain one where the environment says HELDOUT_SIMD=plain: the same bits.
BlockScan choose_scan();

// The best cuts of a block straight from few rows: only bins that hold rows are visited. `table` has the words of 256
// lines, all zero before and after.
void scan_few_rows(const BinnedRows &matrix, std::size_t block, const Quantised &derivatives, const RowList &rows,
                   const SplitRule &rule, std::int64_t *table, LaneBests &best);

// Takes the better of a split and a block's bests. Ties: the lowest feature. `allowed` is null or says per feature.
void keep_better(const Block &block, const LaneBests &found, const std::vector<char> *allowed, Split &best);

// Fills in the gain and the sums of the left side, in double precision, from the exact sums.
void finish_split(const SplitRule &rule, const Sums &left, Split &split);

// Sums of a feature's bins 0 .. bin, and of the missing ones if they go left, from a histogram.
Sums left_sums(const BinnedRows &matrix, const Scale &scale, const std::int64_t *histogram, const Split &split);

} // namespace heldout
