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

void Grower::grow(const Quantised &derivatives, const std::uint8_t *counts, const std::vector<char> *allowed, Tree &tree) {
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
  least_hessian_ = std::ldexp(rule_.least_hessian, derivatives.scale.hessian_exponent);
  if (derivatives.scale.two_words()) count_path(Path::two_words);
  start(counts);
  grow_nodes();
  write(tree);
}

void Grower::start(const std::uint8_t *counts) {
  const std::size_t n = matrix_.n_rows;
  rows_.resize(n);
  scratch_.resize(n);
  n_in_bag_ = n;
  if (counts) {
    n_in_bag_ = 0;
    for (std::size_t row = 0; row < n; ++row) {
      rows_[n_in_bag_] = static_cast<std::uint32_t>(row);
      n_in_bag_ += counts[row] != 0;
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

// The large child's histogram is the parent's less the small child's. Few rows are scanned without any.
void Grower::evaluate_children(int parent_histogram, Child &small, Child &large, Workspace &workspace, Team *team) {
  const bool by_subtraction = parent_histogram >= 0 && large.open && large.size > rule_.few_rows;
  if (by_subtraction) {
    subtract_and_scan(parent_histogram, small, large, workspace, team);
    return;
  }
  if (parent_histogram >= 0) {
    lock_.lock();
    release(parent_histogram);
    lock_.unlock();
  }
  for (Child *child : {&small, &large}) {
    if (!child->open) continue;
    if (parent_histogram < 0 && child->size > rule_.few_rows) count_path(Path::recompute);
    build_and_scan(*child, workspace, team);
  }
}

RowList Grower::rows_of(const Child &child) const {
  const bool root = child.size == matrix_.n_rows && all_rows_;
  return {root ? nullptr : rows_.data() + child.first, 0, child.size};
}

template <typename Work> void Grower::for_blocks(Team *team, Workspace &workspace, Work &&work) {
  if (!team) {
    for (std::size_t block = 0; block < matrix_.n_blocks(); ++block)
      if (block_allowed_[block]) work(block, workspace);
    return;
  }
  team->each(matrix_.n_blocks(), [&](std::size_t block, int thread) {
    if (block_allowed_[block]) work(block, workspaces_[static_cast<std::size_t>(thread)]);
  });
}

// Many rows are summed over all blocks at once, each fetched from memory a single time: by the only thread, or by all in
// parts, each in a histogram of its own. Few rows are left to whoever scans a block.
Grower::Built Grower::build_before_scan(const Child &child, Workspace &workspace, Team *team) {
  const RowList all = rows_of(child);
  if (!team) {
    if (!worth_tiles(matrix_, all)) return Built::no;
    clear_blocks(workspace.histogram.data());
    add_rows_to_blocks(matrix_, block_allowed_, *derivatives_, all, workspace.histogram.data(), workspace.scratch);
    return Built::whole;
  }
  if (child.size < 2 * rule_.shared_rows) return Built::no;
  count_path(Path::parallel_histogram);
  const auto n_parts = static_cast<std::size_t>(team->size());
  for (Workspace &one : workspaces_) one.holds_part = false;
  team->each(n_parts, [&](std::size_t part, int thread) {
    Workspace &own = workspaces_[static_cast<std::size_t>(thread)];
    const std::size_t first = all.size * part / n_parts, last = all.size * (part + 1) / n_parts;
    const RowList rows{all.rows ? all.rows + first : nullptr, all.rows ? 0 : first, last - first};
    if (!own.holds_part) clear_blocks(own.histogram.data());
    add_rows_to_blocks(matrix_, block_allowed_, *derivatives_, rows, own.histogram.data(), own.scratch);
    own.holds_part = true;
  });
  return Built::in_parts;
}

// Makes one block of a child's histogram ready to be scanned.
void Grower::complete_block(std::size_t block, Built built, const RowList &rows, std::int64_t *histogram, Workspace &own) {
  const Scale &scale = derivatives_->scale;
  if (built == Built::no) {
    clear_block(scale, matrix_.blocks[block], histogram);
    add_rows(matrix_, block, *derivatives_, rows, 1, histogram, own.scratch);
  } else if (built == Built::in_parts) {
    if (!workspaces_[0].holds_part) clear_block(scale, matrix_.blocks[block], histogram);
    for (std::size_t other = 1; other < workspaces_.size(); ++other)
      if (workspaces_[other].holds_part)
        combine_block(scale, matrix_.blocks[block], 1, histogram, workspaces_[other].histogram.data());
  }
}

void Grower::clear_blocks(std::int64_t *histogram) {
  for (std::size_t block = 0; block < matrix_.n_blocks(); ++block)
    if (block_allowed_[block]) clear_block(derivatives_->scale, matrix_.blocks[block], histogram);
}

void Grower::build_and_scan(Child &child, Workspace &workspace, Team *team) {
  const SplitRule rule = make_rule(derivatives_->scale, child.total, l2_, least_, least_hessian_);
  const RowList rows = rows_of(child);
  if (child.size <= rule_.few_rows) {
    count_path(Path::small_node);
    for_blocks(nullptr, workspace, [&](std::size_t block, Workspace &own) {
      scan_few_rows(matrix_, block, *derivatives_, rows, rule, own.few_table.data(), workspace.small_bests[block]);
    });
    finish_child(child, workspace.small_bests, nullptr);
    return;
  }
  const Built built = build_before_scan(child, workspace, team);
  std::int64_t *histogram = workspace.histogram.data();
  const Scale &scale = derivatives_->scale;
  for_blocks(team, workspace, [&](std::size_t b, Workspace &own) {
    const Block &block = matrix_.blocks[b];
    complete_block(b, built, rows, histogram, own);
    scan_(scale, histogram + block.first_line * line_words_, nullptr, block.n_bins, rule, workspace.large_bests[b]);
  });
  finish_child(child, workspace.large_bests, histogram);
  keep_histogram(child, workspace);
}

void Grower::subtract_and_scan(int parent_histogram, Child &small, Child &large, Workspace &workspace, Team *team) {
  std::int64_t *parent = slots_[static_cast<std::size_t>(parent_histogram)].data();
  std::int64_t *own_histogram = workspace.histogram.data();
  const Scale &scale = derivatives_->scale;
  const RowList rows = rows_of(small);
  const SplitRule small_rule = make_rule(scale, small.total, l2_, least_, least_hessian_), large_rule = make_rule(scale, large.total, l2_, least_, least_hessian_);
  const bool few = small.size <= rule_.few_rows;
  const Built built = few ? Built::no : build_before_scan(small, workspace, team);
  if (few && small.open) count_path(Path::small_node);
  for_blocks(team, workspace, [&](std::size_t b, Workspace &own) {
    const Block &block = matrix_.blocks[b];
    const std::size_t first_word = block.first_line * line_words_;
    if (few) {
      add_rows(matrix_, b, *derivatives_, rows, -1, parent, own.scratch);
      if (small.open)
        scan_few_rows(matrix_, b, *derivatives_, rows, small_rule, own.few_table.data(), workspace.small_bests[b]);
    } else {
      complete_block(b, built, rows, own_histogram, own);
      if (small.open) scan_(scale, own_histogram + first_word, nullptr, block.n_bins, small_rule, workspace.small_bests[b]);
    }
    scan_(scale, parent + first_word, few ? nullptr : own_histogram + first_word, block.n_bins, large_rule, workspace.large_bests[b]);
  });
  finish_child(large, workspace.large_bests, parent);
  if (small.open) finish_child(small, workspace.small_bests, few ? nullptr : own_histogram);
  if (large.split.feature >= 0) {
    large.histogram = parent_histogram;
  } else {
    lock_.lock();
    release(parent_histogram);
    lock_.unlock();
  }
  if (small.open && !few) keep_histogram(small, workspace);
}

void Grower::finish_child(Child &child, const std::vector<LaneBests> &bests, const std::int64_t *histogram) {
  const SplitRule rule = make_rule(derivatives_->scale, child.total, l2_, least_, least_hessian_);
  child.split = Split{};
  for (std::size_t block = 0; block < matrix_.n_blocks(); ++block)
    if (block_allowed_[block]) keep_better(matrix_.blocks[block], bests[block], allowed_, child.split);
  if (child.split.feature < 0) return;
  Sums left;
  if (histogram) {
    left = left_sums(matrix_, derivatives_->scale, histogram, child.split);
  } else {
    const Direction direction(child.split.bin, child.split.missing_left);
    const std::uint8_t *codes = matrix_.column(child.split.feature);
    const RowList rows = rows_of(child);
    for (std::size_t i = 0; i < rows.size; ++i) {
      const std::size_t row = rows.rows ? rows.rows[i] : rows.first + i;
      if (!direction.goes_left(codes[row])) continue;
      const Sums one = sums_of_row(*derivatives_, row);
      left.gradient += one.gradient;
      left.hessian += one.hessian;
      left.count += one.count;
    }
  }
  finish_split(rule, left, child.split);
}

// The histogram just built moves into the pool, if there is room or a worse leaf to take it from.
void Grower::keep_histogram(Child &child, Workspace &workspace) {
  if (child.split.feature < 0) return;
  lock_.lock();
  const int slot = take_slot(child.split.gain);
  lock_.unlock();
  if (slot < 0) return;
  Words &words = slots_[static_cast<std::size_t>(slot)];
  if (!words) words = Words(matrix_.n_lines() * 2 * kLanes);
  std::swap(words, workspace.histogram);
  child.histogram = slot;
}

int Grower::take_slot(double gain) {
  if (!free_slots_.empty()) {
    const int slot = free_slots_.back();
    free_slots_.pop_back();
    return slot;
  }
  for (auto entry = frontier_.rbegin(); entry != frontier_.rend() && entry->gain < gain; ++entry) {
    Node &node = nodes_[static_cast<std::size_t>(entry->node)];
    if (node.state != State::open || node.histogram < 0) continue;
    count_path(Path::eviction);
    return std::exchange(node.histogram, -1);
  }
  return -1;
}

void Grower::release(int slot) { free_slots_.push_back(slot); }

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
