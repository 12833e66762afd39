// Memory for large arrays: not cleared before its first use, and on large pages where the system has them. Rows of a node
// lie all over a matrix, and with pages of 4 KiB each of them costs a walk through the page table first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>
#include <vector>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace heldout {

constexpr std::size_t kLargePage = std::size_t{1} << 21;

template <typename T> struct LargePages {
  using value_type = T;

  LargePages() = default;
  template <typename Other> LargePages(const LargePages<Other> &) {}

  T *allocate(std::size_t n) {
    const std::size_t bytes = n * sizeof(T);
    if (bytes < 2 * kLargePage) return static_cast<T *>(::operator new(bytes, small));
    void *memory = ::operator new(bytes, large);
#ifdef __linux__
    madvise(memory, bytes, MADV_HUGEPAGE); // advice: without effect where it is not taken
#endif
    return static_cast<T *>(memory);
  }
  void deallocate(T *memory, std::size_t n) { ::operator delete(memory, n * sizeof(T) < 2 * kLargePage ? small : large); }

  // Elements are left as they are unless a value is given.
  template <typename Element> void construct(Element *at) { ::new (static_cast<void *>(at)) Element; }
  template <typename Element, typename... Arguments> void construct(Element *at, Arguments &&...arguments) {
    ::new (static_cast<void *>(at)) Element(std::forward<Arguments>(arguments)...);
  }

  template <typename Other> bool operator==(const LargePages<Other> &) const { return true; }
  template <typename Other> bool operator!=(const LargePages<Other> &) const { return false; }

private:
  static constexpr std::align_val_t small{64}, large{kLargePage};
};

template <typename T> using LargeVector = std::vector<T, LargePages<T>>;

} // namespace heldout
