// Products of matrices of half types with sums in float: C = act(A' B' + bias), rounded once; sgemm.h says what A' and B'
// are. In the pool, unless it is called from inside another parallel loop.
//
// The order of additions depends on the shapes alone. Of bfloat16, numbers below the least normal one count as 0, as in
// PyTorch.
#pragma once
#include "halves.h"
#include "sgemm.h"

namespace gpunet::cpu {

// Whether this processor multiplies a half type, which the library was built for; else bgemm does nothing.
bool has_bgemm(Real type);

void bgemm(Real type, bool ta, bool tb, int64_t m, int64_t n, int64_t k, const uint16_t* a, int64_t lda, const uint16_t* b,
           int64_t ldb, uint16_t* c, int64_t ldc, const Epilogue& epilogue);

}  // namespace gpunet::cpu
