#include "histogram.hpp"

#include "counters.hpp"

#include <algorithm>
#include <cstring>
#include <new>

namespace heldout {
namespace {

constexpr std::size_t kAlignment = 64;
constexpr std::size_t kPrefetchAhead = 24;             // rows
constexpr std::size_t kRowsPerTile = 2048;             // with a tile, a block's table is fetched from the second cache once
constexpr std::size_t kRowsWorthTiles = 2 * kRowsPerTile;
constexpr std::size_t kWordsWorthTiles = std::size_t{1} << 19; // a matrix of less than 4 MiB gains nothing by it

// Byte l of a word times the size of a line of one-word bins, in one shift and one mask.
template <int Lane> inline std::size_t line_offset(std::uint64_t word) {
  static_assert(kLanes * sizeof(std::int64_t) == 64, "a line of one-word bins has 64 bytes");
  constexpr std::uint64_t mask = 0xffu << 6;
  return static_cast<std::size_t>((Lane == 0 ? word << 6 : word >> (8 * Lane - 6)) & mask);
}

template <int Lane, int Lanes> inline void add_lanes(std::uint64_t word, std::int64_t value, char *table) {
  if constexpr (Lane < Lanes) {
    *reinterpret_cast<std::int64_t *>(table + line_offset<Lane>(word) + 8 * Lane) += value;
    add_lanes<Lane + 1, Lanes>(word, value, table);
  }
}

template <int Lane, int Lanes>
inline void add_lanes_wide(std::uint64_t word, std::int64_t gradient, std::int64_t rest, char *table) {
  if constexpr (Lane < Lanes) {
    char *cell = table + 2 * line_offset<Lane>(word) + 8 * Lane;
    *reinterpret_cast<std::int64_t *>(cell) += gradient;
    *reinterpret_cast<std::int64_t *>(cell + 64) += rest;
    add_lanes_wide<Lane + 1, Lanes>(word, gradient, rest, table);
  }
}

struct Source {
  const std::uint64_t *words; // of the block: the next row is `stride` further
  std::size_t stride;
  const std::int64_t *values;
  RowList rows;
};

template <int Lanes, bool Wide, bool Listed> void add_range(const Source &from, std::size_t first, std::size_t last, int sign, char *table) {
  const std::int64_t flip = sign < 0 ? -1 : 0; // (v ^ -1) - -1 == -v
  for (std::size_t i = first; i < last; ++i) {
    const std::size_t row = Listed ? from.rows.rows[i] : from.rows.first + i;
    if (Listed && i + kPrefetchAhead < last) {
      const std::size_t ahead = from.rows.rows[i + kPrefetchAhead];
      __builtin_prefetch(from.words + ahead * from.stride);
      __builtin_prefetch(from.values + ahead * (Wide ? 2 : 1));
    }
    const std::uint64_t word = from.words[row * from.stride];
    if constexpr (Wide) {
      add_lanes_wide<0, Lanes>(word, (from.values[2 * row] ^ flip) - flip, (from.values[2 * row + 1] ^ flip) - flip, table);
    } else {
      add_lanes<0, Lanes>(word, (from.values[row] ^ flip) - flip, table);
    }
  }
}

using Kernel = void (*)(const Source &, std::size_t, std::size_t, int, char *);

template <bool Wide, bool Listed> Kernel kernel_of(int n_lanes) {
  static constexpr Kernel kernels[] = {&add_range<1, Wide, Listed>, &add_range<2, Wide, Listed>, &add_range<3, Wide, Listed>,
                                       &add_range<4, Wide, Listed>, &add_range<5, Wide, Listed>, &add_range<6, Wide, Listed>,
                                       &add_range<7, Wide, Listed>, &add_range<8, Wide, Listed>};
  return kernels[n_lanes - 1];
}

Kernel kernel_for(bool wide, bool listed, int n_lanes) {
  if (wide) return listed ? kernel_of<true, true>(n_lanes) : kernel_of<true, false>(n_lanes);
  return listed ? kernel_of<false, true>(n_lanes) : kernel_of<false, false>(n_lanes);
}

// Moves the narrow fields of a scratch table into two-word bins and leaves zeros behind.
void flush(const Scale &scale, const Block &block, int sign, std::int64_t *table, std::int64_t *histogram) {
  count_path(Path::flush);
  const std::size_t n_lines = static_cast<std::size_t>(block.n_bins) + 1;
  constexpr std::int64_t count_mask = (std::int64_t{1} << kNarrowCountBits) - 1;
  constexpr std::int64_t hessian_mask = (std::int64_t{1} << kNarrowHessianBits) - 1;
  for (std::size_t line = 0; line < n_lines; ++line) {
    std::int64_t *from = table + line * kLanes, *to = histogram + line * 2 * kLanes;
    for (int lane = 0; lane < kLanes; ++lane) {
      const std::int64_t word = from[lane];
      const std::int64_t gradient = word >> kNarrowGradientShift;
      const std::int64_t rest = (((word >> kNarrowCountBits) & hessian_mask) << scale.count_bits) + (word & count_mask);
      to[lane] += sign < 0 ? -gradient : gradient;
      to[kLanes + lane] += sign < 0 ? -rest : rest;
      from[lane] = 0;
    }
  }
}

void add_source(const Block &block, const Scale &scale, const Source &from, int sign, std::int64_t *histogram, HistogramScratch &scratch) {
  std::int64_t *bins = histogram + block.first_line * words_per_line(scale);
  const Kernel kernel = kernel_for(scale.format == Format::wide, from.rows.rows != nullptr, block.n_lanes);
  if (scale.format != Format::flushed) {
    kernel(from, 0, from.rows.size, sign, reinterpret_cast<char *>(bins));
    return;
  }
  for (std::size_t first = 0; first < from.rows.size; first += scale.rows_per_flush) {
    std::int64_t *table = scratch.flush_table.data();
    kernel(from, first, std::min(first + scale.rows_per_flush, from.rows.size), 1, reinterpret_cast<char *>(table));
    flush(scale, block, sign, table, bins);
  }
}

// Copies the rows' words, block by block, and their values.
void gather(const BinnedRows &matrix, const Quantised &derivatives, const RowList &tile, std::uint64_t *words, std::int64_t *values) {
  const std::size_t n_blocks = matrix.n_blocks();
  const std::size_t per_row = static_cast<std::size_t>(derivatives.scale.words_per_row());
  for (std::size_t i = 0; i < tile.size; ++i) {
    if (i + kPrefetchAhead < tile.size) {
      const std::size_t ahead = tile.rows[i + kPrefetchAhead];
      __builtin_prefetch(matrix.words.data() + ahead * n_blocks);
      __builtin_prefetch(matrix.words.data() + ahead * n_blocks + n_blocks - 1);
      __builtin_prefetch(derivatives.words.data() + ahead * per_row);
    }
    const std::size_t row = tile.rows[i];
    const std::uint64_t *from = matrix.words.data() + row * n_blocks;
    for (std::size_t block = 0; block < n_blocks; ++block) words[block * kRowsPerTile + i] = from[block];
    for (std::size_t k = 0; k < per_row; ++k) values[i * per_row + k] = derivatives.words[row * per_row + k];
  }
}

} // namespace

Words::Words(std::size_t n)
    : data_(static_cast<std::int64_t *>(
          ::operator new(std::max<std::size_t>(n, 1) * sizeof(std::int64_t), std::align_val_t{kAlignment}))) {}

void Words::Free::operator()(std::int64_t *data) const { ::operator delete(data, std::align_val_t{kAlignment}); }

HistogramScratch::HistogramScratch(const BinnedRows &matrix)
    : flush_table(kMostLines * kLanes), tile(kRowsPerTile * (matrix.n_blocks() + 2)) {
  std::memset(flush_table.data(), 0, kMostLines * kLanes * sizeof(std::int64_t));
}

void clear_block(const Scale &scale, const Block &block, std::int64_t *histogram) {
  const std::size_t line = words_per_line(scale);
  std::memset(histogram + block.first_line * line, 0, (static_cast<std::size_t>(block.n_bins) + 1) * line * sizeof(std::int64_t));
}

void add_rows(const BinnedRows &matrix, std::size_t block_index, const Quantised &derivatives, const RowList &rows, int sign,
              std::int64_t *histogram, HistogramScratch &scratch) {
  const Source from{matrix.words.data() + block_index, matrix.n_blocks(), derivatives.words.data(), rows};
  add_source(matrix.blocks[block_index], derivatives.scale, from, sign, histogram, scratch);
}

bool worth_tiles(const BinnedRows &matrix, const RowList &rows) {
  return rows.size >= kRowsWorthTiles && matrix.words.size() >= kWordsWorthTiles;
}

void add_rows_to_blocks(const BinnedRows &matrix, const std::vector<char> &wanted, const Quantised &derivatives, const RowList &rows,
                        std::int64_t *histogram, HistogramScratch &scratch) {
  const std::size_t n_blocks = matrix.n_blocks();
  const std::size_t step = worth_tiles(matrix, rows) ? kRowsPerTile : rows.size;
  const bool gathers = step < rows.size && rows.rows;
  for (std::size_t first = 0; first < rows.size; first += step) {
    RowList tile{rows.rows ? rows.rows + first : nullptr, rows.first + first, std::min(step, rows.size - first)};
    const std::uint64_t *words = matrix.words.data();
    const std::int64_t *values = derivatives.words.data();
    std::size_t stride = n_blocks, block_step = 1;
    if (gathers) {
      auto *gathered = reinterpret_cast<std::uint64_t *>(scratch.tile.data());
      gather(matrix, derivatives, tile, gathered, scratch.tile.data() + kRowsPerTile * n_blocks);
      words = gathered;
      values = scratch.tile.data() + kRowsPerTile * n_blocks;
      tile = {nullptr, 0, tile.size};
      stride = 1;
      block_step = kRowsPerTile;
    }
    for (std::size_t block = 0; block < n_blocks; ++block)
      if (wanted[block])
        add_source(matrix.blocks[block], derivatives.scale, {words + block * block_step, stride, values, tile}, 1, histogram, scratch);
  }
}

void combine_block(const Scale &scale, const Block &block, int sign, std::int64_t *left, const std::int64_t *right) {
  const std::size_t line = words_per_line(scale), first = block.first_line * line;
  const std::size_t n = (static_cast<std::size_t>(block.n_bins) + 1) * line;
  if (sign < 0)
    for (std::size_t i = first; i < first + n; ++i) left[i] -= right[i];
  else
    for (std::size_t i = first; i < first + n; ++i) left[i] += right[i];
}

} // namespace heldout
