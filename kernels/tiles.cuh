// What the matrix products share: how tiles are numbered, and sums of columns. The epilogue is in epilogue.cuh.
#pragma once

#include "epilogue.cuh"

// A product's sizes, and how its operands and its result lie in memory, in elements. The matrices of a batch are numbered; `inner` of them
// make a row of a batch of two dimensions, such as images and heads. Steps are 0 where matrices share an operand. A
// pitch is the step between rows of memory, along which elements lie in one piece. The launch code has the same structure.
struct Product {
    long long a_outer, a_inner, b_outer, b_inner, out_outer, out_inner;
    int m, n, k, batch, inner, per_split;
    int a_pitch, b_pitch, out_pitch, activation;

    __device__ __forceinline__ long long a_place(int matrix) const {
        return matrix / inner * a_outer + matrix % inner * a_inner;
    }
    __device__ __forceinline__ long long b_place(int matrix) const {
        return matrix / inner * b_outer + matrix % inner * b_inner;
    }
    __device__ __forceinline__ long long out_place(int matrix) const {
        return matrix / inner * out_outer + matrix % inner * out_inner;
    }
};

namespace {

// Tiles are numbered so that blocks running together form compact groups, GROUP tiles high, and share what is in the L2.
template <int GROUP = 8>
__device__ __forceinline__ void tile_position(int tile, int tiles_m, int tiles_n, int& tile_m, int& tile_n) {
    const int group = tile / (GROUP * tiles_n), first = group * GROUP;
    const int height = tiles_m - first < GROUP ? tiles_m - first : GROUP;
    const int within = tile - group * GROUP * tiles_n;
    tile_m = first + within % height;
    tile_n = within / height;
}

// sums[c] = the sum over the rows of a matrix of column c, of a strip of 32 columns: each warp adds every WARPS-th row, and
// the warps' sums are added in their order. shared: [WARPS][32].
template <int WARPS, typename T>
__device__ __forceinline__ void sum_strip(T* sums, const T* matrix, int rows, int columns, int pitch, int strip,
                                          float* shared) {
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, column = strip * 32 + lane;
    float sum = 0.0f;
    if (column < columns) {
#pragma unroll 4
        for (int row = warp; row < rows; row += WARPS)
            sum += to<float>(matrix[static_cast<long long>(row) * pitch + column]);
    }
    shared[warp * 32 + lane] = sum;
    __syncthreads();  // every warp's sums are written before they are added
    if (warp > 0 || column >= columns) return;
    float total = 0.0f;
#pragma unroll
    for (int w = 0; w < WARPS; ++w) total += shared[w * 32 + lane];
    sums[column] = to<T>(total);
}

}  // namespace
