// The engine under sanitizers. Without arguments all checks run; `--plant race` and `--plant overflow` do what the
// sanitizers must report, to show that they are awake.
#include "checks.hpp"

#include "../counters.hpp"

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <unistd.h>

namespace checks {
namespace {

constexpr unsigned kMostSeconds = 900; // a fit that hangs is a failure, not a wait without end

int n_passed = 0, n_failed = 0;

void check_paths() {
  const char *names[] = {"parallel_histogram", "parallel_partition", "flush", "eviction", "recompute", "small_node", "missing_left",
                         "missing_right", "apart", "two_words", "listed_bag", "replicas_apart", "replica_together", "refit"};
  constexpr int n_paths = static_cast<int>(heldout::Path::count_);
  static_assert(sizeof names / sizeof *names == n_paths, "every path of counters.hpp has its name here");
  for (int path = 0; path < n_paths; ++path) expect(heldout::path_counters[path].load() > 0, std::string("path taken: ") + names[path]);
}

// Both threads must be there: a team waits for nobody, and on a busy machine the caller would do the work alone.
int plant_race() {
  heldout::Team team(2);
  int sum = 0;
  for (int stage = 0; stage < 10 && team.size() == 2; ++stage) {
    std::atomic<int> arrived{0};
    team.run([&](int) {
      arrived.fetch_add(1, std::memory_order_relaxed); // relaxed: it must not put the additions in order
      while (arrived.load(std::memory_order_relaxed) < 2) std::this_thread::yield();
      for (int i = 0; i < 1000; ++i) ++sum;
    });
  }
  std::printf("%d\n", sum);
  return 0;
}

int plant_overflow(int one) {
  int most = std::numeric_limits<int>::max();
  most += one; // the undefined-behaviour sanitizer
  std::vector<int> numbers(static_cast<std::size_t>(one), most);
  volatile int *beyond = numbers.data();
  beyond[one] = most; // the address sanitizer
  std::printf("%d\n", most);
  return 0;
}

int run() {
  alarm(kMostSeconds);
  check_bins();
  check_threads();
  check_fits();
  check_predictions();
  check_replicas();
  check_failures();
  check_replicas_without_memory();
  check_paths();
  std::printf("%d passed, %d failed\n", n_passed, n_failed);
  return n_failed == 0 ? 0 : 1;
}

} // namespace

void expect(bool passed, const std::string &what) {
  std::printf("%s  %s\n", passed ? "ok    " : "FAILED", what.c_str());
  std::fflush(stdout);
  ++(passed ? n_passed : n_failed);
}

} // namespace checks

int main(int argc, char **argv) {
  const std::string plant = argc == 3 && std::strcmp(argv[1], "--plant") == 0 ? argv[2] : "";
  if (plant == "race") return checks::plant_race();
  if (plant == "overflow") return checks::plant_overflow(argc - 2);
  if (argc == 1) return checks::run();
  std::fprintf(stderr, "usage: %s [--plant race | --plant overflow]\n", argv[0]);
  return 2;
}
