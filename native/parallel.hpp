// Threads: the only file that knows them. A team lives as long as one call into the engine, so a process may fork
// between calls without a thread to lose, and two calls may run at once, each with a team of its own.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace heldout {

// Tells the processor that this thread only waits.
void relax();

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

  // Calls work(thread) once on each thread, 0 being the caller, and returns when all are done. The first exception
  // comes out here. Not to be called from inside `work`.
  template <typename Work> void run(Work &&work) {
    if (workers_.empty()) {
      work(0);
      return;
    }
    start([](void *context, int thread) { (*static_cast<std::remove_reference_t<Work> *>(context))(thread); }, &work);
  }

  // Calls work(first, last, thread) for chunks that cover 0 .. n, in any order, one after the other where n is small.
  template <typename Work> void chunks(std::size_t n, std::size_t smallest, Work &&work) {
    const std::size_t wanted = std::min<std::size_t>(static_cast<std::size_t>(size()), n / (smallest ? smallest : 1));
    if (wanted <= 1) {
      if (n > 0) work(std::size_t{0}, n, 0);
      return;
    }
    run([&](int thread) {
      const auto part = static_cast<std::size_t>(thread);
      if (part < wanted) work(n * part / wanted, n * (part + 1) / wanted, thread);
    });
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

private:
  using Function = void (*)(void *, int);

  void start(Function function, void *context);
  void serve(int thread);
  void perform(int thread);

  std::vector<std::thread> workers_;
  Function function_ = nullptr;
  void *context_ = nullptr;
  std::atomic<unsigned> epoch_{0};
  std::atomic<int> busy_{0};
  std::atomic<int> asleep_{0};
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;
  std::condition_variable wake_;
  std::exception_ptr failure_;
};

} // namespace heldout
