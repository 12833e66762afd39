// Compiled for AVX2 and called only where the processor has it.
#include "judge_kernels.hpp"

#ifdef HELDOUT_AVX2

namespace heldout {

void add_member_avx2(const MemberRows &from, std::size_t n, TileSums &tile) { add_member(from, n, tile); }

} // namespace heldout

#endif
