#include "descend.hpp"

#include "parallel.hpp"
#include "partition.hpp"

namespace heldout {
namespace {

// A team parts no fewer rows than this together.
constexpr std::size_t kRowsWorthTeam = 16384;

} // namespace

void descend(const BinnedRows &matrix, const Tree &tree, std::uint32_t *rows, std::size_t n, std::uint32_t *scratch, Team &team,
             std::vector<NodeRows> &nodes) {
  nodes.assign(tree.n_nodes(), NodeRows{});
  nodes[0].size = n;
  for (std::size_t node = 0; node < tree.n_nodes(); ++node) {
    const NodeRows own = nodes[node];
    if (tree.feature[node] < 0 || own.size == 0) continue;
    const std::uint8_t *codes = matrix.column(tree.feature[node]);
    const Direction direction(tree.bin[node], tree.missing_left[node] != 0);
    std::uint32_t *first = rows + own.first, *free = scratch + own.first;
    const bool together = team.size() > 1 && own.size >= kRowsWorthTeam;
    const std::size_t n_left = together ? partition_rows(codes, direction, first, own.size, free, team)
                                        : partition_rows(codes, direction, first, own.size, free);
    const auto left = static_cast<std::size_t>(tree.left[node]);
    nodes[left] = {own.first, n_left};
    nodes[left + 1] = {own.first + n_left, own.size - n_left};
  }
}

} // namespace heldout
