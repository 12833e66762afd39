// Which of the paths that give the same bits this process takes.
#pragma once

namespace heldout {

// Whether the processor has AVX2 and the environment does not say HELDOUT_SIMD=plain.
bool use_avx2();

} // namespace heldout
