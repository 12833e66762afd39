// Descent: rows that a tree was not grown on are sent down it, node by node, as partitions of one list.
#pragma once

#include "blocks.hpp"
#include "tree.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace heldout {

class Team;

// Rows of a node: list[first .. first + size).
struct NodeRows {
  std::size_t first = 0, size = 0;
};

// Orders `rows` so that those of each node lie side by side, and says where; `scratch` has room for n rows.
//
//   a b c d e f   root       a d f | b c e   its children    a d f | e | b c   and theirs
void descend(const BinnedRows &matrix, const Tree &tree, std::uint32_t *rows, std::size_t n, std::uint32_t *scratch, Team &team,
             std::vector<NodeRows> &nodes);

} // namespace heldout
