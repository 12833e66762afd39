#include "parallel.hpp"

#include <exception>

#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#endif

namespace heldout {
namespace {

// A stage of a small tree takes microseconds, so a worker without work spins before it sleeps.
constexpr int kSpins = 2000;

constexpr std::uint64_t kEpoch = std::uint64_t{1} << 32, kOpen = std::uint64_t{1} << 31, kInside = kOpen - 1;

} // namespace

void relax() {
#if defined(__x86_64__) || defined(_M_X64)
  _mm_pause();
#endif
}

void SpinLock::lock() {
  while (taken_.exchange(true, std::memory_order_acquire)) wait_while([&] { return taken_.load(std::memory_order_relaxed); });
}

Team::Team(int n_threads) {
  workers_.reserve(static_cast<std::size_t>(n_threads > 1 ? n_threads - 1 : 0));
  try {
    for (int thread = 1; thread < n_threads; ++thread) workers_.emplace_back([this, thread] { serve(thread); });
  } catch (const std::exception &) {
    // The system gives no more threads, or no memory for them: those there are do the work, with the same result.
  }
}

Team::~Team() {
  stopping_.store(true);
  {
    const std::lock_guard<std::mutex> held(mutex_);
    state_.fetch_add(kEpoch);
  }
  wake_.notify_all();
  for (std::thread &worker : workers_) worker.join();
}

void Team::perform(int thread) {
  try {
    function_(context_, thread);
  } catch (...) {
    const std::lock_guard<std::mutex> held(mutex_);
    if (!failure_) failure_ = std::current_exception();
  }
}

void Team::start(Function function, void *context) {
  function_ = function;
  context_ = context;
  state_.fetch_add(kEpoch | kOpen); // sequentially consistent: either we see the sleeper or it sees the new epoch
  if (asleep_.load() > 0) {
    const std::lock_guard<std::mutex> held(mutex_);
    wake_.notify_all();
  }
  perform(0);
  state_.fetch_and(~kOpen);
  wait_while([&] { return (state_.load(std::memory_order_acquire) & kInside) != 0; });
  if (failure_) {
    const std::exception_ptr failure = failure_;
    failure_ = nullptr;
    std::rethrow_exception(failure);
  }
}

void Team::serve(int thread) {
  std::uint64_t seen = 0;
  const auto is_new = [&] { return state_.load() / kEpoch != seen; };
  for (;;) {
    for (int spins = 0; !is_new() && spins < kSpins; ++spins) relax();
    if (!is_new()) {
      std::unique_lock<std::mutex> held(mutex_);
      asleep_.fetch_add(1);
      wake_.wait(held, is_new);
      asleep_.fetch_sub(1);
    }
    std::uint64_t state = state_.load();
    if (stopping_.load()) return; // after the state: who takes the last epoch for seen would wait for one more
    seen = state / kEpoch;
    while ((state & kOpen) != 0 && state / kEpoch == seen) {
      if (!state_.compare_exchange_weak(state, state + 1)) continue;
      perform(thread);
      state_.fetch_sub(1, std::memory_order_release);
      break;
    }
  }
}

} // namespace heldout
