// Which paths a fit has gone through, so that tests can show that they ran them. Counted in debug builds only.
#pragma once

#include <atomic>
#include <cstdint>

namespace heldout {

enum class Path {
  parallel_histogram,
  parallel_partition,
  flush,
  eviction,
  recompute,
  small_node,
  missing_left,
  missing_right,
  apart, // nodes expanded by single threads, side by side
  two_words,
  listed_bag,       // of few rows: their derivatives are laid side by side
  replicas_apart,   // one thread a replica
  replica_together, // all threads on one replica's tree
  refit,
  count_
};

#ifdef HELDOUT_COUNT_PATHS
inline std::atomic<std::int64_t> path_counters[static_cast<int>(Path::count_)];
inline void count_path(Path path) { path_counters[static_cast<int>(path)].fetch_add(1, std::memory_order_relaxed); }
#else
inline void count_path(Path) {}
#endif

} // namespace heldout
