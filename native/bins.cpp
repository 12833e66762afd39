#include "bins.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>

namespace heldout {
namespace {

// All weights of a column together stay below 2^54, so that 254 times any of them fits an int64.
constexpr int kWeightBits = 54;

struct Entry {
  std::uint64_t key; // orders as the value does
  std::int64_t weight;
};

struct DistinctValue {
  double value;
  std::int64_t weight;
};

// Doubles as unsigned integers of the same order: flip all bits of negative ones, the sign of the others.
std::uint64_t key_of(double value) {
  value += 0.0; // -0.0 becomes 0.0
  std::uint64_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits >> 63 ? ~bits : bits | (std::uint64_t{1} << 63);
}

double value_of(std::uint64_t key) {
  const std::uint64_t bits = key >> 63 ? key ^ (std::uint64_t{1} << 63) : ~key;
  double value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

// The power of two that weights are multiplied by before rounding. It depends on the largest weight and the
// number of rows only, hence not on their order; integer weights stay exact while count * largest < 2^54.
int weight_exponent(double largest, std::size_t count) {
  int largest_bits = 0;
  std::frexp(largest, &largest_bits); // largest < 2^largest_bits
  int count_bits = 0;
  while (count >> count_bits) ++count_bits; // count < 2^count_bits
  return kWeightBits - largest_bits - count_bits;
}

// The rows that shape cuts: neither missing nor of weight 0. A positive weight never rounds to 0.
template <typename Real>
std::vector<Entry> shaping_rows(Strided<Real> column, const Strided<double> *weights) {
  std::vector<Entry> entries;
  entries.reserve(column.size);
  double largest = 0.0;
  for (std::size_t i = 0; i < column.size; ++i) {
    const double value = column[i];
    const double weight = weights ? (*weights)[i] : 1.0;
    if (std::isnan(value) || !(weight > 0.0)) continue;
    largest = std::max(largest, weight);
    entries.push_back({key_of(value), 1});
  }
  if (!weights || entries.empty()) return entries;
  const int exponent = weight_exponent(largest, entries.size());
  std::size_t next = 0;
  for (std::size_t i = 0; i < column.size; ++i) {
    const double weight = (*weights)[i];
    if (std::isnan(static_cast<double>(column[i])) || !(weight > 0.0)) continue;
    const double scaled = std::nearbyint(std::ldexp(weight, exponent));
    entries[next++].weight = std::max<std::int64_t>(1, static_cast<std::int64_t>(scaled));
  }
  return entries;
}

// Radix sort, 11 bits at a time; a digit that is the same in all keys is skipped (float32 and small integers
// leave most of the low digits zero). Small columns are not worth the tables.
void sort_by_key(std::vector<Entry> &entries) {
  if (entries.size() < 4096) {
    std::sort(entries.begin(), entries.end(), [](const Entry &a, const Entry &b) { return a.key < b.key; });
    return;
  }
  constexpr int kDigitBits = 11, kDigits = 6;
  constexpr std::size_t kTable = std::size_t{1} << kDigitBits;
  std::vector<std::size_t> counts(kDigits * kTable, 0);
  for (const Entry &entry : entries)
    for (int d = 0; d < kDigits; ++d) ++counts[d * kTable + (entry.key >> (d * kDigitBits)) % kTable];
  std::vector<Entry> other(entries.size());
  for (int d = 0; d < kDigits; ++d) {
    std::size_t *table = counts.data() + d * kTable;
    if (table[(entries[0].key >> (d * kDigitBits)) % kTable] == entries.size()) continue;
    std::size_t start = 0;
    for (std::size_t digit = 0; digit < kTable; ++digit) {
      const std::size_t count = table[digit];
      table[digit] = start;
      start += count;
    }
    for (const Entry &entry : entries) other[table[(entry.key >> (d * kDigitBits)) % kTable]++] = entry;
    entries.swap(other);
  }
}

std::vector<DistinctValue> distinct_values(const std::vector<Entry> &sorted) {
  std::vector<DistinctValue> values;
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    if (i > 0 && sorted[i].key == sorted[i - 1].key)
      values.back().weight += sorted[i].weight;
    else
      values.push_back({value_of(sorted[i].key), sorted[i].weight});
  }
  return values;
}

// lower <= result < upper. An infinity counts as the largest double; the sum of two large doubles is halved
// before it overflows, which is exact for them.
double cut_between(double lower, double upper) {
  constexpr double kLargest = std::numeric_limits<double>::max();
  const double a = std::max(lower, -kLargest), b = std::min(upper, kLargest);
  double middle = (a + b) / 2;
  if (std::isinf(middle)) middle = a / 2 + b / 2;
  middle += 0.0; // never -0.0
  return middle < upper ? middle : lower; // rounding is monotone: never below lower
}

// What a bin weighs when a value heavier than a bin counts as one full bin: `rest` spread over `n_bins`.
struct Level {
  std::int64_t rest;
  std::int64_t n_bins;
};

// Setting heavy values aside makes the other bins lighter, which may make more values heavy: repeat.
Level bin_level(const std::vector<DistinctValue> &values, int max_bins) {
  Level level{0, max_bins};
  for (const DistinctValue &value : values) level.rest += value.weight;
  for (;;) {
    Level next{0, max_bins};
    for (const DistinctValue &value : values) {
      if (value.weight * level.n_bins >= level.rest)
        --next.n_bins;
      else
        next.rest += value.weight;
    }
    if (next.n_bins == level.n_bins) return level;
    level = next;
  }
}

// Close a bin each time another full bin's weight has gone by. Weights are in units of 1 / n_bins, so that a
// bin weighs `rest`; no value weighs more than that, so no value closes two bins and none is lost.
std::vector<double> quantile_cuts(const std::vector<DistinctValue> &values, int max_bins) {
  const Level level = bin_level(values, max_bins);
  std::vector<double> cuts;
  std::int64_t filled = 0;
  for (std::size_t j = 0; j + 1 < values.size(); ++j) {
    filled += std::min(values[j].weight * level.n_bins, level.rest);
    if (filled >= level.rest) {
      filled -= level.rest;
      cuts.push_back(cut_between(values[j].value, values[j + 1].value));
    }
  }
  return cuts;
}

} // namespace

template <typename Real>
std::vector<double> find_cut_points(Strided<Real> column, const Strided<double> *weights, int max_bins) {
  std::vector<Entry> entries = shaping_rows(column, weights);
  sort_by_key(entries);
  const std::vector<DistinctValue> values = distinct_values(entries);
  if (values.size() > static_cast<std::size_t>(max_bins)) return quantile_cuts(values, max_bins);
  std::vector<double> cuts;
  for (std::size_t j = 1; j < values.size(); ++j)
    cuts.push_back(cut_between(values[j - 1].value, values[j].value));
  return cuts;
}

template <typename Real>
void bin_codes(Strided<Real> column, const std::vector<double> &cut_points, std::uint8_t *codes) {
  // Padded with +inf, which is below nothing, the search takes the same steps for every value: no branch to
  // mispredict. `step` is the smallest power of two with 2 * step > number of cuts.
  std::array<double, 256> cuts;
  cuts.fill(std::numeric_limits<double>::infinity());
  std::copy(cut_points.begin(), cut_points.end(), cuts.begin());
  std::size_t first_step = 1;
  while (2 * first_step <= cut_points.size()) first_step *= 2;
  for (std::size_t i = 0; i < column.size; ++i) {
    const double value = column[i];
    std::size_t below = 0;
    for (std::size_t step = first_step; step > 0; step /= 2)
      below += cuts[below + step - 1] < value ? step : 0;
    codes[i] = std::isnan(value) ? kMissing : static_cast<std::uint8_t>(below);
  }
}

template std::vector<double> find_cut_points(Strided<float>, const Strided<double> *, int);
template std::vector<double> find_cut_points(Strided<double>, const Strided<double> *, int);
template void bin_codes(Strided<float>, const std::vector<double> &, std::uint8_t *);
template void bin_codes(Strided<double>, const std::vector<double> &, std::uint8_t *);

} // namespace heldout
