// Every stage of the tree engine by itself, for tests: plain arrays in, plain arrays out.
#include "arithmetic.hpp"
#include "bins.hpp"
#include "boost.hpp"
#include "counters.hpp"
#include "simd.hpp"

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>

namespace nb = nanobind;
using namespace nb::literals;

namespace {

template <typename Element> using Input = nb::ndarray<const Element, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <typename Element> using Input2 = nb::ndarray<const Element, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Floats = std::optional<Input<float>>;
using Bytes = std::optional<Input<std::uint8_t>>;
using Reals = std::optional<Input<double>>;
using RowNumbers = Input<std::uint32_t>;

// A new array that NumPy owns, and where to write its elements.
template <typename Element> class Output {
public:
  explicit Output(std::vector<std::size_t> shape) : shape_(std::move(shape)) {
    std::size_t n = 1;
    for (const std::size_t extent : shape_) n *= extent;
    data_ = std::make_unique<Element[]>(std::max<std::size_t>(n, 1));
  }
  Element *data() { return data_.get(); }
  nb::object array() {
    Element *raw = data_.get();
    nb::capsule owner(raw, [](void *p) noexcept { delete[] static_cast<Element *>(p); });
    data_.release();
    return nb::cast(nb::ndarray<nb::numpy, Element>(raw, shape_.size(), shape_.data(), owner));
  }

private:
  std::vector<std::size_t> shape_;
  std::unique_ptr<Element[]> data_;
};

template <typename Element, typename Source> nb::object copied(const Source &source) {
  Output<Element> out({source.size()});
  std::copy(source.begin(), source.end(), out.data());
  return out.array();
}

void check(bool holds, const char *message) {
  if (!holds) throw nb::value_error(message);
}

heldout::Derivatives derivatives_of(const Input<float> &gradient, const Floats &hessian, const Bytes &count) {
  const std::size_t n = gradient.shape(0);
  check((!hessian || hessian->shape(0) == n) && (!count || count->shape(0) == n), "one hessian and one count per gradient");
  return {gradient.data(), hessian ? hessian->data() : nullptr, count ? count->data() : nullptr, n};
}

heldout::FormatRule format_rule(int forced, std::optional<std::size_t> narrow_limit, std::optional<int> most_flushed_bits) {
  heldout::FormatRule rule;
  rule.forced = forced;
  if (narrow_limit) rule.narrow_limit = *narrow_limit;
  if (most_flushed_bits) rule.most_flushed_bits = *most_flushed_bits;
  return rule;
}

nb::dict as_dict(const heldout::Quantised &quantised) {
  static constexpr const char *names[] = {"unit", "narrow", "flushed", "wide"};
  nb::dict out;
  out["format"] = names[static_cast<int>(quantised.scale.format)];
  out["gradient_exponent"] = quantised.scale.gradient_exponent;
  out["hessian_exponent"] = quantised.scale.hessian_exponent;
  out["count_bits"] = quantised.scale.count_bits;
  out["rows_per_flush"] = quantised.scale.rows_per_flush;
  out["all_bits"] = quantised.scale.all_bits;
  out["fine_gradient_exponent"] = quantised.fine_gradient_exponent;
  out["fine_hessian_exponent"] = quantised.fine_hessian_exponent;
  out["total"] = nb::make_tuple(quantised.total.gradient, quantised.total.hessian, quantised.total.count);
  out["words"] = copied<std::int64_t>(quantised.words);
  return out;
}

nb::dict quantise(const Input<float> &gradient, const Floats &hessian, const Bytes &count, int forced,
                  std::optional<std::size_t> narrow_limit, std::optional<int> most_flushed_bits, int n_threads) {
  heldout::Team team(n_threads);
  heldout::Quantised quantised;
  heldout::quantise(derivatives_of(gradient, hessian, count), format_rule(forced, narrow_limit, most_flushed_bits), team, quantised);
  return as_dict(quantised);
}

using Histogram = heldout::Words;

// Rows with their bins and derivatives: what histograms, splits and trees are made from.
class Table {
public:
  Table(Input2<std::uint8_t> codes, std::vector<int> n_bins, const Input<float> &gradient, const Floats &hessian, Bytes count,
        int forced, std::optional<std::size_t> narrow_limit, std::optional<int> most_flushed_bits)
      : codes_(std::move(codes)), count_(std::move(count)) {
    const std::size_t n_features = codes_.shape(0), n_rows = codes_.shape(1);
    check(n_bins.size() == n_features && gradient.shape(0) == n_rows, "one number of bins per feature, one gradient per row");
    for (std::size_t feature = 0; feature < n_features; ++feature) {
      check(n_bins[feature] >= 1 && n_bins[feature] <= heldout::kMaxBins, "a feature has from 1 to 254 bins");
      for (std::size_t row = 0; row < n_rows; ++row) {
        const std::uint8_t code = codes_.data()[feature * n_rows + row];
        check(code < n_bins[feature] || code == heldout::kMissing, "a code lies beyond its feature's bins");
      }
    }
    heldout::Team team(1);
    const heldout::Derivatives derivatives = derivatives_of(gradient, hessian, count_);
    heldout::quantise(derivatives, format_rule(forced, narrow_limit, most_flushed_bits), team, quantised_);
    matrix_ = heldout::make_blocks(codes_.data(), n_rows, n_bins, team);
    n_bins_ = std::move(n_bins);
  }

