// Histograms: for each bin of each feature the exact sums of gradient, hessian and count over the rows of a node.
#pragma once

#include "blocks.hpp"
#include "quantise.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace heldout {

// A histogram is a run of lines, one a bin, blocks one after the other; line `block.first_line + b` holds bin b of the
// block's 8 features, so that a scan over bins reads 8 features at once:
//
//   one word a bin   | lane 0 | lane 1 | ... | lane 7 |
//   two words        | g of lanes 0 .. 7 | h and count of lanes 0 .. 7 |
//
// The last line of a block is that of missing cells.
inline std::size_t words_per_line(const Scale &scale) { return scale.two_words() ? 2 * kLanes : kLanes; }

// Memory for a number of words, aligned to a cache line; not initialised.
class Words {
public:
  Words() = default;
  explicit Words(std::size_t n);
  std::int64_t *data() { return data_.get(); }
  explicit operator bool() const { return data_ != nullptr; }

private:
  struct Free {
    void operator()(std::int64_t *data) const;
  };
  std::unique_ptr<std::int64_t[], Free> data_;
};

// Rows of a node, ascending; `rows` is null where they are first .. first + size.
struct RowList {
  const std::uint32_t *rows = nullptr;
  std::size_t first = 0;
  std::size_t size = 0;
};

// What a thread needs beside the histogram.
struct HistogramScratch {
  Words flush_table; // narrow fields of one block; all zero between calls
  Words tile;        // rows gathered from all over the matrix, once for all blocks

  explicit HistogramScratch(const BinnedRows &matrix);
};

// Lines of a block at the most.
constexpr std::size_t kMostLines = 256;

void clear_block(const Scale &scale, const Block &block, std::int64_t *histogram);

// Adds the rows to one block of a histogram (or takes them away: sign -1, exact as well).
void add_rows(const BinnedRows &matrix, std::size_t block, const Quantised &derivatives, const RowList &rows, int sign,
              std::int64_t *histogram, HistogramScratch &scratch);

// Whether there are so many rows in so large a matrix that they are best taken tile by tile.
bool worth_tiles(const BinnedRows &matrix, const RowList &rows);

// Adds the rows to all blocks that `wanted` names. Many rows are taken tile by tile, so that each is fetched from memory
// once and not once a block.
void add_rows_to_blocks(const BinnedRows &matrix, const std::vector<char> &wanted, const Quantised &derivatives, const RowList &rows,
                        std::int64_t *histogram, HistogramScratch &scratch);

// left += right, or left -= right, over one block.
void combine_block(const Scale &scale, const Block &block, int sign, std::int64_t *left, const std::int64_t *right);

} // namespace heldout
