// The children of a node under growth: their histograms, by subtraction where that is less work, and their best splits.
#include "grow.hpp"

#include "counters.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace heldout {

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

} // namespace heldout