  nb::dict quantised() const { return as_dict(quantised_); }

  nb::list histogram(const RowNumbers &rows) const { return decoded(built(rows)); }

  // The histogram of `rows` without `taken`: row by row, or by subtraction of their histogram.
  nb::list less_rows(const RowNumbers &rows, const RowNumbers &taken) const {
    Histogram all = built(rows);
    heldout::HistogramScratch scratch(matrix_);
    for (std::size_t block = 0; block < matrix_.n_blocks(); ++block)
      heldout::add_rows(matrix_, block, quantised_, listed(taken), -1, all.data(), scratch);
    return decoded(std::move(all));
  }

  nb::list combined(const RowNumbers &rows, const RowNumbers &others, int sign) const {
    Histogram all = built(rows), part = built(others);
    for (const heldout::Block &block : matrix_.blocks) heldout::combine_block(quantised_.scale, block, sign, all.data(), part.data());
    return decoded(std::move(all));
  }

  // The best split of each feature and of all. path: "plain", "avx2", or "few" (straight from the rows). Where `taken` is
  // given, its histogram is taken from that of `rows` by the scan itself.
  nb::dict scan(const RowNumbers &rows, const std::string &path, double l2, std::int64_t least, double least_hessian,
                const std::optional<RowNumbers> &taken) const {
    const heldout::BlockScan function = scan_of(path);
    heldout::Sums total = sums_of(rows);
    if (taken) total = minus(total, sums_of(*taken));
    const heldout::SplitRule rule = heldout::make_rule(quantised_.scale, total, l2, least, least_hessian);
    Histogram histogram = built(rows), less = taken ? built(*taken) : Histogram();
    Histogram few(2 * heldout::kMostLines * heldout::kLanes);
    std::fill_n(few.data(), 2 * heldout::kMostLines * heldout::kLanes, 0);
    const std::size_t line = heldout::words_per_line(quantised_.scale);
    Output<float> score({n_bins_.size()});
    Output<std::int32_t> bin({n_bins_.size()});
    Output<bool> missing_left({n_bins_.size()});
    heldout::Split best;
    for (std::size_t b = 0; b < matrix_.n_blocks(); ++b) {
      const heldout::Block &block = matrix_.blocks[b];
      const std::size_t first = block.first_line * line;
      heldout::LaneBests found;
      if (function)
        function(quantised_.scale, histogram.data() + first, taken ? less.data() + first : nullptr, block.n_bins, rule, found);
      else
        heldout::scan_few_rows(matrix_, b, quantised_, listed(rows), rule, few.data(), found);
      for (int lane = 0; lane < block.n_lanes; ++lane) {
        score.data()[block.feature[lane]] = found.score[lane];
        bin.data()[block.feature[lane]] = found.bin[lane];
        missing_left.data()[block.feature[lane]] = found.missing_left[lane] != 0;
      }
      heldout::keep_better(block, found, nullptr, best);
    }
    if (best.feature >= 0) {
      if (!function && taken) throw nb::value_error("few rows are scanned without a subtraction");
      heldout::finish_split(rule, heldout::left_sums(matrix_, quantised_.scale, histogram.data(), best), best);
    }
    const bool clean = std::all_of(few.data(), few.data() + 2 * heldout::kMostLines * heldout::kLanes, [](std::int64_t word) { return word == 0; });
    check(clean, "the table of few rows was not left all zero");
    nb::dict out;
    out["score"] = score.array();
    out["bin"] = bin.array();
    out["missing_left"] = missing_left.array();
    out["best"] = nb::make_tuple(best.feature, best.bin, best.missing_left, best.score, best.gain);
    out["left"] = nb::make_tuple(best.left.gradient, best.left.hessian, best.left.count);
    return out;
  }

