// The only file that knows Python. Arguments are checked by the gate in src/heldout; what is checked here
// again is only what would otherwise read or write outside an array.
#include "bins.hpp"

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
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

template <typename Real>
Cuts find_cut_points(const Vector<Real> &column, const std::optional<Vector<double>> &weight, int max_bins) {
  if (max_bins < 1 || max_bins > heldout::kMaxBins)
    throw nb::value_error("max_bins must be between 1 and 254");
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

// Row by row in memory, a whole pass per feature would fetch every cache line once per feature; a block of
// rows that fits the cache is read once.
constexpr std::size_t kRowsPerBlock = 1024;

template <typename Real> Codes bin_codes(const Matrix<Real> &matrix, const std::vector<Vector<double>> &cut_points) {
  const std::size_t n_rows = matrix.shape(0), n_features = matrix.shape(1);
  if (cut_points.size() != n_features) throw nb::value_error("cut_points must have one entry per feature");
  const auto cuts = copied(cut_points);
  auto data = std::make_unique<std::uint8_t[]>(n_rows * n_features);
  {
    nb::gil_scoped_release released;
    const auto row_stride = static_cast<std::ptrdiff_t>(matrix.stride(0));
    const auto feature_stride = static_cast<std::ptrdiff_t>(matrix.stride(1));
    for (std::size_t first = 0; first < n_rows; first += kRowsPerBlock) {
      const std::size_t count = std::min(kRowsPerBlock, n_rows - first);
      for (std::size_t feature = 0; feature < n_features; ++feature) {
        const Real *start = matrix.data() + static_cast<std::ptrdiff_t>(first) * row_stride +
                            static_cast<std::ptrdiff_t>(feature) * feature_stride;
        heldout::bin_codes(heldout::Strided<Real>{start, row_stride, count}, cuts[feature],
                           data.get() + feature * n_rows + first);
      }
    }
  }
  return handed_over<Codes>(std::move(data), {n_features, n_rows});
}

template <typename Real> void bind_bins(nb::module_ &module) {
  module.def("find_cut_points", &find_cut_points<Real>, "column"_a.noconvert(), "weight"_a.noconvert() = nb::none(),
             "max_bins"_a = heldout::kMaxBins,
             "Strictly increasing cut points of one feature (value <= cut goes left).");
  module.def("bin_codes", &bin_codes<Real>, "matrix"_a.noconvert(), "cut_points"_a,
             "Bin of every cell as uint8, shape (n_features, n_rows); 255 where missing.");
}

} // namespace

NB_MODULE(_native, module) {
  module.attr("MAX_BINS") = heldout::kMaxBins;
  module.attr("MISSING") = static_cast<int>(heldout::kMissing);
  bind_bins<double>(module);
  bind_bins<float>(module);
}
