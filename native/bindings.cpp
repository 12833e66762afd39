// The only file that knows Python. Arguments are checked by the gate in src/heldout; what is checked here
// again is only what would otherwise read or write outside an array.
#include "bins.hpp"
#include "boost.hpp"
#include "predict.hpp"

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

namespace nb = nanobind;
using namespace nb::literals;

namespace {

template <typename Real> using Vector = nb::ndarray<const Real, nb::ndim<1>, nb::device::cpu>;
template <typename Real> using Matrix = nb::ndarray<const Real, nb::ndim<2>, nb::device::cpu>;
using Cuts = nb::ndarray<nb::numpy, double, nb::ndim<1>>;
using Codes = nb::ndarray<nb::numpy, std::uint8_t, nb::ndim<2>>;

template <typename Real> heldout::Strided<Real> strided(const Vector<Real> &vector) {
  return {vector.data(), static_cast<std::ptrdiff_t>(vector.stride(0)), vector.shape(0)};
}

// Hands memory to NumPy, which frees it with the array.
template <typename Array, typename Element>
Array handed_over(std::unique_ptr<Element[]> data, std::initializer_list<std::size_t> shape) {
  Element *raw = data.get();
  nb::capsule owner(raw, [](void *p) noexcept { delete[] static_cast<Element *>(p); });
  data.release();
  return Array(raw, shape, owner);
}

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

template <typename Real> heldout::StridedMatrix<Real> strided(const Matrix<Real> &matrix) {
  return {matrix.data(), static_cast<std::ptrdiff_t>(matrix.stride(0)), static_cast<std::ptrdiff_t>(matrix.stride(1)), matrix.shape(0),
          matrix.shape(1)};
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

using Column = nb::ndarray<const double, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Scores = nb::ndarray<nb::numpy, double, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using CodeMatrix = nb::ndarray<const std::uint8_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Counts = nb::ndarray<const std::uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

template <typename Element, typename Source, typename Get>
nb::ndarray<nb::numpy, Element, nb::ndim<1>> flattened(const std::vector<heldout::Tree> &trees, std::size_t n, Get get) {
  auto data = std::make_unique<Element[]>(n);
  std::size_t at = 0;
  for (const heldout::Tree &tree : trees)
    for (const Source value : get(tree)) data[at++] = static_cast<Element>(value);
  return handed_over<nb::ndarray<nb::numpy, Element, nb::ndim<1>>>(std::move(data), {n});
}

nb::dict flat_trees(const std::vector<heldout::Tree> &trees) {
  std::size_t n = 0;
  auto starts = std::make_unique<std::int64_t[]>(trees.size() + 1);
  starts[0] = 0;
  for (std::size_t t = 0; t < trees.size(); ++t) starts[t + 1] = static_cast<std::int64_t>(n += trees[t].n_nodes());
  nb::dict out;
  using T = heldout::Tree;
  out["starts"] = handed_over<nb::ndarray<nb::numpy, std::int64_t, nb::ndim<1>>>(std::move(starts), {trees.size() + 1});
  out["feature"] = flattened<std::int32_t, std::int32_t>(trees, n, [](const T &t) -> auto & { return t.feature; });
  out["bin"] = flattened<std::int32_t, std::int32_t>(trees, n, [](const T &t) -> auto & { return t.bin; });
  out["left"] = flattened<std::int32_t, std::int32_t>(trees, n, [](const T &t) -> auto & { return t.left; });
  out["missing_left"] = flattened<bool, std::uint8_t>(trees, n, [](const T &t) -> auto & { return t.missing_left; });
  out["gain"] = flattened<double, double>(trees, n, [](const T &t) -> auto & { return t.gain; });
  out["value"] = flattened<double, double>(trees, n, [](const T &t) -> auto & { return t.value; });
  out["count"] = flattened<std::int64_t, std::int64_t>(trees, n, [](const T &t) -> auto & { return t.count; });
  return out;
}

// What a fit is told in numbers, from a dict: every key must be there, and no other may be.
class Settings {
public:
  explicit Settings(const nb::dict &dict) : dict_(dict) {}
  template <typename T> T get(const char *name) const {
    if (!dict_.contains(name)) throw nb::value_error((std::string("settings lack ") + name).c_str());
    return nb::cast<T>(dict_[name]);
  }
  template <typename T> void override_with(const char *name, T &value) const {
    if (dict_.contains(name)) value = nb::cast<T>(dict_[name]);
  }

private:
  const nb::dict &dict_;
};

heldout::BoostingRule boosting_rule(const Settings &settings) {
  heldout::BoostingRule rule;
  rule.n_rounds = settings.get<int>("n_rounds");
  rule.first_round = settings.get<int>("first_round");
  rule.learning_rate = settings.get<double>("learning_rate");
  rule.max_features = settings.get<double>("max_features");
  rule.seed = settings.get<std::uint64_t>("seed");
  rule.growth.max_leaves = settings.get<int>("max_leaves");
  rule.growth.least = settings.get<std::int64_t>("least_count");
  rule.growth.l2 = settings.get<double>("l2");
  rule.growth.least_hessian = settings.get<double>("least_hessian");
  settings.override_with("few_rows", rule.growth.few_rows);
  settings.override_with("together_rows", rule.growth.together_rows);
  settings.override_with("shared_rows", rule.growth.shared_rows);
  settings.override_with("pool_bytes", rule.growth.pool_bytes);
  settings.override_with("narrow_limit", rule.format.narrow_limit);
  settings.override_with("most_flushed_bits", rule.format.most_flushed_bits);
  settings.override_with("forced_format", rule.format.forced);
  return rule;
}

void check_rows(std::size_t n_rows, std::size_t came, const char *what) {
  if (came != n_rows) throw nb::value_error((std::string(what) + " must have one entry per row").c_str());
}

heldout::Targets targets_of(int loss, std::size_t n_rows, std::size_t n_outputs, const Column &target, const std::optional<Column> &weight) {
  if (loss < 0 || loss > 2) throw nb::value_error("loss must be 0, 1 or 2");
  check_rows(n_rows, target.shape(0), "target");
  if (weight) check_rows(n_rows, weight->shape(0), "weight");
  heldout::Targets targets;
  targets.loss = static_cast<heldout::Loss>(loss);
  targets.n_rows = n_rows;
  targets.n_outputs = static_cast<int>(n_outputs);
  targets.target = target.data();
  targets.weight = weight ? weight->data() : nullptr;
  if (targets.loss == heldout::Loss::softmax)
    for (std::size_t row = 0; row < n_rows; ++row)
      if (!(target.data()[row] >= 0 && target.data()[row] < static_cast<double>(n_outputs)))
        throw nb::value_error("a softmax target must be a class number");
  return targets;
}

// Asks Python whether the user wants to stop, and the callback if there is one; seldom where rounds are short.
class BetweenRounds {
public:
  explicit BetweenRounds(nb::object callback) : callback_(std::move(callback)), last_(std::chrono::steady_clock::now()) {}
  bool operator()(int round, const heldout::Boosted &so_far) {
    const auto now = std::chrono::steady_clock::now();
    if (callback_.is_none() && now - last_ < std::chrono::milliseconds(50)) return false;
    last_ = now;
    nb::gil_scoped_acquire held;
    if (PyErr_CheckSignals() != 0) throw nb::python_error();
    if (callback_.is_none()) return false;
    const auto &losses = so_far.validation_losses;
    const nb::object answer = callback_(round, losses.empty() ? nb::none() : nb::object(nb::float_(losses.back())));
    return nb::cast<bool>(nb::bool_(answer));
  }

private:
  nb::object callback_;
  std::chrono::steady_clock::time_point last_;
};

nb::dict boost(const CodeMatrix &codes, const std::vector<int> &n_bins, const Column &target, const std::optional<Column> &weight,
               const std::optional<Counts> &count, Scores scores, int loss, const nb::dict &settings, int n_threads,
               const std::optional<CodeMatrix> &validation_codes, const std::optional<Column> &validation_target,
               const std::optional<Column> &validation_weight, const std::optional<Scores> &validation_scores, int patience,
               nb::object callback) {
  const std::size_t n_features = codes.shape(0), n_rows = codes.shape(1), n_outputs = scores.shape(0);
  if (n_bins.size() != n_features) throw nb::value_error("n_bins must have one entry per feature");
  if (n_rows == 0 || n_rows >= (std::size_t{1} << 31)) throw nb::value_error("there must be from 1 to 2^31 - 1 rows");
  for (const int bins : n_bins)
    if (bins < 1 || bins > heldout::kMaxBins) throw nb::value_error("a feature must have from 1 to 254 bins");
  check_rows(n_rows, scores.shape(1), "scores");
  if (count) check_rows(n_rows, count->shape(0), "count");
  for (std::size_t feature = 0; feature < n_features; ++feature)
    for (std::size_t row = 0; row < n_rows; ++row) {
      const std::uint8_t code = codes.data()[feature * n_rows + row];
      if (code >= n_bins[feature] && code != heldout::kMissing) throw nb::value_error("a code lies beyond its feature's bins");
    }
  const heldout::BoostingRule rule = boosting_rule(Settings(settings));
  heldout::Targets targets = targets_of(loss, n_rows, n_outputs, target, weight);
  heldout::Validation validation;
  if (validation_codes) {
    if (!validation_target || !validation_scores) throw nb::value_error("validation rows need codes, targets and scores");
    const std::size_t n = validation_codes->shape(1);
    if (validation_codes->shape(0) != n_features || validation_scores->shape(0) != n_outputs || validation_scores->shape(1) != n)
      throw nb::value_error("validation rows must have the shape of the others");
    validation.codes = validation_codes->data();
    validation.targets = targets_of(loss, n, n_outputs, *validation_target, validation_weight);
    validation.scores = validation_scores->data();
    validation.patience = patience;
  }
  BetweenRounds between(std::move(callback));
  heldout::Boosted boosted;
  {
    nb::gil_scoped_release released;
    heldout::Team team(n_threads);
    if (targets.loss == heldout::Loss::squared)
      targets.exponent = heldout::target_exponent(target.data(), count ? count->data() : nullptr, n_rows, scores.data());
    const heldout::BinnedRows matrix = heldout::make_blocks(codes.data(), n_rows, n_bins, team);
    boosted = heldout::boost(matrix, targets, count ? count->data() : nullptr, rule, scores.data(), validation, team, std::ref(between));
  }
  nb::dict out = flat_trees(boosted.trees);
  out["validation_losses"] = nb::cast(boosted.validation_losses);
  out["best_round"] = boosted.best_round;
  return out;
}

nb::list best_constants(const Column &target, const std::optional<Column> &weight, const std::optional<Counts> &count, int loss, int n_outputs) {
  const heldout::Targets targets = targets_of(loss, target.shape(0), static_cast<std::size_t>(n_outputs), target, weight);
  if (count) check_rows(target.shape(0), count->shape(0), "count");
  nb::list out;
  for (const double value : heldout::best_constants(targets, count ? count->data() : nullptr)) out.append(value);
  return out;
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

void bind_boosting(nb::module_ &module) {
  module.def("boost", &boost, "codes"_a, "n_bins"_a, "target"_a, "weight"_a.none(), "count"_a.none(), "scores"_a, "loss"_a,
             "settings"_a, "n_threads"_a = 1, "validation_codes"_a = nb::none(), "validation_target"_a = nb::none(),
             "validation_weight"_a = nb::none(), "validation_scores"_a = nb::none(), "patience"_a = 0, "callback"_a = nb::none(),
             "Grow rounds of trees onto scores, which are updated in place.");
  module.def("best_constants", &best_constants, "target"_a, "weight"_a.none(), "count"_a.none(), "loss"_a, "n_outputs"_a,
             "The constant score of least loss, one per output.");
  nb::class_<heldout::Predictor>(module, "Predictor", "Trees ready to predict.")
      .def("__init__", &make_predictor, "starts"_a, "feature"_a, "threshold"_a, "left"_a, "missing_left"_a, "value"_a, "n_features"_a, "base"_a)
      .def("predict", &predict<double>, "X"_a.noconvert(), "first"_a, "last"_a, "n_threads"_a = 1, "onto"_a = nb::none())
      .def("predict", &predict<float>, "X"_a.noconvert(), "first"_a, "last"_a, "n_threads"_a = 1, "onto"_a = nb::none())
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

void bind_stages(nb::module_ &module); // bindings_stages.cpp

NB_MODULE(_native, module) {
  nb::set_leak_warnings(false); // models in module globals live until the process ends
  module.attr("MAX_BINS") = heldout::kMaxBins;
  module.attr("MISSING") = static_cast<int>(heldout::kMissing);
  bind_boosting(module);
  bind_bins<double>(module);
  bind_bins<float>(module);
  bind_stages(module);
}