  nb::dict grow(const nb::dict &growth, int n_threads, const std::optional<Input<bool>> &allowed) const {
    heldout::GrowthRule rule;
    std::size_t n_read = 0;
    const auto read = [&](const char *name, auto &value) {
      if (!growth.contains(name)) return;
      value = nb::cast<std::remove_reference_t<decltype(value)>>(growth[name]);
      ++n_read;
    };
    read("max_leaves", rule.max_leaves);
    read("least", rule.least);
    read("l2", rule.l2);
    double least_hessian = 0.0;
    read("least_hessian", least_hessian);
    read("few_rows", rule.few_rows);
    read("together_rows", rule.together_rows);
    read("shared_rows", rule.shared_rows);
    read("pool_bytes", rule.pool_bytes);
    check(n_read == growth.size(), "growth has a key that no rule has");
    check(!allowed || allowed->shape(0) == n_bins_.size(), "allowed must have one entry per feature");
    std::vector<char> may;
    if (allowed) may.assign(allowed->data(), allowed->data() + allowed->shape(0));
    heldout::Team team(n_threads);
    heldout::Grower grower(matrix_, rule, team);
    heldout::Tree tree;
    grower.grow(quantised_, {count_ ? count_->data() : nullptr}, least_hessian, allowed ? &may : nullptr, tree);
    nb::dict out;
    out["feature"] = copied<std::int32_t>(tree.feature);
    out["bin"] = copied<std::int32_t>(tree.bin);
    out["left"] = copied<std::int32_t>(tree.left);
    out["missing_left"] = copied<bool>(tree.missing_left);
    out["gain"] = copied<double>(tree.gain);
    out["count"] = copied<std::int64_t>(tree.count);
    nb::list leaves;
    for (const heldout::LeafRange &leaf : grower.leaves()) {
      Output<std::uint32_t> rows({leaf.size});
      std::copy_n(grower.rows() + leaf.first, leaf.size, rows.data());
      leaves.append(nb::make_tuple(leaf.node, leaf.sums.gradient, leaf.sums.hessian, leaf.sums.count, rows.array()));
    }
    out["leaves"] = leaves;
    return out;
  }

private:
  static heldout::Sums minus(const heldout::Sums &all, const heldout::Sums &part) {
    return {all.gradient - part.gradient, all.hessian - part.hessian, all.count - part.count};
  }

  static heldout::BlockScan scan_of(const std::string &path) {
    if (path == "plain") return &heldout::scan_block_plain;
    if (path == "few") return nullptr;
#ifdef HELDOUT_AVX2
    if (path == "avx2" && __builtin_cpu_supports("avx2")) return &heldout::scan_block_avx2;
#endif
    throw nb::value_error("no such path on this processor");
  }

  heldout::RowList listed(const RowNumbers &rows) const {
    for (std::size_t i = 0; i < rows.shape(0); ++i) check(rows.data()[i] < matrix_.n_rows, "there is no such row");
    return {rows.data(), 0, rows.shape(0)};
  }

  heldout::Sums sums_of(const RowNumbers &rows) const {
    heldout::Sums sums;
    for (std::size_t i = 0; i < rows.shape(0); ++i) {
      const heldout::Sums one = heldout::sums_of_row(quantised_, rows.data()[i]);
      sums = {sums.gradient + one.gradient, sums.hessian + one.hessian, sums.count + one.count};
    }
    return sums;
  }

  Histogram built(const RowNumbers &rows) const {
    const heldout::RowList list = listed(rows);
    Histogram out(matrix_.n_lines() * 2 * heldout::kLanes);
    heldout::HistogramScratch scratch(matrix_);
    for (std::size_t block = 0; block < matrix_.n_blocks(); ++block) {
      heldout::clear_block(quantised_.scale, matrix_.blocks[block], out.data());
      heldout::add_rows(matrix_, block, quantised_, list, 1, out.data(), scratch);
    }
    return out;
  }

