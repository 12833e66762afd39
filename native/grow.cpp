#include "grow.hpp"

#include "counters.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <mutex>
#include <numeric>
#include <utility>

namespace heldout {
namespace {

constexpr std::size_t kLeastSlots = 2;

Sums minus(const Sums &all, const Sums &part) {
  return {all.gradient - part.gradient, all.hessian - part.hessian, all.count - part.count};
}

} // namespace

Grower::Grower(const BinnedRows &matrix, const GrowthRule &rule, Team &team)
    : matrix_(matrix), rule_(rule), team_(team), least_(std::max<std::int64_t>(1, rule.least)), scan_(choose_scan()) {
  const std::size_t n_words = matrix.n_lines() * 2 * kLanes; // room for two words a bin
  const std::size_t by_budget = rule.pool_bytes / (n_words * sizeof(std::int64_t));
  const auto most = static_cast<std::size_t>(std::max(1, rule.max_leaves));
  slots_.resize(std::max(kLeastSlots, std::min(by_budget, most)));
  block_allowed_.assign(matrix.n_blocks(), 1);
  for (int thread = 0; thread < team.size(); ++thread) workspaces_.emplace_back(matrix);
}

Grower::Workspace::Workspace(const BinnedRows &matrix)
    : histogram(matrix.n_lines() * 2 * kLanes), few_table(kMostLines * 2 * kLanes), scratch(matrix), small_bests(matrix.n_blocks()),
      large_bests(matrix.n_blocks()) {
  std::memset(few_table.data(), 0, kMostLines * 2 * kLanes * sizeof(std::int64_t));
}

void Grower::grow(const Quantised &derivatives, const Bag &bag, double least_hessian, const std::vector<char> *allowed, Tree &tree) {
  derivatives_ = &derivatives;
  allowed_ = allowed;
  for (std::size_t b = 0; b < matrix_.n_blocks(); ++b) {
    const Block &block = matrix_.blocks[b];
    block_allowed_[b] = std::any_of(block.feature, block.feature + block.n_lanes, [&](int feature) {
      return !allowed || (*allowed)[static_cast<std::size_t>(feature)];
    });
  }
  line_words_ = words_per_line(derivatives.scale);
  l2_ = std::ldexp(rule_.l2, derivatives.scale.hessian_exponent);
  least_hessian_ = std::ldexp(least_hessian, derivatives.scale.hessian_exponent);
  if (derivatives.scale.two_words()) count_path(Path::two_words);
  start(bag);
  grow_nodes();
  write(tree);
}

void Grower::start(const Bag &bag) {
  const std::size_t n = matrix_.n_rows;
  rows_.resize(n);
  scratch_.resize(n);
  n_in_bag_ = n;
  if (bag.rows) {
    n_in_bag_ = bag.n_rows;
    std::copy(bag.rows, bag.rows + bag.n_rows, rows_.begin());
  } else if (bag.count) {
    n_in_bag_ = 0;
    for (std::size_t row = 0; row < n; ++row) {
      rows_[n_in_bag_] = static_cast<std::uint32_t>(row);
      n_in_bag_ += bag.count[row] != 0;
    }
  } else {
    team_.chunks(n, rule_.shared_rows, [&](std::size_t first, std::size_t last, int) {
      std::iota(rows_.begin() + static_cast<std::ptrdiff_t>(first), rows_.begin() + static_cast<std::ptrdiff_t>(last),
                static_cast<std::uint32_t>(first));
    });
  }
  all_rows_ = n_in_bag_ == n;
  nodes_.clear();
  frontier_.clear();
  split_order_.clear();
  n_splits_ = 0;
  free_slots_.resize(slots_.size());
  std::iota(free_slots_.rbegin(), free_slots_.rend(), 0);
  Node root;
  root.size = n_in_bag_;
  root.total = derivatives_->total;
  nodes_.push_back(root);
}

void Grower::grow_nodes() {
  if (rule_.max_leaves < 2) return;
  evaluate_root();
  while (!finished()) {
    const Claim next = claim();
    const bool alone = team_.size() == 1;
    const bool another = frontier_.size() > 1 && rule_.max_leaves - 1 - n_splits_ > 1;
    if (alone || !another || nodes_[static_cast<std::size_t>(next.node)].size >= rule_.together_rows) {
      expand(next, workspaces_[0], alone ? nullptr : &team_);
    } else {
      nodes_[static_cast<std::size_t>(next.node)].state = State::open;
      grow_apart();
    }
  }
}

// Each thread takes the best leaf that no other has, until the next one is large enough for all of them.
void Grower::grow_apart() {
  count_path(Path::apart);
  bool stop = false;
  n_working_ = 0;
  team_.run([&](int thread) {
    for (;;) {
      lock_.lock();
      Claim mine;
      if (finished()) stop = true;
      if (!stop) {
        mine = claim();
        if (mine.node >= 0) {
          Node &node = nodes_[static_cast<std::size_t>(mine.node)];
          if (node.size >= rule_.together_rows || (n_working_ == 0 && frontier_.size() == 1)) {
            node.state = State::open;
            mine.node = -1;
            stop = true;
          } else {
            ++n_working_;
          }
        } else if (n_working_ == 0) {
          stop = true;
        }
      }
      const bool leave = stop;
      const unsigned seen = n_expanded_.load(std::memory_order_relaxed);
      lock_.unlock();
      if (mine.node >= 0)
        expand_apart(mine, workspaces_[static_cast<std::size_t>(thread)], stop);
      else if (leave)
        return;
      else
        wait_while([&] { return n_expanded_.load(std::memory_order_acquire) == seen; });
    }
  });
}

// A leaf that could not be expanded will never be: the others must not wait for it.
void Grower::expand_apart(const Claim &claim, Workspace &workspace, bool &stop) {
  try {
    expand(claim, workspace, nullptr);
  } catch (...) {
    const std::lock_guard<SpinLock> held(lock_);
    stop = true;
    n_expanded_.fetch_add(1, std::memory_order_release);
    throw;
  }
}

void Grower::evaluate_root() {
  Child root;
  root.size = n_in_bag_;
  root.total = derivatives_->total;
  if (!can_split(root)) return;
  root.open = true;
  build_and_scan(root, workspaces_[0], team_.size() > 1 ? &team_ : nullptr);
  Node &node = nodes_[0];
  node.split = root.split;
  node.histogram = root.histogram;
  if (node.split.feature >= 0) frontier_.insert({node.split.gain, node.first, 0});
}

// The best leaf that is not yet expanded or being expanded and can still be among those that are split.
Grower::Claim Grower::claim() {
  const int remaining = rule_.max_leaves - 1 - n_splits_;
  int rank = 0;
  for (const Rank &entry : frontier_) {
    if (rank >= remaining) break;
    Node &node = nodes_[static_cast<std::size_t>(entry.node)];
    if (node.state == State::open) {
      node.state = State::claimed;
      return {entry.node, remaining - rank - 1 > 0};
    }
    ++rank;
  }
  return {};
}

// Splits leaves in the order of their gains, as far as they are expanded.
void Grower::settle() {
  while (!finished()) {
    const Rank best = *frontier_.begin();
    const Node &node = nodes_[static_cast<std::size_t>(best.node)];
    if (node.state != State::expanded) return;
    frontier_.erase(frontier_.begin());
    split_order_.push_back(best.node);
    ++n_splits_;
    for (const int child : {node.left, node.right}) {
      const Node &leaf = nodes_[static_cast<std::size_t>(child)];
      if (leaf.split.feature >= 0) frontier_.insert({leaf.split.gain, leaf.first, child});
    }
  }
}

void Grower::expand(const Claim &claim, Workspace &workspace, Team *team) {
  lock_.lock();
  const Node node = nodes_[static_cast<std::size_t>(claim.node)];
  lock_.unlock();
  const Direction direction(node.split.bin, node.split.missing_left);
  count_path(node.split.missing_left ? Path::missing_left : Path::missing_right);
  const std::uint8_t *codes = matrix_.column(node.split.feature);
  std::uint32_t *rows = rows_.data() + node.first, *scratch = scratch_.data() + node.first;
  const bool shared = team && node.size >= 2 * rule_.shared_rows;
  const std::size_t n_left = shared ? partition_rows(codes, direction, rows, node.size, scratch, *team)
                                    : partition_rows(codes, direction, rows, node.size, scratch);
  Child left, right;
  left.first = node.first;
  left.size = n_left;
  left.total = node.split.left;
  right.first = node.first + n_left;
  right.size = node.size - n_left;
  right.total = minus(node.total, left.total);
  left.open = claim.wants_children && can_split(left);
  right.open = claim.wants_children && can_split(right);
  const bool left_is_small = left.size <= right.size;
  evaluate_children(node.histogram, left_is_small ? left : right, left_is_small ? right : left, workspace, team);

  const std::lock_guard<SpinLock> held(lock_);
  const int first_child = static_cast<int>(nodes_.size());
  for (const Child *child : {&left, &right}) {
    Node made;
    made.first = child->first;
    made.size = child->size;
    made.total = child->total;
    made.split = child->split;
    made.histogram = child->histogram;
    nodes_.push_back(made);
  }
  Node &expanded = nodes_[static_cast<std::size_t>(claim.node)];
  expanded.left = first_child;
  expanded.right = first_child + 1;
  expanded.histogram = -1;
  expanded.state = State::expanded;
  if (!team) --n_working_;
  settle();
  n_expanded_.fetch_add(1, std::memory_order_release);
}

void Grower::write(Tree &tree) {
  const auto n_nodes = static_cast<std::size_t>(1 + 2 * n_splits_);
  tree.feature.assign(n_nodes, -1);
  tree.bin.assign(n_nodes, 0);
  tree.left.assign(n_nodes, 0);
  tree.missing_left.assign(n_nodes, 0);
  tree.gain.assign(n_nodes, 0.0);
  tree.value.assign(n_nodes, 0.0);
  tree.count.assign(n_nodes, 0);
  const Scale &scale = derivatives_->scale;
  const double gain_unit = std::ldexp(1.0, scale.hessian_exponent - 2 * scale.gradient_exponent);
  std::vector<int> number(nodes_.size(), -1), made(n_nodes, 0);
  number[0] = 0;
  std::int32_t next = 1;
  for (const int id : split_order_) {
    const Node &node = nodes_[static_cast<std::size_t>(id)];
    const auto at = static_cast<std::size_t>(number[static_cast<std::size_t>(id)]);
    tree.feature[at] = node.split.feature;
    tree.bin[at] = node.split.bin;
    tree.missing_left[at] = node.split.missing_left;
    tree.gain[at] = node.split.gain * gain_unit / 2;
    tree.left[at] = next;
    for (const int child : {node.left, node.right}) {
      number[static_cast<std::size_t>(child)] = next;
      made[static_cast<std::size_t>(next++)] = child;
    }
  }
  leaves_.clear();
  for (std::size_t at = 0; at < n_nodes; ++at) {
    const Node &node = nodes_[static_cast<std::size_t>(made[at])];
    tree.count[at] = node.total.count;
    if (tree.feature[at] < 0) leaves_.push_back({static_cast<std::int32_t>(at), node.first, node.size, node.total});
  }
}

} // namespace heldout
