// The leaf of a row without a walk: every split of a small tree is tested, and each test rules out leaves.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace heldout {

constexpr std::size_t kTileRows = 64; // rows whose leaves are found together
constexpr std::size_t kMostMaskedLeaves = 64;

// A split of a tree of at most 64 leaves, numbered from the left: a row that goes right can reach none of the leaves
// first .. last of the left subtree. Leaves stand in bytes of 8; `keep` are the bits of one byte that stay possible.
struct MaskStep {
  std::uint16_t feature;
  std::uint8_t shift, limit;
  std::uint8_t byte = 0, keep = 0;
  std::uint8_t again = 0; // further steps with the same test
  std::uint8_t unused = 0;
};

// The nodes of one tree, for whoever makes masks: children behind their parent, right behind left; feature -1 in a leaf.
struct MaskSource {
  std::size_t n_nodes = 0;
  const std::int32_t *feature = nullptr;
  const std::int32_t *left = nullptr;
};

// Appends the steps of a tree, with `feature`, `shift` and `limit` of each node as `test(node)` says, and returns the node
// of each leaf from the left. Returns nothing and appends nothing where there are too many leaves, or one only.
template <typename Test> std::vector<std::int32_t> append_masks(const MaskSource &tree, Test &&test, std::vector<MaskStep> &steps) {
  if ((tree.n_nodes + 1) / 2 > kMostMaskedLeaves || tree.n_nodes < 3) return {};
  // One backward pass counts leaves and one forward pass numbers them.
  std::vector<int> n_leaves(tree.n_nodes, 1), first_leaf(tree.n_nodes, 0);
  for (std::size_t node = tree.n_nodes; node-- > 0;) {
    if (tree.feature[node] < 0) continue;
    const auto left = static_cast<std::size_t>(tree.left[node]);
    n_leaves[node] = n_leaves[left] + n_leaves[left + 1];
    if (n_leaves[node] > static_cast<int>(kMostMaskedLeaves)) return {}; // a node that two parents share counts twice
  }
  std::vector<std::int32_t> leaves(static_cast<std::size_t>(n_leaves[0]), 0);
  for (std::size_t node = 0; node < tree.n_nodes; ++node) {
    const int first = first_leaf[node];
    if (tree.feature[node] < 0) {
      leaves[static_cast<std::size_t>(first)] = static_cast<std::int32_t>(node);
      continue;
    }
    const auto left = static_cast<std::size_t>(tree.left[node]);
    first_leaf[left] = first;
    first_leaf[left + 1] = first + n_leaves[left];
    const int last = first + n_leaves[left] - 1;
    for (int byte = first / 8; byte <= last / 8; ++byte) {
      int out = 0;
      for (int leaf = first > 8 * byte ? first : 8 * byte; leaf <= last && leaf < 8 * byte + 8; ++leaf) out |= 1 << (leaf % 8);
      MaskStep step = test(node);
      step.byte = static_cast<std::uint8_t>(byte);
      step.keep = static_cast<std::uint8_t>(~out);
      step.again = static_cast<std::uint8_t>(last / 8 - byte);
      steps.push_back(step);
    }
  }
  return leaves;
}

// The leaf, from the left, of each of 64 rows. The codes of feature f start at codes + f * feature_stride.
using LeavesOfTile = void (*)(const std::uint8_t *codes, std::size_t feature_stride, const MaskStep *steps, std::size_t n_steps,
                              int n_leaves, std::uint8_t *leaf);

#ifdef HELDOUT_AVX2
void leaves_of_tile_avx2(const std::uint8_t *codes, std::size_t feature_stride, const MaskStep *steps, std::size_t n_steps, int n_leaves,
                         std::uint8_t *leaf);
#endif
void leaves_of_tile_plain(const std::uint8_t *codes, std::size_t feature_stride, const MaskStep *steps, std::size_t n_steps,
                          int n_leaves, std::uint8_t *leaf);

LeavesOfTile choose_leaves_of_tile();

} // namespace heldout
