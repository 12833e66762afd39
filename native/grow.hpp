// Growth: a tree from the histogram, split and partition of its nodes, best leaf first.
#pragma once

#include "blocks.hpp"
#include "histogram.hpp"
#include "parallel.hpp"
#include "partition.hpp"
#include "quantise.hpp"
#include "split.hpp"
#include "tree.hpp"

#include <cstddef>
#include <cstdint>
#include <atomic>
#include <deque>
#include <set>
#include <vector>

namespace heldout {

struct GrowthRule {
  int max_leaves = 31;
  std::int64_t least = 20; // smallest count of a leaf
  double l2 = 0.0;

  // None of these changes a bit of the tree, only how fast it grows. Tests force them down.
  std::size_t few_rows = 32;                   // nodes of fewer rows keep no histogram
  std::size_t together_rows = 16384;           // all threads share a node of at least as many rows
  std::size_t shared_rows = 4096;              // the least rows for which threads share a histogram or a partition
  std::size_t pool_bytes = std::size_t{1} << 28; // histograms kept for subtraction
};

// The rows that a tree is grown on. `count` is null or as in Derivatives. `rows` is null or lists those of count above 0,
// ascending, where they have been listed already.
struct Bag {
  const std::uint8_t *count = nullptr;
  const std::uint32_t *rows = nullptr;
  std::size_t n_rows = 0;

  Bag(const std::uint8_t *multiplicities) : count(multiplicities) {}
  Bag(const std::uint8_t *multiplicities, const std::uint32_t *listed, std::size_t n) : count(multiplicities), rows(listed), n_rows(n) {}
};

// Rows of a leaf: rows()[first .. first + size).
struct LeafRange {
  std::int32_t node;
  std::size_t first, size;
  Sums sums;
};

// Grows trees over one binned matrix, again and again, keeping its memory.
//
// A leaf is expanded (its rows parted, its children's best splits found) before it is known to be split. Which leaves
// are split is then decided in the order of their gains alone, so threads may expand several leaves at once and in any
// order: the tree is the same, and only the work on leaves that lose is wasted.
class Grower {
public:
  Grower(const BinnedRows &matrix, const GrowthRule &rule, Team &team);

  // `least_hessian` is that of a leaf; `allowed` is null or says which features may be split.
  void grow(const Quantised &derivatives, const Bag &bag, double least_hessian, const std::vector<char> *allowed, Tree &tree);

  const std::vector<LeafRange> &leaves() const { return leaves_; }
  const std::uint32_t *rows() const { return rows_.data(); }

private:
  enum class State { open, claimed, expanded };
  enum class Built { no, whole, in_parts };

  struct Node {
    std::size_t first = 0, size = 0;
    Sums total;
    Split split;
    int histogram = -1;
    int left = -1, right = -1;
    State state = State::open;
  };

  // The greatest gain first; of equal gains the leaf whose rows come first, which no thread can change.
  struct Rank {
    double gain;
    std::size_t first;
    int node;
    bool operator<(const Rank &other) const {
      return gain != other.gain ? gain > other.gain : first < other.first;
    }
  };

  // What one thread works with.
  struct Workspace {
    Words histogram; // of the child being built
    Words few_table; // zero between uses
    HistogramScratch scratch;
    std::vector<LaneBests> small_bests, large_bests;
    bool holds_part = false; // of a histogram that threads share

    explicit Workspace(const BinnedRows &matrix);
  };

  struct Child {
    std::size_t first = 0, size = 0;
    Sums total;
    Split split;
    bool open = false; // may be split
    int histogram = -1;
  };

  struct Claim {
    int node = -1;
    bool wants_children = true;
  };

  void start(const Bag &bag);
  void grow_nodes();
  void grow_apart();
  void evaluate_root();
  Claim claim();
  void settle();
  bool finished() const { return n_splits_ == rule_.max_leaves - 1 || frontier_.empty(); }
  void expand(const Claim &claim, Workspace &workspace, Team *team);
  void expand_apart(const Claim &claim, Workspace &workspace, bool &stop);
  void evaluate_children(int parent_histogram, Child &small, Child &large, Workspace &workspace, Team *team);
  void build_and_scan(Child &child, Workspace &workspace, Team *team);
  void subtract_and_scan(int parent_histogram, Child &small, Child &large, Workspace &workspace, Team *team);
  Built build_before_scan(const Child &child, Workspace &workspace, Team *team);
  void complete_block(std::size_t block, Built built, const RowList &rows, std::int64_t *histogram, Workspace &own);
  void clear_blocks(std::int64_t *histogram);
  void finish_child(Child &child, const std::vector<LaneBests> &bests, const std::int64_t *histogram);
  void keep_histogram(Child &child, Workspace &workspace);
  int take_slot(double gain);
  void release(int slot);
  void write(Tree &tree);
  bool can_split(const Child &child) const { return child.size >= 2 && child.total.count / 2 >= least_; }
  RowList rows_of(const Child &child) const;
  template <typename Work> void for_blocks(Team *team, Workspace &workspace, Work &&work);

  const BinnedRows &matrix_;
  GrowthRule rule_;
  Team &team_;
  std::int64_t least_;
  BlockScan scan_;
  std::size_t line_words_ = kLanes; // of this tree
  double l2_ = 0.0, least_hessian_ = 0.0;

  const Quantised *derivatives_ = nullptr;
  const std::vector<char> *allowed_ = nullptr;
  std::vector<char> block_allowed_;

  LargeVector<std::uint32_t> rows_, scratch_;
  bool all_rows_ = true;
  std::size_t n_in_bag_ = 0;

  SpinLock lock_; // guards all below while threads expand apart
  std::deque<Node> nodes_;
  std::set<Rank> frontier_;
  std::vector<int> split_order_;
  int n_splits_ = 0;
  int n_working_ = 0;
  std::atomic<unsigned> n_expanded_{0}; // an idle thread looks again when it has changed
  std::vector<Words> slots_;
  std::vector<int> free_slots_;

  std::vector<Workspace> workspaces_;
  std::vector<LeafRange> leaves_;
};

} // namespace heldout
