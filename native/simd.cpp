#include "simd.hpp"

#include <cstdlib>
#include <cstring>

namespace heldout {

bool use_avx2() {
#ifdef HELDOUT_AVX2
  const char *wanted = std::getenv("HELDOUT_SIMD");
  return !(wanted && std::strcmp(wanted, "plain") == 0) && __builtin_cpu_supports("avx2");
#else
  return false;
#endif
}

} // namespace heldout
