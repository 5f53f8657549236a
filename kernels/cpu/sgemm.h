// Products of float matrices: C = act(A' B' [+ C] + bias), where A' [m, k] is A, or A transposed if `ta`, and B' [k, n]
// likewise. All matrices are row-major with a leading dimension, the distance between rows in memory: A has lda >= k,
// or A stands as [k, m] with lda >= m if `ta`.
//
// The order of additions depends on the shapes alone. C must not overlap A or B. k == 0 gives act([C +] bias).
#pragma once
#include <cstdint>

#include "pool.h"

namespace gpunet::cpu {

enum class Act { none, relu, gelu, gelu_tanh };

struct Epilogue {
  const float* bias = nullptr;      // n values, one for each column
  const float* row_bias = nullptr;  // m values, one for each row
  Act act = Act::none;
  Epilogue columns(int64_t j) const { return {bias ? bias + j : nullptr, row_bias, act}; }
  Epilogue rows(int64_t i) const { return {bias, row_bias ? row_bias + i : nullptr, act}; }
};

// In the calling thread alone: for use inside one's own parallel loop.
EXPORTED void sgemm(bool ta, bool tb, int64_t m, int64_t n, int64_t k, const float* a, int64_t lda, const float* b, int64_t ldb,
           float* c, int64_t ldc, bool accumulate, const Epilogue& epilogue = {});

// In the pool; the same numbers.
EXPORTED void parallel_sgemm(bool ta, bool tb, int64_t m, int64_t n, int64_t k, const float* a, int64_t lda, const float* b,
                    int64_t ldb, float* c, int64_t ldc, bool accumulate, const Epilogue& epilogue = {});

// B packed once for many products (a recurrent matrix, a convolution's weights): packed_size floats, aligned to 64 bytes
// as scratch() gives them. sgemm_packed runs in the calling thread. Of few rows or columns
// its numbers can differ from sgemm's, which then adds in another order.
EXPORTED int64_t packed_size(int64_t n, int64_t k);
EXPORTED void pack(bool tb, int64_t n, int64_t k, const float* b, int64_t ldb, float* packed);
EXPORTED void sgemm_packed(bool ta, int64_t m, int64_t n, int64_t k, const float* a, int64_t lda, const float* packed, float* c,
                  int64_t ldc, bool accumulate, const Epilogue& epilogue = {});

}  // namespace gpunet::cpu
