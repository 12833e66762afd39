// A team under all that can happen to it: work of no length, exceptions, no memory, no threads.
#include "checks.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <new>
#include <stdexcept>
#include <thread>
#if defined(__GLIBC__)
#include <pthread.h>
#endif

namespace {

std::atomic<std::int64_t> allocations_left{-1};

void *allocated(std::size_t size, std::size_t alignment) {
  std::int64_t left = allocations_left.load(std::memory_order_relaxed);
  while (left >= 0 && !allocations_left.compare_exchange_weak(left, left - 1, std::memory_order_relaxed)) continue;
  if (left == 0) throw std::bad_alloc();
  void *memory = alignment > alignof(std::max_align_t) ? std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment)
                                                       : std::malloc(size > 0 ? size : 1);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

} // namespace

void *operator new(std::size_t size) { return allocated(size, 1); }
void *operator new[](std::size_t size) { return allocated(size, 1); }
void *operator new(std::size_t size, std::align_val_t alignment) { return allocated(size, static_cast<std::size_t>(alignment)); }
void *operator new(std::size_t size, const std::nothrow_t &) noexcept {
  try {
    return allocated(size, 1);
  } catch (const std::bad_alloc &) {
    return nullptr;
  }
}
void operator delete(void *memory, const std::nothrow_t &) noexcept { std::free(memory); }
void operator delete(void *memory) noexcept { std::free(memory); }
void operator delete[](void *memory) noexcept { std::free(memory); }
void operator delete(void *memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void *memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void *memory, std::align_val_t) noexcept { std::free(memory); }

namespace checks {

void fail_allocation_after(std::int64_t n) { allocations_left.store(n); }

namespace {

bool covers_all(heldout::Team &team, std::size_t n) {
  std::vector<int> times(n, 0);
  team.each(n, [&](std::size_t item, int) { ++times[item]; });
  team.chunks(n, 1, [&](std::size_t first, std::size_t last, int) {
    for (std::size_t item = first; item < last; ++item) ++times[item];
  });
  return std::all_of(times.begin(), times.end(), [](int count) { return count == 2; });
}

// Workers may be spinning, asleep, about to sleep or not yet there when a team is given work or goes away.
void check_lives() {
  bool right = true;
  for (int life = 0; life < 2000; ++life) {
    heldout::Team team(1 + life % 6);
    for (int stage = 0; stage < life % 4; ++stage) {
      if (life % 50 == 3) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      right = right && covers_all(team, static_cast<std::size_t>(life % 13));
    }
  }
  expect(right, "team: 2000 lives");
}

void check_lock() {
  heldout::Team team(5);
  heldout::SpinLock lock;
  int n = 0;
  for (int stage = 0; stage < 50; ++stage)
    team.each(100, [&](std::size_t, int) {
      lock.lock();
      ++n;
      lock.unlock();
    });
  expect(n == 5000, "lock: 5000 additions");
}

void check_exceptions() {
  bool right = true;
  for (std::size_t thrower = 0; thrower < 40; ++thrower) {
    heldout::Team team(1 + static_cast<int>(thrower % 5));
    bool came = false;
    try {
      team.each(40, [&](std::size_t item, int) {
        if (item == thrower) throw std::runtime_error("thrown on purpose");
      });
    } catch (const std::runtime_error &) {
      came = true;
    }
    right = right && came && covers_all(team, 10);
  }
  expect(right, "team: an exception comes out, and the team goes on");
}

// A stack that no address space has room for.
void check_no_threads() {
#if defined(__GLIBC__)
  pthread_attr_t before, greedy;
  pthread_getattr_default_np(&before);
  pthread_getattr_default_np(&greedy);
  pthread_attr_setstacksize(&greedy, std::size_t{1} << 52);
  pthread_setattr_default_np(&greedy);
  {
    heldout::Team team(4);
    expect(team.size() == 1 && covers_all(team, 10), "team: does without threads");
  }
  pthread_setattr_default_np(&before);
  pthread_attr_destroy(&before);
  pthread_attr_destroy(&greedy);
#endif
}

enum class End { finished, failed, wrong };

End fit_with_failure(const Fitter &fitter, const std::vector<std::uint64_t> &wanted, int n_threads, std::int64_t after) {
  fail_allocation_after(after);
  try {
    const Fitted fitted = fitter(n_threads);
    fail_allocation_after(-1);
    return fitted.bits() == wanted ? End::finished : End::wrong;
  } catch (const std::bad_alloc &) {
    fail_allocation_after(-1);
    return End::failed;
  }
}

// Wherever memory runs out, the exception comes out: no thread waits for ever for one that is gone.
void check_memory(heldout::Loss loss, int n_outputs, int n_threads) {
  Fit fit;
  fit.shape.loss = loss;
  fit.shape.n_outputs = n_outputs;
  fit.shape.n_rows = 1200;
  fit.rule.n_rounds = 2;
  fit.rule.growth.least = 4;
  fit.rule.growth.few_rows = 4;
  fit.rule.growth.shared_rows = 64;
  fit.rule.growth.together_rows = 800;
  const Fitter fitter(fit);
  const std::vector<std::uint64_t> wanted = fitter(1).bits();
  int n_failed = 0;
  bool right = true;
  for (std::int64_t after = 0, in_a_row = 0; in_a_row < 3; after += 1 + after / 32) {
    const End end = fit_with_failure(fitter, wanted, n_threads, after);
    right = right && end != End::wrong;
    n_failed += end == End::failed;
    in_a_row = end == End::finished && after > 100 ? in_a_row + 1 : 0;
  }
  expect(right && n_failed > 20, "memory: " + std::to_string(n_outputs) + " outputs, " + std::to_string(n_threads) + " threads, fits that ran out of it");
}

} // namespace

void check_threads() {
  check_lives();
  check_lock();
  check_exceptions();
  check_no_threads();
}

void check_failures() {
  for (const int n_threads : {1, 3}) {
    check_memory(heldout::Loss::squared, 1, n_threads);
    check_memory(heldout::Loss::softmax, 3, n_threads);
  }
}

} // namespace checks
