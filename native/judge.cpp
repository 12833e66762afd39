#include "judge.hpp"

#include "arithmetic.hpp"
#include "judge_kernels.hpp"
#include "parallel.hpp"
#include "replicas.hpp"
#include "simd.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace heldout {
namespace {

constexpr std::size_t kSmallestChunk = 1024;

bool is_set(const Member &member, std::uint8_t bit, std::size_t row) {
  return member.role ? (member.role[row] & bit) != 0 : member.count[row] == 0;
}

// Rows first .. first + n of the table into a tile; a role is looked up by its bit, a count by being 0.
void sum_up(const std::vector<Member> &members, std::uint8_t bit, std::size_t first, std::size_t n, std::size_t offset, TileSums &tile) {
#ifdef HELDOUT_AVX2
  const auto add = use_avx2() ? &add_member_avx2 : &add_member;
#else
  const auto add = &add_member;
#endif
  for (double *sums : {tile.pivot, tile.differences, tile.squares, tile.n_members}) std::fill_n(sums, n, 0.0);
  for (const Member &member : members) {
    const double *scores = member.scores + offset + first;
    if (member.role)
      add({member.role + first, bit, bit, scores}, n, tile);
    else
      add({member.count + first, 0xff, 0, scores}, n, tile);
  }
}

double loss_of_score(Loss loss, double target, const double *scores, std::size_t stride, int n_outputs) {
  if (loss == Loss::logistic) {
    const double f = scores[0];
    return (f > 0 ? f : 0.0) - target * f + natural_logarithm(1.0 + exponential(f < 0 ? f : -f));
  }
  double top = scores[0], sum = 0.0;
  for (int k = 1; k < n_outputs; ++k) top = std::max(top, scores[static_cast<std::size_t>(k) * stride]);
  for (int k = 0; k < n_outputs; ++k) sum += exponential(scores[static_cast<std::size_t>(k) * stride] - top);
  return top + natural_logarithm(sum) - scores[static_cast<std::size_t>(target) * stride];
}

} // namespace

void summarise(const std::vector<Member> &members, std::uint8_t bit, const std::vector<std::uint32_t> &rows, std::size_t n_rows,
               std::size_t n_outputs, Team &team, Summary &out) {
  const std::size_t n = rows.size();
  out.mean.resize(n_outputs * n);
  out.variance.resize(n_outputs * n);
  out.n_members.resize(n);
  team.chunks(n, kSmallestChunk, [&](std::size_t begin, std::size_t end, int) {
    TileSums tile;
    for (std::size_t at = begin; at < end;) {
      // As many listed rows as lie within a tile of the table.
      const std::size_t first = rows[at], last = std::min(n_rows, first + kTile);
      std::size_t stop = at;
      while (stop < end && rows[stop] < last) ++stop;
      for (std::size_t output = 0; output < n_outputs; ++output) {
        sum_up(members, bit, first, rows[stop - 1] + 1 - first, output * n_rows, tile);
        for (std::size_t i = at; i < stop; ++i) {
          const std::size_t in_tile = rows[i] - first, to = output * n + i;
          const double m = tile.n_members[in_tile], d = tile.differences[in_tile];
          out.mean[to] = m > 0 ? tile.pivot[in_tile] + d / m : std::numeric_limits<double>::quiet_NaN();
          out.variance[to] = m > 1 ? std::max(0.0, tile.squares[in_tile] - d * d / m) / (m - 1) : std::numeric_limits<double>::quiet_NaN();
          out.n_members[i] = static_cast<std::int32_t>(m);
        }
      }
      at = stop;
    }
  });
}

Judge::Judge(const Targets &targets, const double *weight, const std::vector<std::uint32_t> &rows)
    : rows_(&rows), targets_(targets), n_all_rows_(targets.n_rows) {
  for (const std::uint32_t row : rows) {
    target_.push_back(targets.target[row]);
    if (weight) weight_.push_back(weight[row]);
  }
}

double Judge::loss(const Summary &summary, int size, Team &team) const {
  if (targets_.loss == Loss::squared) return squared_loss(summary, size, team);
  Targets own = targets_;
  own.n_rows = rows_->size();
  own.target = target_.data();
  own.weight = weight_.empty() ? nullptr : weight_.data();
  return mean_loss(own, summary.mean.data(), team);
}

double Judge::squared_loss(const Summary &summary, int size, Team &team) const {
  const std::size_t n = rows_->size();
  std::vector<double> values(n);
  double usual = 0.0; // variance of a row that has one member
  if (std::find(summary.n_members.begin(), summary.n_members.end(), 1) != summary.n_members.end()) {
    std::vector<double> freedom(n); // a row of m members knows m - 1 differences
    for (std::size_t i = 0; i < n; ++i) {
      freedom[i] = (summary.n_members[i] - 1) * (weight_.empty() ? 1.0 : weight_[i]);
      values[i] = summary.n_members[i] > 1 ? summary.variance[i] : 0.0;
    }
    const double mean = weighted_mean(values, freedom.data(), team);
    if (std::isfinite(mean)) usual = mean; // else no row has several
  }
  team.chunks(n, kSmallestChunk, [&](std::size_t first, std::size_t last, int) {
    for (std::size_t i = first; i < last; ++i) {
      const double error = summary.mean[i] - target_[i], variance = summary.n_members[i] > 1 ? summary.variance[i] : usual;
      values[i] = (error * error + variance * (1.0 / size - 1.0 / summary.n_members[i])) / 2;
    }
  });
  return weighted_mean(values, weight_.empty() ? nullptr : weight_.data(), team);
}

double Judge::loss_of_members(const std::vector<Member> &members, Team &team) const {
  const std::size_t n = rows_->size();
  std::vector<double> losses(n);
  team.chunks(n, kSmallestChunk, [&](std::size_t first, std::size_t last, int) {
    for (std::size_t i = first; i < last; ++i) {
      const std::size_t row = (*rows_)[i];
      double sum = 0.0;
      int m = 0;
      for (const Member &member : members) {
        if (!is_set(member, kStops, row)) continue;
        sum += loss_of_score(targets_.loss, target_[i], member.scores + row, n_all_rows_, targets_.n_outputs);
        ++m;
      }
      losses[i] = sum / m;
    }
  });
  return weighted_mean(losses, weight_.empty() ? nullptr : weight_.data(), team);
}

} // namespace heldout
