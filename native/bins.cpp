#include "bins.hpp"

#include "parallel.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace heldout {
namespace {

// All weights of a column together stay below 2^54, so that 254 times any of them fits an int64.
constexpr int kWeightBits = 54;

constexpr std::size_t kRowsPerTile = 1024;
constexpr std::size_t kFeaturesPerPass = 8; // features whose values are read from memory together

// Values as unsigned integers of the same order and width.
template <typename Real> struct KeyOf;
template <> struct KeyOf<float> {
  using type = std::uint32_t;
};
template <> struct KeyOf<double> {
  using type = std::uint64_t;
};
template <typename Real> using Key = typename KeyOf<Real>::type;

// Flip all bits of negative values, the sign of the others.
template <typename Real> Key<Real> key_of(Real value) {
  value += Real{0}; // -0.0 becomes 0.0
  Key<Real> bits;
  std::memcpy(&bits, &value, sizeof bits);
  constexpr Key<Real> sign = Key<Real>{1} << (8 * sizeof bits - 1);
  return bits & sign ? ~bits : bits | sign;
}

template <typename Real> Real value_of(Key<Real> key) {
  constexpr Key<Real> sign = Key<Real>{1} << (8 * sizeof key - 1);
  const Key<Real> bits = key & sign ? key ^ sign : ~key;
  Real value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

struct Entry {
  std::uint64_t key; // orders as the value does
  std::int64_t weight;
};

struct DistinctValue {
  double value;
  std::int64_t weight;
};

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
std::vector<Entry> shaping_rows(Strided<Real> column, const Strided<double> &weights) {
  std::vector<Entry> entries;
  entries.reserve(column.size);
  double largest = 0.0;
  for (std::size_t i = 0; i < column.size; ++i) {
    const double value = column[i];
    if (std::isnan(value) || !(weights[i] > 0.0)) continue;
    largest = std::max(largest, weights[i]);
    entries.push_back({key_of(value), 1});
  }
  if (entries.empty()) return entries;
  const int exponent = weight_exponent(largest, entries.size());
  std::size_t next = 0;
  for (std::size_t i = 0; i < column.size; ++i) {
    if (std::isnan(static_cast<double>(column[i])) || !(weights[i] > 0.0)) continue;
    const double scaled = std::nearbyint(std::ldexp(weights[i], exponent));
    entries[next++].weight = std::max<std::int64_t>(1, static_cast<std::int64_t>(scaled));
  }
  return entries;
}

template <typename Real> void append_keys(Strided<Real> column, std::vector<Key<Real>> &keys) {
  const std::size_t before = keys.size();
  keys.resize(before + column.size);
  std::size_t next = before;
  for (std::size_t i = 0; i < column.size; ++i) {
    keys[next] = key_of(column[i]);
    next += !std::isnan(column[i]);
  }
  keys.resize(next);
}

// Radix sort of things that have a key, `digit_bits` at a time; a digit that is the same in all keys is skipped (small
// integers leave most digits so). A table costs as much as some hundred rows, so few rows take smaller digits.
template <typename Thing, typename GetKey> void radix_sort(std::vector<Thing> &things, std::vector<Thing> &other, GetKey key) {
  constexpr int key_bits = 8 * sizeof(key(things[0]));
  const int digit_bits = things.size() < 1024 ? 8 : 11;
  const int n_digits = (key_bits + digit_bits - 1) / digit_bits;
  const std::size_t table_size = std::size_t{1} << digit_bits, mask = table_size - 1;
  std::vector<std::uint32_t> counts(static_cast<std::size_t>(n_digits) * table_size, 0);
  for (const Thing &thing : things)
    for (int d = 0; d < n_digits; ++d) ++counts[static_cast<std::size_t>(d) * table_size + ((key(thing) >> (d * digit_bits)) & mask)];
  other.resize(things.size());
  for (int d = 0; d < n_digits; ++d) {
    std::uint32_t *table = counts.data() + static_cast<std::size_t>(d) * table_size;
    const int shift = d * digit_bits;
    if (table[(key(things[0]) >> shift) & mask] == things.size()) continue;
    std::uint32_t start = 0;
    for (std::size_t digit = 0; digit < table_size; ++digit) {
      const std::uint32_t count = table[digit];
      table[digit] = start;
      start += count;
    }
    for (const Thing &thing : things) other[table[(key(thing) >> shift) & mask]++] = thing;
    things.swap(other);
  }
}

constexpr std::size_t kFewThings = 64;

void sort_entries(std::vector<Entry> &entries) {
  std::vector<Entry> other;
  if (entries.size() < kFewThings)
    std::sort(entries.begin(), entries.end(), [](const Entry &a, const Entry &b) { return a.key < b.key; });
  else
    radix_sort(entries, other, [](const Entry &entry) { return entry.key; });
}

template <typename Unsigned> void sort_keys(std::vector<Unsigned> &keys, std::vector<Unsigned> &other) {
  if (keys.size() < kFewThings)
    std::sort(keys.begin(), keys.end());
  else
    radix_sort(keys, other, [](Unsigned key) { return key; });
}

std::vector<DistinctValue> distinct_values(const std::vector<Entry> &sorted) {
  std::vector<DistinctValue> values;
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    if (i > 0 && sorted[i].key == sorted[i - 1].key)
      values.back().weight += sorted[i].weight;
    else
      values.push_back({value_of<double>(sorted[i].key), sorted[i].weight});
  }
  return values;
}

// Distinct values in sorted keys, each by the position of its first key: 4 bytes a value.
template <typename Real> class Runs {
public:
  explicit Runs(const std::vector<Key<Real>> &sorted) : sorted_(sorted) {
    starts_.resize(sorted.size() + 1);
    std::size_t n = 0;
    for (std::size_t i = 0; i < sorted.size(); ++i) {
      starts_[n] = static_cast<std::uint32_t>(i); // stays where the key differs from the one before
      n += i == 0 || sorted[i] != sorted[i - 1];
    }
    starts_[n] = static_cast<std::uint32_t>(sorted.size());
    starts_.resize(n + 1);
  }

  std::size_t size() const { return starts_.size() - 1; }
  DistinctValue operator[](std::size_t j) const {
    return {static_cast<double>(value_of<Real>(sorted_[starts_[j]])), static_cast<std::int64_t>(starts_[j + 1] - starts_[j])};
  }

private:
  const std::vector<Key<Real>> &sorted_;
  std::vector<std::uint32_t> starts_;
};

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
template <typename Values> Level bin_level(const Values &values, int max_bins) {
  Level level{0, max_bins};
  for (std::size_t j = 0; j < values.size(); ++j) level.rest += values[j].weight;
  for (;;) {
    Level next{0, max_bins};
    for (std::size_t j = 0; j < values.size(); ++j) {
      const std::int64_t weight = values[j].weight;
      if (weight * level.n_bins >= level.rest)
        --next.n_bins;
      else
        next.rest += weight;
    }
    if (next.n_bins == level.n_bins) return level;
    level = next;
  }
}

// Close a bin each time another full bin's weight has gone by. Weights are in units of 1 / n_bins, so that a
// bin weighs `rest`; no value weighs more than that, so no value closes two bins and none is lost.
template <typename Values> std::vector<double> quantile_cuts(const Values &values, int max_bins) {
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

template <typename Values> std::vector<double> cuts_of(const Values &values, int max_bins) {
  if (values.size() > static_cast<std::size_t>(max_bins)) return quantile_cuts(values, max_bins);
  std::vector<double> cuts;
  for (std::size_t j = 1; j < values.size(); ++j) cuts.push_back(cut_between(values[j - 1].value, values[j].value));
  return cuts;
}

} // namespace

template <typename Real>
std::vector<double> find_cut_points(Strided<Real> column, const Strided<double> *weights, int max_bins) {
  if (weights) {
    std::vector<Entry> entries = shaping_rows(column, *weights);
    sort_entries(entries);
    return cuts_of(distinct_values(entries), max_bins);
  }
  std::vector<Key<Real>> keys, other;
  append_keys(column, keys);
  sort_keys(keys, other);
  return cuts_of(Runs<Real>(keys), max_bins);
}

template <typename Real>
std::vector<std::vector<double>> find_all_cut_points(const StridedMatrix<Real> &matrix, const Strided<double> *weights, int max_bins,
                                                     Team &team) {
  std::vector<std::vector<double>> all(matrix.n_features);
  if (weights) {
    team.each(matrix.n_features, [&](std::size_t feature, int) {
      all[feature] = find_cut_points(matrix.column(feature, 0, matrix.n_rows), weights, max_bins);
    });
    return all;
  }
  const std::size_t n_groups = (matrix.n_features + kFeaturesPerPass - 1) / kFeaturesPerPass;
  team.each(n_groups, [&](std::size_t group, int) {
    const std::size_t first = group * kFeaturesPerPass, last = std::min(first + kFeaturesPerPass, matrix.n_features);
    std::vector<std::vector<Key<Real>>> keys(last - first);
    for (std::size_t tile = 0; tile < matrix.n_rows; tile += kRowsPerTile)
      for (std::size_t feature = first; feature < last; ++feature)
        append_keys(matrix.column(feature, tile, std::min(kRowsPerTile, matrix.n_rows - tile)), keys[feature - first]);
    std::vector<Key<Real>> other;
    for (std::size_t feature = first; feature < last; ++feature) {
      std::vector<Key<Real>> &own = keys[feature - first];
      sort_keys(own, other);
      all[feature] = cuts_of(Runs<Real>(own), max_bins);
      std::vector<Key<Real>>().swap(own);
    }
  });
  return all;
}

template <typename Real>
void bin_codes(Strided<Real> column, const CutSearch<Real> &search, std::uint8_t *codes) {
  for (std::size_t i = 0; i < column.size; ++i) codes[i] = search(column[i]);
}

// Row by row in memory, a whole pass per feature would fetch every cache line once per feature; a block of rows that
// fits the cache is read once.
template <typename Real>
void bin_all_codes(const StridedMatrix<Real> &matrix, const std::vector<std::vector<double>> &cut_points, std::uint8_t *codes, Team &team) {
  std::vector<CutSearch<Real>> searches(cut_points.begin(), cut_points.end());
  team.chunks(matrix.n_rows, kRowsPerTile, [&](std::size_t begin, std::size_t end, int) {
    for (std::size_t first = begin; first < end; first += kRowsPerTile)
      for (std::size_t feature = 0; feature < matrix.n_features; ++feature)
        bin_codes(matrix.column(feature, first, std::min(kRowsPerTile, end - first)), searches[feature],
                  codes + feature * matrix.n_rows + first);
  });
}

#define HELDOUT_INSTANTIATE(Real)                                                                                           \
  template std::vector<double> find_cut_points(Strided<Real>, const Strided<double> *, int);                               \
  template std::vector<std::vector<double>> find_all_cut_points(const StridedMatrix<Real> &, const Strided<double> *, int, \
                                                                Team &);                                                   \
  template void bin_codes(Strided<Real>, const CutSearch<Real> &, std::uint8_t *);                                         \
  template void bin_all_codes(const StridedMatrix<Real> &, const std::vector<std::vector<double>> &, std::uint8_t *, Team &);
HELDOUT_INSTANTIATE(float)
HELDOUT_INSTANTIATE(double)
#undef HELDOUT_INSTANTIATE

} // namespace heldout
