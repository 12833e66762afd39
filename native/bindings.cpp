// Only the files named bindings know Python. Arguments are checked by the gate in src/heldout; what is checked here
// again is only what would otherwise read or write outside an array.
#include "bindings_arrays.hpp"
#include "parallel.hpp"
#include "predict.hpp"

#include <algorithm>
#include <memory>
#include <optional>

namespace {

void check_max_bins(int max_bins) {
  if (max_bins < 1 || max_bins > heldout::kMaxBins) throw nb::value_error("max_bins must be between 1 and 254");
}

template <typename Real>
Cuts find_cut_points(const Vector<Real> &column, const std::optional<Vector<double>> &weight, int max_bins) {
  check_max_bins(max_bins);
  if (weight && weight->shape(0) != column.shape(0))
    throw nb::value_error("weight must have as many entries as column");
  std::vector<double> cuts;
  {
    nb::gil_scoped_release released;
    heldout::Strided<double> weights;
    if (weight) weights = strided(*weight);
    cuts = heldout::find_cut_points(strided(column), weight ? &weights : nullptr, max_bins);
  }
  auto data = std::make_unique<double[]>(cuts.size());
  std::copy(cuts.begin(), cuts.end(), data.get());
  return handed_over<Cuts>(std::move(data), {cuts.size()});
}

std::vector<std::vector<double>> copied(const std::vector<Vector<double>> &cut_points) {
  std::vector<std::vector<double>> all;
  for (const Vector<double> &cuts : cut_points) {
    if (cuts.shape(0) >= static_cast<std::size_t>(heldout::kMaxBins))
      throw nb::value_error("a feature can have at most 253 cut points");
    const heldout::Strided<double> source = strided(cuts);
    std::vector<double> copy(source.size);
    for (std::size_t i = 0; i < source.size; ++i) copy[i] = source[i];
    all.push_back(std::move(copy));
  }
  return all;
}

Cuts cuts_array(const std::vector<double> &cuts) {
  auto data = std::make_unique<double[]>(std::max<std::size_t>(1, cuts.size()));
  std::copy(cuts.begin(), cuts.end(), data.get());
  return handed_over<Cuts>(std::move(data), {cuts.size()});
}

// What a thread costs to start is some hundreds of cells' binning.
constexpr std::size_t kCellsWorthThreads = 100000;

int worth_threads(std::size_t n_cells, int n_threads) { return n_cells < kCellsWorthThreads ? 1 : n_threads; }

template <typename Real>
nb::list find_all_cut_points(const Matrix<Real> &matrix, const std::optional<Vector<double>> &weight, int max_bins, int n_threads) {
  check_max_bins(max_bins);
  if (weight && weight->shape(0) != matrix.shape(0)) throw nb::value_error("weight must have as many entries as rows");
  std::vector<std::vector<double>> all;
  {
    nb::gil_scoped_release released;
    heldout::Team team(worth_threads(matrix.shape(0) * matrix.shape(1), n_threads));
    heldout::Strided<double> weights;
    if (weight) weights = strided(*weight);
    all = heldout::find_all_cut_points(strided(matrix), weight ? &weights : nullptr, max_bins, team);
  }
  nb::list out;
  for (const std::vector<double> &cuts : all) out.append(cuts_array(cuts));
  return out;
}

template <typename Real> Codes bin_codes(const Matrix<Real> &matrix, const std::vector<Vector<double>> &cut_points, int n_threads) {
  const std::size_t n_rows = matrix.shape(0), n_features = matrix.shape(1);
  if (cut_points.size() != n_features) throw nb::value_error("cut_points must have one entry per feature");
  const auto cuts = copied(cut_points);
  std::unique_ptr<std::uint8_t[]> data(new std::uint8_t[std::max<std::size_t>(1, n_rows * n_features)]);
  {
    nb::gil_scoped_release released;
    heldout::Team team(worth_threads(n_rows * n_features, n_threads));
    heldout::bin_all_codes(strided(matrix), cuts, data.get(), team);
  }
  return handed_over<Codes>(std::move(data), {n_features, n_rows});
}

using Ints = nb::ndarray<const std::int32_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Longs = nb::ndarray<const std::int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Flags = nb::ndarray<const bool, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Leaves = nb::ndarray<nb::numpy, std::int32_t, nb::ndim<2>>;

void make_predictor(heldout::Predictor *self, const Longs &starts, const Ints &feature, const Column &threshold, const Ints &left,
                    const Flags &missing_left, const Column &value, std::size_t n_features, const std::vector<double> &base) {
  const std::size_t n = feature.shape(0);
  if (starts.shape(0) < 1 || starts.data()[starts.shape(0) - 1] != static_cast<std::int64_t>(n))
    throw nb::value_error("starts must end with the number of nodes");
  for (const std::size_t size : {threshold.shape(0), left.shape(0), missing_left.shape(0), value.shape(0)})
    if (size != n) throw nb::value_error("the arrays of the nodes must have one length");
  for (std::size_t t = 0; t + 1 < starts.shape(0); ++t)
    if (starts.data()[t] < 0 || starts.data()[t] >= starts.data()[t + 1]) throw nb::value_error("starts must rise from 0");
  heldout::StoredTrees trees;
  trees.n_trees = starts.shape(0) - 1;
  trees.n_features = n_features;
  trees.starts = starts.data();
  trees.feature = feature.data();
  trees.threshold = threshold.data();
  trees.left = left.data();
  trees.missing_left = missing_left.data();
  trees.value = value.data();
  new (self) heldout::Predictor(trees, base.size(), base);
}

// Few rows are not worth binning.
constexpr std::size_t kRowsWorthBinning = 8;

template <typename Real>
Scores predict(const heldout::Predictor &self, const Matrix<Real> &X, std::size_t first, std::size_t last, int n_threads,
               std::optional<Scores> onto) {
  const std::size_t n_rows = X.shape(0), n_outputs = self.n_outputs();
  if (X.shape(1) != self.n_features()) throw nb::value_error("X must have as many features as the trees were grown on");
  if (first > last || last > self.n_trees() || first % n_outputs != 0) throw nb::value_error("there are no such trees");
  if (onto && (onto->shape(0) != n_rows || onto->shape(1) != n_outputs)) throw nb::value_error("onto must have shape (n_rows, n_outputs)");
  const bool from_base = !onto;
  Scores out = onto ? *onto
                    : handed_over<Scores>(std::make_unique<double[]>(std::max<std::size_t>(1, n_rows * n_outputs)), {n_rows, n_outputs});
  const auto row_stride = static_cast<std::ptrdiff_t>(X.stride(0)), feature_stride = static_cast<std::ptrdiff_t>(X.stride(1));
  if (n_rows < kRowsWorthBinning) {
    self.predict_rows(X.data(), row_stride, feature_stride, n_rows, first, last, from_base, out.data());
    return out;
  }
  nb::gil_scoped_release released;
  heldout::Team team(n_rows >= 4096 ? n_threads : 1);
  self.predict(X.data(), row_stride, feature_stride, n_rows, first, last, from_base, out.data(), team);
  return out;
}

template <typename Real> Leaves apply(const heldout::Predictor &self, const Matrix<Real> &X, int n_threads) {
  if (X.shape(1) != self.n_features()) throw nb::value_error("X must have as many features as the trees were grown on");
  const std::size_t n_rows = X.shape(0);
  auto out = std::make_unique<std::int32_t[]>(std::max<std::size_t>(1, n_rows * self.n_trees()));
  {
    nb::gil_scoped_release released;
    heldout::Team team(n_threads);
    self.apply(X.data(), static_cast<std::ptrdiff_t>(X.stride(0)), static_cast<std::ptrdiff_t>(X.stride(1)), n_rows, out.get(), team);
  }
  return handed_over<Leaves>(std::move(out), {n_rows, self.n_trees()});
}

void bind_predictor(nb::module_ &module) {
  nb::class_<heldout::Predictor>(module, "Predictor", "Trees ready to predict.")
      .def("__init__", &make_predictor, "starts"_a, "feature"_a, "threshold"_a, "left"_a, "missing_left"_a, "value"_a, "n_features"_a, "base"_a)
      .def("predict", &predict<double>, "X"_a.noconvert(), "first"_a, "last"_a, "n_threads"_a = 1, "onto"_a.noconvert() = nb::none())
      .def("predict", &predict<float>, "X"_a.noconvert(), "first"_a, "last"_a, "n_threads"_a = 1, "onto"_a.noconvert() = nb::none())
      .def("apply", &apply<double>, "X"_a.noconvert(), "n_threads"_a = 1)
      .def("apply", &apply<float>, "X"_a.noconvert(), "n_threads"_a = 1);
}

template <typename Real> void bind_bins(nb::module_ &module) {
  module.def("find_cut_points", &find_cut_points<Real>, "column"_a.noconvert(), "weight"_a.noconvert() = nb::none(),
             "max_bins"_a = heldout::kMaxBins,
             "Strictly increasing cut points of one feature (value <= cut goes left).");
  module.def("find_all_cut_points", &find_all_cut_points<Real>, "matrix"_a.noconvert(), "weight"_a.noconvert() = nb::none(),
             "max_bins"_a = heldout::kMaxBins, "n_threads"_a = 1, "The cut points of every feature.");
  module.def("bin_codes", &bin_codes<Real>, "matrix"_a.noconvert(), "cut_points"_a, "n_threads"_a = 1,
             "Bin of every cell as uint8, shape (n_features, n_rows); 255 where missing.");
}

} // namespace

void bind_boosting(nb::module_ &module); // bindings_boosting.cpp
void bind_stages(nb::module_ &module);   // bindings_stages.cpp

NB_MODULE(_native, module) {
  nb::set_leak_warnings(false); // models in module globals live until the process ends
  module.attr("MAX_BINS") = heldout::kMaxBins;
  module.attr("MISSING") = static_cast<int>(heldout::kMissing);
  bind_boosting(module);
  bind_predictor(module);
  bind_bins<double>(module);
  bind_bins<float>(module);
  bind_stages(module);
}
