// What kernels share whose rows are shared by the blocks of a cluster. [sm_90: clusters]
#pragma once

#include "ptx.cuh"

namespace {

// The numbers of each of the cluster's BLOCKS blocks, of thread 0; a thread gets those of the block whose number is its
// own, modulo BLOCKS. The whole cluster calls, once in a kernel's life.
template <int BLOCKS, int N>
__device__ __forceinline__ void exchange(float (&numbers)[N]) {
    __shared__ float shared[N];
    if (threadIdx.x == 0)
#pragma unroll
        for (int i = 0; i < N; ++i) shared[i] = numbers[i];
    cluster_sync();  // every block's numbers are written before any block reads them
#pragma unroll
    for (int i = 0; i < N; ++i) numbers[i] = ld_cluster_f32(shared + i, threadIdx.x % BLOCKS);
    cluster_sync();  // every block has read before any block ends, and its memory with it
}

// Where the part of a block begins in a row, parts being `share` elements but in the last blocks.
__device__ __forceinline__ int part_begin(long long rank, int share, int columns) {
    return static_cast<int>(rank * share < columns ? rank * share : columns);
}

}  // namespace
