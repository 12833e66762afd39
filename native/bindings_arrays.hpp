// Arrays of Python as the bindings take and return them.
#pragma once

#include "bins.hpp"

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>

namespace nb = nanobind;
using namespace nb::literals;

template <typename Real> using Vector = nb::ndarray<const Real, nb::ndim<1>, nb::device::cpu>;
template <typename Real> using Matrix = nb::ndarray<const Real, nb::ndim<2>, nb::device::cpu>;
using Cuts = nb::ndarray<nb::numpy, double, nb::ndim<1>>;
using Codes = nb::ndarray<nb::numpy, std::uint8_t, nb::ndim<2>>;

template <typename Real> heldout::Strided<Real> strided(const Vector<Real> &vector) {
  return {vector.data(), static_cast<std::ptrdiff_t>(vector.stride(0)), vector.shape(0)};
}

template <typename Real> heldout::StridedMatrix<Real> strided(const Matrix<Real> &matrix) {
  return {matrix.data(), static_cast<std::ptrdiff_t>(matrix.stride(0)), static_cast<std::ptrdiff_t>(matrix.stride(1)), matrix.shape(0),
          matrix.shape(1)};
}

// Hands memory to NumPy, which frees it with the array.
template <typename Array, typename Element>
Array handed_over(std::unique_ptr<Element[]> data, std::initializer_list<std::size_t> shape) {
  Element *raw = data.get();
  nb::capsule owner(raw, [](void *p) noexcept { delete[] static_cast<Element *>(p); });
  data.release();
  return Array(raw, shape, owner);
}

using Column = nb::ndarray<const double, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Scores = nb::ndarray<nb::numpy, double, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using CodeMatrix = nb::ndarray<const std::uint8_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Counts = nb::ndarray<const std::uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
