// The inner loop of a product of matrices, for kernels that go on with the result while it is near.
//
// A tile is ROWS rows of A times WIDE vectors of columns of B:
//
//     out[i][v] = sum over k of a[i * down + k * along] * b[k * ldb + v * LANES + lane]
//
// Each element is summed over k in order, whatever the tile's size: a row's result does not depend on its neighbours.
#pragma once
#include "vec.h"

namespace gpunet::cpu {

// Accumulators that the target's registers hold beside a vector of B and the broadcast elements of A.
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int ACCUMULATORS = 24;
#else
constexpr int ACCUMULATORS = 12;
#endif
template <int WIDE> constexpr int TILE_ROWS = ACCUMULATORS / WIDE;

// The compiler, left alone, loads a vector of B anew for each row, and the loads then take longer than the products.
GPUNET_INLINE vf in_register(vf x) {
#if defined(__AVX__)
  asm("" : "+v"(x));
#elif defined(__aarch64__)
  asm("" : "+w"(x));
#endif
  return x;
}

template <int ROWS, int WIDE>
GPUNET_INLINE void tile(vf (&out)[ROWS][WIDE], int64_t k, const float* a, int64_t down, int64_t along, const float* b,
                        int64_t ldb) {
  vf sums[ROWS][WIDE] = {};
  for (int64_t p = 0; p < k; p++, a += along, b += ldb) {
    if constexpr (WIDE <= ROWS) {
      vf y[WIDE];
#pragma GCC unroll 8
      for (int v = 0; v < WIDE; v++) y[v] = in_register(load(b + v * LANES));
#pragma GCC unroll 32
      for (int i = 0; i < ROWS; i++) {
        const vf x = broadcast(a[i * down]);
#pragma GCC unroll 8
        for (int v = 0; v < WIDE; v++) sums[i][v] = fmadd(x, y[v], sums[i][v]);
      }
    } else {
      vf x[ROWS];
#pragma GCC unroll 32
      for (int i = 0; i < ROWS; i++) x[i] = broadcast(a[i * down]);
#pragma GCC unroll 8
      for (int v = 0; v < WIDE; v++) {
        const vf y = in_register(load(b + v * LANES));
#pragma GCC unroll 32
        for (int i = 0; i < ROWS; i++) sums[i][v] = fmadd(x[i], y, sums[i][v]);
      }
    }
  }
#pragma GCC unroll 32
  for (int i = 0; i < ROWS; i++)
#pragma GCC unroll 8
    for (int v = 0; v < WIDE; v++) out[i][v] = sums[i][v];
}

template <int N> struct Rows {
  static constexpr int count = N;
};

template <int N, class F> GPUNET_INLINE void with_rows(int64_t count, F&& f) {
  if constexpr (N > 0) {
    if (count == N)
      f(Rows<N>{});
    else
      with_rows<N - 1>(count, f);
  }
}

// Calls f(Rows<count>, first row) for tiles of at most MOST rows, as even as can be: 16 rows by 3 are 3 3 3 3 2 2.
template <int MOST, class F> GPUNET_INLINE void even_tiles(int64_t rows, F&& f) {
  const int64_t tiles = (rows + MOST - 1) / MOST;
  for (int64_t t = 0, i = 0; t < tiles; t++) {
    const int64_t count = (rows - i + tiles - t - 1) / (tiles - t);
    with_rows<MOST>(count, [&](auto each) { f(each, i); });
    i += count;
  }
}

}  // namespace gpunet::cpu
