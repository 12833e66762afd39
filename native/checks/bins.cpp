#include "checks.hpp"

#include <algorithm>
#include <cmath>
#include <set>

namespace checks {
namespace {

// Column by column: noise, few values, one value, nothing but NaN, infinities among others, huge and tiny numbers.
template <typename Real> std::vector<Real> odd_columns(std::size_t n_rows) {
  Random random(3);
  std::vector<Real> columns;
  for (std::size_t feature = 0; feature < 9; ++feature)
    for (std::size_t row = 0; row < n_rows; ++row) {
      const double u = random.uniform(), kind = random.uniform();
      const double values[] = {u, std::floor(5 * u), 4.0, kNaN, kind < 0.2 ? kInfinity : kind < 0.4 ? -kInfinity : u,
                               kind < 0.5 ? kNaN : -u, kind < 0.5 ? 0.0 : -0.0, (u - 0.5) * 3e38, u * 1e-44};
      columns.push_back(static_cast<Real>(values[feature]));
    }
  return columns;
}

template <typename Real> bool right_codes(const std::vector<Real> &columns, const std::vector<std::vector<double>> &cuts,
                                          const std::vector<std::uint8_t> &codes) {
  const std::size_t n_rows = columns.size() / cuts.size();
  for (std::size_t cell = 0; cell < columns.size(); ++cell) {
    const double value = columns[cell];
    const std::vector<double> &own = cuts[cell / n_rows];
    const auto below = std::count_if(own.begin(), own.end(), [&](double cut) { return cut < value; });
    if (codes[cell] != (std::isnan(value) ? heldout::kMissing : below)) return false;
  }
  return true;
}

bool rising(const std::vector<std::vector<double>> &cuts, std::size_t most) {
  return std::all_of(cuts.begin(), cuts.end(), [&](const std::vector<double> &own) {
    return own.size() <= most && std::adjacent_find(own.begin(), own.end(), std::greater_equal<double>()) == own.end();
  });
}

template <typename Real> void check_columns(std::size_t n_rows, int max_bins, bool weighted, const std::string &name) {
  const std::vector<Real> columns = odd_columns<Real>(n_rows);
  std::vector<double> weight(2 * n_rows, 0.0); // every other entry, some rows of weight 0
  for (std::size_t row = 0; row < n_rows; ++row) weight[2 * row] = row % 5 == 3 ? 0.0 : 0.1 + static_cast<double>(row % 7);
  const heldout::Strided<double> weights{weight.data(), 2, n_rows};
  const heldout::StridedMatrix<Real> matrix{columns.data(), 1, static_cast<std::ptrdiff_t>(n_rows), n_rows, 9};
  std::vector<std::vector<double>> first;
  bool same = true, right = true;
  for (const int n_threads : {1, 2, 3, 5}) {
    heldout::Team team(n_threads);
    const auto cuts = heldout::find_all_cut_points(matrix, weighted ? &weights : nullptr, max_bins, team);
    std::vector<std::uint8_t> codes(columns.size());
    heldout::bin_all_codes(matrix, cuts, codes.data(), team);
    if (n_threads == 1) first = cuts;
    same = same && cuts == first;
    right = right && right_codes(columns, cuts, codes);
  }
  expect(same && right && rising(first, static_cast<std::size_t>(max_bins) - 1), name);
}

} // namespace

void check_bins() {
  for (const std::size_t n_rows : {std::size_t{1}, std::size_t{50}, std::size_t{5000}})
    for (const int max_bins : {1, 2, 254})
      for (const bool weighted : {false, true}) {
        const std::string name = "bins: " + std::to_string(n_rows) + " rows, at most " + std::to_string(max_bins) + (weighted ? ", weighted" : "");
        check_columns<double>(n_rows, max_bins, weighted, name + ", double");
        check_columns<float>(n_rows, max_bins, weighted, name + ", float");
      }
}

} // namespace checks
