// Threads: the only file that knows them. A team lives as long as one call into the engine, so a process may fork
// between calls without a thread to lose, and two calls may run at once, each with a team of its own.
#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>
#include <type_traits>
#include <vector>

namespace heldout {

// Tells the processor that this thread only waits.
void relax();

// Waits for another thread to make `busy` false; lets others have the processor when that takes long.
template <typename Busy> void wait_while(Busy &&busy) {
  constexpr int spins_before_yielding = 4000;
  for (int spins = 0; busy();) {
    relax();
    if (spins < spins_before_yielding)
      ++spins;
    else
      std::this_thread::yield();
  }
}

class SpinLock {
public:
  void lock();
  void unlock() { taken_.store(false, std::memory_order_release); }

private:
  std::atomic<bool> taken_{false};
};

class Team {
public:
  explicit Team(int n_threads);
  ~Team();
  Team(const Team &) = delete;
  Team &operator=(const Team &) = delete;

  int size() const { return static_cast<int>(workers_.size()) + 1; }

  // Calls work(thread) on the caller as thread 0 and on each other thread that comes before the caller is done, and
  // returns when all that came have finished: on a busy machine nobody waits for a thread that gets no processor. So `work`
  // takes what there is to do piece by piece and must be right with the caller alone. The first exception comes out
  // here. Not to be called from inside `work`.
  template <typename Work> void run(Work &&work) {
    if (workers_.empty()) {
      work(0);
      return;
    }
    start([](void *context, int thread) { (*static_cast<std::remove_reference_t<Work> *>(context))(thread); }, &work);
  }

  // Calls work(item, thread) for each item, whichever thread is free.
  template <typename Work> void each(std::size_t n_items, Work &&work) {
    if (n_items <= 1 || size() == 1) {
      for (std::size_t item = 0; item < n_items; ++item) work(item, 0);
      return;
    }
    std::atomic<std::size_t> next{0};
    run([&](int thread) {
      for (std::size_t item; (item = next.fetch_add(1, std::memory_order_relaxed)) < n_items;) work(item, thread);
    });
  }

  // Calls work(first, last, part) for at most size() parts that cover 0 .. n, in any order; one where n is small.
  template <typename Work> void chunks(std::size_t n, std::size_t smallest, Work &&work) {
    const std::size_t n_parts = std::min<std::size_t>(static_cast<std::size_t>(size()), n / (smallest ? smallest : 1));
    if (n_parts <= 1) {
      if (n > 0) work(std::size_t{0}, n, 0);
      return;
    }
    each(n_parts, [&](std::size_t part, int) { work(n * part / n_parts, n * (part + 1) / n_parts, static_cast<int>(part)); });
  }

private:
  using Function = void (*)(void *, int);

  void start(Function function, void *context);
  void serve(int thread);
  void perform(int thread);

  std::vector<std::thread> workers_;
  Function function_ = nullptr;
  void *context_ = nullptr;

  // | epoch 32 | open 1 | threads inside 31 |: a thread enters an epoch only while it is open.
  std::atomic<std::uint64_t> state_{0};
  std::atomic<int> asleep_{0};
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;
  std::condition_variable wake_;
  std::exception_ptr failure_;
};

} // namespace heldout
