// Trees as flat arrays, and predictions from them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace heldout {

// Node 0 is the root; children come after their parent, right behind left. A leaf has feature -1.
struct Tree {
  std::vector<std::int32_t> feature;
  std::vector<std::int32_t> bin; // codes <= bin go left
  std::vector<std::int32_t> left;
  std::vector<std::uint8_t> missing_left;
  std::vector<double> gain;       // fall of the loss at a split, 0 in a leaf
  std::vector<double> value;      // what a leaf adds, 0 elsewhere
  std::vector<std::int64_t> count; // rows, each as often as it counts

  std::size_t n_nodes() const { return feature.size(); }
};

} // namespace heldout
