#include "parallel.hpp"

#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#endif

namespace heldout {
namespace {

// A stage of a small tree takes microseconds, so a thread that waits spins first; after some tens of microseconds it
// sleeps (a worker) or lets others have its processor (the caller).
constexpr int kSpins = 2000;
constexpr int kSpinsOfCaller = 4000;

} // namespace

void relax() {
#if defined(__x86_64__) || defined(_M_X64)
  _mm_pause();
#endif
}

void SpinLock::lock() {
  for (int spins = 0; taken_.exchange(true, std::memory_order_acquire);) {
    while (taken_.load(std::memory_order_relaxed)) {
      relax();
      if (++spins > kSpinsOfCaller) std::this_thread::yield();
    }
  }
}

Team::Team(int n_threads) {
  workers_.reserve(static_cast<std::size_t>(n_threads > 1 ? n_threads - 1 : 0));
  try {
    for (int thread = 1; thread < n_threads; ++thread) workers_.emplace_back([this, thread] { serve(thread); });
  } catch (const std::system_error &) {
    // The system gives no more threads: those there are do the work, with the same result.
  }
}

Team::~Team() {
  stopping_.store(true);
  {
    const std::lock_guard<std::mutex> held(mutex_);
    epoch_.fetch_add(1);
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
  busy_.store(static_cast<int>(workers_.size()), std::memory_order_relaxed);
  epoch_.fetch_add(1); // sequentially consistent: either we see the sleeper or it sees the new epoch
  if (asleep_.load() > 0) {
    const std::lock_guard<std::mutex> held(mutex_);
    wake_.notify_all();
  }
  perform(0);
  for (int spins = 0; busy_.load(std::memory_order_acquire) > 0; ++spins) {
    relax();
    if (spins > kSpinsOfCaller) std::this_thread::yield();
  }
  if (failure_) {
    const std::exception_ptr failure = failure_;
    failure_ = nullptr;
    std::rethrow_exception(failure);
  }
}

void Team::serve(int thread) {
  for (unsigned seen = 0;;) {
    int spins = 0;
    while (epoch_.load(std::memory_order_acquire) == seen && spins < kSpins) {
      relax();
      ++spins;
    }
    if (epoch_.load(std::memory_order_acquire) == seen) {
      std::unique_lock<std::mutex> held(mutex_);
      asleep_.fetch_add(1);
      wake_.wait(held, [&] { return epoch_.load() != seen; });
      asleep_.fetch_sub(1);
    }
    ++seen; // the caller starts nothing new before all have finished, so epochs come one by one
    if (stopping_.load()) return;
    perform(thread);
    busy_.fetch_sub(1, std::memory_order_release);
  }
}

} // namespace heldout
