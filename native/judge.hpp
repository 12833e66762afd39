// The judgement of an ensemble by rows that its members have not seen: each row by those members only.
#pragma once

#include "losses.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace heldout {

class Team;
struct Summary;

// A replica as its ensemble sees it: `role` is null or as in ReplicaRule; scores (n_outputs, n_rows).
struct Member {
  const std::uint8_t *count;
  const std::uint8_t *role;
  const double *scores;
};

// Sums over the members of rows that lie side by side. They are taken around the score F_0 of the first member that a row asks,
// d_k = F_k - F_0, so that little is lost where members agree: mean F_0 + sum d / m, variance (sum d^2 - (sum d)^2 / m) / (m - 1).
constexpr std::size_t kTile = 512; // rows: sums of a tile stay in the nearest cache
struct TileSums {
  double pivot[kTile], differences[kTile], squares[kTile], n_members[kTile];
  double share[kTile]; // 1 where the member at hand is asked, else 0: a factor and no branch, since bags are as good as random
};

// One member's rows of a tile: it is asked where the flag's bits are as wanted.
struct MemberRows {
  const std::uint8_t *flags;
  std::uint8_t bit, wanted;
  const double *scores;
};

#ifdef HELDOUT_AVX2
void add_member_avx2(const MemberRows &from, std::size_t n, TileSums &tile);
#endif

// Mean and variance over the members for which `bit` is set, row by row; members are added up in their order.
void summarise(const std::vector<Member> &members, std::uint8_t bit, const std::vector<std::uint32_t> &rows, std::size_t n_rows,
               std::size_t n_outputs, Team &team, Summary &out);

class Judge {
public:
  Judge() = default;
  // Weights are those of rows in the mean; null: all 1.
  Judge(const Targets &targets, const double *weight, const std::vector<std::uint32_t> &rows);

  // The loss of the mean score. Squared: of the mean of `size` members, where a row of m members with the mean error e and
  // the variance V counts as (e^2 + V / size - V / m) / 2; a row of one member is given the
  // variance pooled over the others, which counts m - 1 times.
  double loss(const Summary &summary, int size, Team &team) const;

  // The mean over rows of the mean loss of single members.
  double loss_of_members(const std::vector<Member> &members, Team &team) const;

private:
  double squared_loss(const Summary &summary, int size, Team &team) const;

  const std::vector<std::uint32_t> *rows_ = nullptr;
  Targets targets_; // of the rows judged, side by side
  std::size_t n_all_rows_ = 0;
  std::vector<double> target_, weight_;
};

} // namespace heldout