  // Per feature (n_bins + 1, 3): gradient, hessian, count of each bin, those of missing cells last.
  nb::list decoded(Histogram histogram) const {
    const std::size_t line = heldout::words_per_line(quantised_.scale);
    std::vector<nb::object> arrays(n_bins_.size());
    for (const heldout::Block &block : matrix_.blocks)
      for (int lane = 0; lane < block.n_lanes; ++lane) {
        const auto feature = static_cast<std::size_t>(block.feature[lane]);
        const auto n = static_cast<std::size_t>(n_bins_[feature]);
        Output<std::int64_t> sums({n + 1, 3});
        for (std::size_t bin = 0; bin <= n; ++bin) {
          const std::size_t at = block.first_line + (bin < n ? bin : static_cast<std::size_t>(block.n_bins));
          const heldout::Sums one = heldout::unpack(quantised_.scale, histogram.data() + at * line + lane, heldout::kLanes);
          std::int64_t *to = sums.data() + 3 * bin;
          to[0] = one.gradient;
          to[1] = one.hessian;
          to[2] = one.count;
        }
        arrays[feature] = sums.array();
      }
    nb::list out;
    for (const nb::object &array : arrays) out.append(array);
    return out;
  }

  Input2<std::uint8_t> codes_;
  Bytes count_;
  std::vector<int> n_bins_;
  heldout::Quantised quantised_;
  heldout::BinnedRows matrix_;
};

// n_threads 0: without a team.
nb::tuple partition(const Input<std::uint8_t> &codes, int bin, bool missing_left, const RowNumbers &rows, int n_threads) {
  const std::size_t n = rows.shape(0);
  for (std::size_t i = 0; i < n; ++i) check(rows.data()[i] < codes.shape(0), "there is no such row");
  Output<std::uint32_t> out({n});
  std::copy_n(rows.data(), n, out.data());
  std::vector<std::uint32_t> scratch(n);
  const heldout::Direction direction(bin, missing_left);
  std::size_t n_left;
  if (n_threads == 0) {
    n_left = heldout::partition_rows(codes.data(), direction, out.data(), n, scratch.data());
  } else {
    heldout::Team team(n_threads);
    n_left = heldout::partition_rows(codes.data(), direction, out.data(), n, scratch.data(), team);
  }
  return nb::make_tuple(out.array(), n_left);
}

// Gradients and hessians of each output; the hessian is 1 where a loss leaves it out.
nb::tuple differentiate(int loss, const Input<double> &target, const Reals &weight, const Input2<double> &scores, int exponent,
                        int n_threads) {
  const std::size_t n_outputs = scores.shape(0), n = scores.shape(1);
  check(loss >= 0 && loss <= 2 && target.shape(0) == n && (!weight || weight->shape(0) == n), "a loss from 0 to 2, one target per row");
  heldout::Targets targets;
  targets.loss = static_cast<heldout::Loss>(loss);
  targets.n_rows = n;
  targets.n_outputs = static_cast<int>(n_outputs);
  targets.target = target.data();
  targets.weight = weight ? weight->data() : nullptr;
  targets.exponent = exponent;
  heldout::Team team(n_threads);
  std::vector<double> normalisers;
  if (targets.loss == heldout::Loss::softmax) heldout::log_normalisers(scores.data(), n, targets.n_outputs, team, normalisers);
  Output<float> gradient({n_outputs, n}), hessian({n_outputs, n});
  std::fill_n(hessian.data(), n_outputs * n, 1.0f);
  for (std::size_t k = 0; k < n_outputs; ++k)
    heldout::differentiate(targets, static_cast<int>(k), scores.data() + k * n, normalisers.data(), team, gradient.data() + k * n,
                           hessian.data() + k * n);
  return nb::make_tuple(gradient.array(), hessian.array());
}

template <double (*function)(double)> nb::object of_each(const Input<double> &x) {
  Output<double> out({x.shape(0)});
  std::transform(x.data(), x.data() + x.shape(0), out.data(), function);
  return out.array();
}

// Where a cell lies behind the first one, in bytes, of matrices that need not be there.
std::int64_t column_offset(std::int64_t row_stride, std::int64_t feature_stride, std::size_t feature, std::size_t row) {
  const auto *start = reinterpret_cast<const float *>(std::uintptr_t{1} << 20);
  const heldout::StridedMatrix<float> matrix{start, static_cast<std::ptrdiff_t>(row_stride), static_cast<std::ptrdiff_t>(feature_stride), 0, 0};
  const auto at = reinterpret_cast<std::uintptr_t>(matrix.column(feature, row, 1).data);
  return static_cast<std::int64_t>(at - reinterpret_cast<std::uintptr_t>(start));
}

std::int64_t code_offset(std::size_t n_rows, int feature) {
  heldout::BinnedRows matrix;
  matrix.n_rows = n_rows;
  matrix.codes = reinterpret_cast<const std::uint8_t *>(std::uintptr_t{1} << 20);
  return static_cast<std::int64_t>(reinterpret_cast<std::uintptr_t>(matrix.column(feature)) - (std::uintptr_t{1} << 20));
}

nb::object path_counts() {
#ifdef HELDOUT_COUNT_PATHS
  static constexpr const char *names[] = {"parallel_histogram", "parallel_partition", "flush", "eviction", "recompute",
                                          "small_node", "missing_left", "missing_right", "apart", "two_words",
                                          "listed_bag", "replicas_apart", "replica_together", "refit"};
  static_assert(sizeof names / sizeof *names == static_cast<std::size_t>(heldout::Path::count_), "one name per path");
  nb::dict out;
  for (std::size_t path = 0; path < static_cast<std::size_t>(heldout::Path::count_); ++path)
    out[names[path]] = heldout::path_counters[path].load();
  return out;
#else
  return nb::none();
#endif
}

void reset_path_counts() {
#ifdef HELDOUT_COUNT_PATHS
  for (auto &counter : heldout::path_counters) counter = 0;
#endif
}

} // namespace

