// What the matrix products share: how tiles are numbered, the epilogue, and sums over parts of k put together.
#pragma once

#include "common.cuh"

enum Activation { ACTIVATION_NONE, ACTIVATION_RELU };

namespace {

// Tiles are numbered so that blocks running together form compact groups, 8 tiles high, and share what is in the L2.
__device__ __forceinline__ void tile_position(int tile, int tiles_m, int tiles_n, int& tile_m, int& tile_n) {
    constexpr int GROUP = 8;
    const int group = tile / (GROUP * tiles_n), first = group * GROUP;
    const int height = tiles_m - first < GROUP ? tiles_m - first : GROUP;
    const int within = tile - group * GROUP * tiles_n;
    tile_m = first + within % height;
    tile_n = within / height;
}

// The epilogue: which activation is the same for the whole launch, so that the branch costs next to nothing.
template <typename A>
__device__ __forceinline__ A finish(A sum, A bias, int activation) {
    sum += bias;
    if (activation == ACTIVATION_RELU && sum < A(0)) sum = A(0);  // NaN stays
    return sum;
}

}  // namespace