void bind_stages(nb::module_ &module) {
  nb::module_ stages = module.def_submodule("stages", "The stages of the tree engine, each by itself, for tests.");
  stages.def("quantise", &quantise, "gradient"_a, "hessian"_a.none() = nb::none(), "count"_a.none() = nb::none(), "forced"_a = -1,
             "narrow_limit"_a = nb::none(), "most_flushed_bits"_a = nb::none(), "n_threads"_a = 1);
  nb::class_<Table>(stages, "Table")
      .def(nb::init<Input2<std::uint8_t>, std::vector<int>, const Input<float> &, const Floats &, Bytes, int,
                    std::optional<std::size_t>, std::optional<int>>(),
           "codes"_a, "n_bins"_a, "gradient"_a, "hessian"_a.none() = nb::none(), "count"_a.none() = nb::none(), "forced"_a = -1,
           "narrow_limit"_a = nb::none(), "most_flushed_bits"_a = nb::none())
      .def("quantised", &Table::quantised)
      .def("histogram", &Table::histogram, "rows"_a)
      .def("less_rows", &Table::less_rows, "rows"_a, "taken"_a)
      .def("combined", &Table::combined, "rows"_a, "others"_a, "sign"_a)
      .def("scan", &Table::scan, "rows"_a, "path"_a, "l2"_a = 0.0, "least"_a = 1, "least_hessian"_a = 0.0, "taken"_a.none() = nb::none())
      .def("grow", &Table::grow, "growth"_a, "n_threads"_a = 1, "allowed"_a.none() = nb::none());
  stages.def("partition", &partition, "codes"_a, "bin"_a, "missing_left"_a, "rows"_a, "n_threads"_a = 0);
  stages.def("differentiate", &differentiate, "loss"_a, "target"_a, "weight"_a.none(), "scores"_a, "exponent"_a = 0, "n_threads"_a = 1);
  stages.def("exponential", &of_each<&heldout::exponential>, "x"_a);
  stages.def("natural_logarithm", &of_each<&heldout::natural_logarithm>, "x"_a);
  stages.def("choose_features",
             [](std::size_t n_features, double share, std::uint64_t seed, std::uint64_t tree) {
               return copied<bool>(heldout::choose_features(n_features, share, seed, tree));
             },
             "n_features"_a, "share"_a, "seed"_a, "tree"_a);
  stages.def("column_offset", &column_offset, "row_stride"_a, "feature_stride"_a, "feature"_a, "row"_a);
  stages.def("code_offset", &code_offset, "n_rows"_a, "feature"_a);
  stages.def("path_counts", &path_counts);
  stages.def("reset_path_counts", &reset_path_counts);
}
